/**
 * The way of a read: from memory, from a block file, or from the peers; and nothing is answered
 * that does not hash to its CID. Concurrent reads of an absent block share one fetch.
 */
import type { BlockFetcher, GetOptions } from "../../base/blocks.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import type { ByteRange } from "../../base/filesystem.ts";
import type { Cid } from "../../base/ids.ts";
import { type Log, describe } from "../../base/log.ts";
import type { Maybe } from "../../base/step.ts";
import { type BlockEntry, marks } from "../files/entry.ts";
import { headerBytes, matches } from "../files/frame.ts";
import type { Catalog } from "../index/catalog.ts";
import type { Report } from "../report.ts";

interface Needs {
  readonly catalog: Catalog;
  readonly log: Log;
  readonly report: Report;
  /** Keeps what was fetched, if there is room for it or it was lost here. */
  readonly keep: (cid: Cid, bytes: Uint8Array) => void;
}

interface SharedFetch {
  readonly bytes: Promise<Uint8Array>;
  readonly stop: AbortController;
  readers: number;
}

export class Reading {
  readonly #needs: Needs;
  readonly #fetches = new Map<Cid, SharedFetch>();
  fetcher: BlockFetcher | undefined;

  constructor(needs: Needs, fetcher: BlockFetcher | undefined) {
    this.#needs = needs;
    this.fetcher = fetcher;
  }

  get(cid: Cid, options: GetOptions): Maybe<Uint8Array> {
    const entry = this.#needs.catalog.get(cid);
    if (entry === undefined) return this.#fetch(cid, options.signal);
    this.#needs.catalog.setWarm(entry, true);
    return lent(entry) ?? this.#getHere(entry, options);
  }

  /** From a block file or not at all; a failure to read is told by who reads the whole block. */
  getPart(cid: Cid, { offsetBytes, lengthBytes }: ByteRange): Maybe<Uint8Array | undefined> {
    const entry = this.#needs.catalog.get(cid);
    if (entry?.file === undefined || entry.bytes !== undefined) return undefined;
    if (offsetBytes + lengthBytes > entry.lengthBytes) return undefined;
    this.#needs.catalog.setWarm(entry, true);
    // Should the block move meanwhile: the bytes in its old place stay what they were.
    const from = entry.offsetBytes + headerBytes + offsetBytes;
    return entry.file.read(from, lengthBytes).catch(() => undefined);
  }

  /** From this machine only: NotFound or Corrupt when it is not here as it should be. */
  async read(entry: BlockEntry): Promise<Uint8Array> {
    const bytes = lent(entry) ?? (await this.#readFile(entry));
    if (bytes !== undefined) return bytes;
    this.#lose(entry);
    throw new HiveError("Corrupt", "cache.read", entry.cid);
  }

  /** Ends all fetches. */
  stop(reason: unknown): void {
    for (const { stop } of this.#fetches.values()) stop.abort(reason);
  }

  async #getHere(entry: BlockEntry, options: GetOptions): Promise<Uint8Array> {
    const bytes = await this.#readFile(entry, options);
    if (bytes !== undefined) return bytes;
    const wasDirty = entry.is(marks.dirty);
    this.#lose(entry);
    return wasDirty
      ? this.#fetchLost(entry.cid, options.signal)
      : this.#fetch(entry.cid, options.signal);
  }

  /** An index that lost its newest records has forgotten what was placed: peers may have it. */
  async #fetchLost(cid: Cid, signal: AbortSignal | undefined): Promise<Uint8Array> {
    if (this.fetcher === undefined) throw new HiveError("Corrupt", "cache.get", cid);
    try {
      return await this.#fetch(cid, signal);
    } catch (cause) {
      if (!isFault(cause, "NotFound")) throw cause;
      throw new HiveError("Corrupt", "cache.get", cid, { cause });
    }
  }

  /** Undefined when what lies there is not the block. */
  async #readFile(
    entry: BlockEntry, { unchecked = false, into }: GetOptions = {},
  ): Promise<Uint8Array | undefined> {
    // A block may move while its file is on the way out: then its new place is read.
    for (let attempt = 0; attempt < 3; attempt++) {
      const file = entry.file;
      if (file === undefined) return lent(entry);
      const bytes = await this.#readAt(entry, into).catch((error: unknown) => {
        return this.#doubt(entry, error);
      });
      if (bytes !== undefined) entry.marks &= ~marks.unread;
      const isMoved = entry.file !== file;
      if (bytes !== undefined && unchecked && !isMoved) return bytes;
      if (bytes !== undefined && matches(entry.cid, bytes)) return bytes;
      if (!isMoved) return undefined;
    }
    return undefined;
  }

  /** Out of file handles is nobody's loss; a disk that gives nothing is as good as bad bytes. */
  #doubt(entry: BlockEntry, error: unknown): undefined {
    this.#needs.log.warn("cache.read-failed", { cid: entry.cid, why: describe(error) });
    if (!isFault(error, "Corrupt", "Stale")) throw error;
    entry.marks |= marks.unread;
  }

  async #readAt(entry: BlockEntry, into?: Buffer): Promise<Uint8Array | undefined> {
    const bytes = await entry.file?.read(entry.offsetBytes + headerBytes, entry.lengthBytes, into);
    return bytes?.length === entry.lengthBytes ? bytes : undefined;
  }

  /**
   * Counted and isolated: a clean one can come from the peers, a dirty one must be put again. But
   * what the disk did not give it may give later: where nobody else has it, its place is kept.
   */
  #lose(entry: BlockEntry): void {
    const { catalog, report, log } = this.#needs;
    if (entry.is(marks.broken) || catalog.get(entry.cid) !== entry) return;
    report.corruptBlocks++;
    const dirty = entry.is(marks.dirty);
    log.error("cache.block-corrupt", { cid: entry.cid, dirty });
    if (!dirty) catalog.remove(entry);
    else if (!entry.is(marks.unread)) catalog.setBroken(entry);
  }

  async #fetch(cid: Cid, signal: AbortSignal | undefined): Promise<Uint8Array> {
    signal?.throwIfAborted();
    const fetcher = this.fetcher;
    if (fetcher === undefined) throw new HiveError("Unavailable", "cache.get", cid);
    const shared = this.#fetches.get(cid) ?? this.#begin(cid, fetcher);
    shared.readers++;
    try {
      return await orAbort(shared.bytes, signal);
    } finally {
      shared.readers--;
      // Nobody waits any more: the network need not go on.
      if (shared.readers === 0 && this.#fetches.get(cid) === shared) this.#giveUp(cid, shared);
    }
  }

  #giveUp(cid: Cid, shared: SharedFetch): void {
    this.#fetches.delete(cid);
    shared.stop.abort(new HiveError("Interrupted", "cache.get", cid));
  }

  #begin(cid: Cid, fetcher: BlockFetcher): SharedFetch {
    const stop = new AbortController();
    const shared = { bytes: this.#fetchChecked(cid, fetcher, stop.signal), stop, readers: 0 };
    this.#fetches.set(cid, shared);
    const done = () => {
      if (this.#fetches.get(cid) === shared) this.#fetches.delete(cid);
    };
    // Its readers hear of a failure themselves.
    shared.bytes.then(done, done);
    return shared;
  }

  async #fetchChecked(cid: Cid, fetcher: BlockFetcher, signal: AbortSignal): Promise<Uint8Array> {
    const bytes = await fetcher.fetch(cid, { signal });
    if (!matches(cid, bytes)) throw new HiveError("Corrupt", "cache.fetch", cid);
    this.#needs.keep(cid, bytes);
    return bytes;
  }
}

/** What is still in memory. */
function lent(entry: BlockEntry): Uint8Array | undefined {
  if (entry.bytes !== undefined) entry.marks |= marks.lent;
  return entry.bytes;
}

/** The promise, or the signal's reason if that comes first. */
function orAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
  });
}
