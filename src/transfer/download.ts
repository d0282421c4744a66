/**
 * Answers a block that is not on this machine: a range of one shard from the one peer that holds
 * it, and when that peer is dead, slow or lies, the same range out of any k others. What it gives
 * out has the right CID, or it fails within a bounded time.
 */
import type { BlockFetcher } from "../base/blocks.ts";
import type { Clock } from "../base/clock.ts";
import { HiveError, isFault } from "../base/errors.ts";
import type { ByteRange } from "../base/filesystem.ts";
import { type Cid, cidOf } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type Log, describe } from "../base/log.ts";
import type { SegmentRecord } from "../base/records.ts";
import type { CatalogEntry } from "./catalog-page.ts";
import type { Records } from "./records.ts";
import type { Holding, ShardReader } from "./shards.ts";
import { Ahead } from "./ahead.ts";
import { type Witness } from "./witness.ts";

export interface DownloadNeeds {
  readonly clock: Clock;
  readonly log: Log;
  readonly find: (cid: Cid) => Promise<CatalogEntry | undefined>;
  readonly records: Records;
  readonly reader: ShardReader;
  readonly witness: Witness;
}

/** A block as a range of one shard. */
interface Target {
  readonly cid: Cid;
  readonly record: SegmentRecord;
  readonly index: number;
  readonly range: ByteRange;
}

export class Downloader implements BlockFetcher {
  readonly #needs: DownloadNeeds;
  readonly #readTimeoutMs: number;
  readonly #ahead = new Ahead();
  /** Who asks for the same block meanwhile, or right after a long vain wait, shares the answer. */
  readonly #underWay = new Map<Cid, Promise<Uint8Array>>();

  constructor(needs: DownloadNeeds, options: { readonly readTimeoutMs: number }) {
    this.#needs = needs;
    this.#readTimeoutMs = options.readTimeoutMs;
  }

  async fetch(cid: Cid, options: { readonly signal?: AbortSignal } = {}): Promise<Uint8Array> {
    options.signal?.throwIfAborted();
    const shared = this.#underWay.get(cid) ?? this.#begin(cid);
    return options.signal === undefined ? shared : unlessAborted(shared, options.signal);
  }

  /** A block whose place the caller knows. */
  async fetchAt(entry: CatalogEntry): Promise<Uint8Array> {
    return this.#bounded(entry.cid, (signal) => this.#fetch(entry, signal));
  }

  #begin(cid: Cid): Promise<Uint8Array> {
    const answer = this.#bounded(cid, async (signal) => {
      const entry = await this.#needs.find(cid);
      if (entry === undefined) throw new HiveError("NotFound", "transfer.fetch", cid);
      try {
        return await this.#fetch(entry, signal);
      } catch (error) {
        return this.#again(entry, error, signal);
      }
    });
    this.#underWay.set(cid, answer);
    const { clock } = this.#needs;
    const startMs = clock.monotonicMs();
    const forget = (): void => void this.#underWay.delete(cid);
    answer.then(forget, () => {
      // The kernel asks again at once for a page whose read-ahead failed: one wait is enough.
      const waitedMs = clock.monotonicMs() - startMs;
      if (waitedMs < limits.transfer.failureKeptMs) return forget();
      clock.after(limits.transfer.failureKeptMs, forget);
    });
    return answer;
  }

  /** It may have moved while it was asked for. */
  async #again(entry: CatalogEntry, error: unknown, signal: AbortSignal): Promise<Uint8Array> {
    const now = await this.#needs.find(entry.cid);
    if (now === undefined || now.segment === entry.segment) throw error;
    return this.#fetch(now, signal);
  }

  /** Ends in Unavailable when the time is up, whatever the peers do. */
  async #bounded<T>(cid: Cid, act: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const over = new AbortController();
    const why = new HiveError("Unavailable", "transfer.fetch", `${cid}: no answer in time`);
    using _timer = this.#needs.clock.after(this.#readTimeoutMs, () => over.abort(why));
    return await unlessAborted(act(over.signal), over.signal);
  }

  async #fetch(entry: CatalogEntry, signal: AbortSignal): Promise<Uint8Array> {
    const record = await this.#needs.records.get(entry, signal);
    const { shardBytes } = record;
    const { cid, offsetBytes, lengthBytes } = entry;
    const index = Math.floor(offsetBytes / shardBytes);
    const range = { offsetBytes: offsetBytes - index * shardBytes, lengthBytes };
    if (index >= record.k || range.offsetBytes + lengthBytes > shardBytes) {
      throw new HiveError("Corrupt", "transfer.fetch", `${cid}: no such place`);
    }
    const target = { cid, record, index, range };
    const kept = this.#ahead.take(target);
    if (kept !== undefined && cidOf(kept) === cid) return kept;
    return this.#race(target, signal);
  }

  /** The holder first; the others too as soon as it fails or has been given its time. */
  async #race(target: Target, signal: AbortSignal): Promise<Uint8Array> {
    const holding = this.#needs.reader.holding(target.record, target.index);
    if (holding === undefined || this.#needs.witness.isLikelyAway(holding.peer)) {
      return this.#otherwise(target, signal, undefined);
    }
    const settled = new AbortController();
    const until = AbortSignal.any([signal, settled.signal]);
    const impatient = Promise.withResolvers<void>();
    using _timer = this.#needs.clock.after(this.#patienceMs(holding), () => {
      this.#needs.witness.saw({ peer: holding.peer, verdict: "late", act: "read" });
      impatient.resolve();
    });
    const direct = this.#direct(target, holding, until);
    direct.catch(() => impatient.resolve());
    const others = impatient.promise.then(() => this.#otherwise(target, until, holding));
    try {
      return await Promise.any([direct, others]);
    } catch (error) {
      throw error instanceof AggregateError ? error.errors[1] : error;
    } finally {
      settled.abort(new HiveError("Interrupted", "transfer.fetch", "answered"));
      others.catch(() => undefined);
    }
  }

  async #direct(target: Target, holding: Holding, signal: AbortSignal): Promise<Uint8Array> {
    const { cid, record, range } = target;
    const wide = this.#ahead.widen(target);
    const bytes = await this.#needs.reader.range(record, holding, wide, signal);
    const block = bytes.subarray(0, range.lengthBytes);
    const { peer } = holding;
    if (cidOf(block) === cid) {
      this.#needs.witness.saw({ peer, verdict: "right", act: "read" });
      this.#ahead.keep(target, wide, bytes);
      return wide.lengthBytes === range.lengthBytes ? block : Buffer.from(block);
    }
    this.#needs.witness.saw({ peer, verdict: "wrong", act: "read" });
    throw new HiveError("Corrupt", "transfer.fetch", cid);
  }

  /** Out of k others: just the range; if that is wrong, somebody lies: k checked whole shards. */
  async #otherwise(
    target: Target, signal: AbortSignal, tried: Holding | undefined,
  ): Promise<Uint8Array> {
    const { cid, record, index, range } = target;
    const { reader, log } = this.#needs;
    try {
      const block = await reader.rebuiltRange(record, index, range, signal);
      if (cidOf(block) === cid) return block;
      log.info("transfer.fetch.lied", { segment: record.segment });
      const shard = await reader.rebuiltShard(record, index, signal);
      const { offsetBytes, lengthBytes } = range;
      const checked = shard.subarray(offsetBytes, offsetBytes + lengthBytes);
      if (cidOf(checked) === cid) return Buffer.from(checked);
      throw new HiveError("Corrupt", "transfer.fetch", `${cid}: not at its place`);
    } catch (error) {
      // Too few others: the doubted holder itself is the last hope.
      if (tried !== undefined || !isFault(error, "Unavailable")) throw error;
      const holding = reader.holding(record, index);
      if (holding === undefined) throw error;
      log.debug("transfer.fetch.last", { segment: record.segment, why: describe(error) });
      return this.#direct(target, holding, signal).catch(() => { throw error; });
    }
  }

  /** Some of its usual round trips, within bounds. */
  #patienceMs({ peer }: Holding): number {
    const { hedgeMsMin, hedgeMsMax } = limits.transfer;
    const usual = 4 * (this.#needs.witness.roundTripMs(peer) ?? hedgeMsMax / 8);
    return Math.min(Math.max(usual, hedgeMsMin), hedgeMsMax);
  }
}

/** The answer, or the signal's reason if that comes first. */
function unlessAborted<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    const done = (): void => signal.removeEventListener("abort", stop);
    answer.then(resolve, reject).finally(done);
  });
}
