/**
 * Answers a block that is not on this machine: a range of one shard from the one peer that holds
 * it, and when that peer is dead, slow or lies, the same range out of any k others; for one who
 * reads on, out of what was read ahead (ahead.ts). What it gives out has the right CID, or it fails
 * within a bounded time.
 */
import type { BlockFetcher } from "../../base/blocks.ts";
import type { Clock } from "../../base/clock.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import type { ByteRange } from "../../base/filesystem.ts";
import { type Cid, cidOf } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { SegmentRecord } from "../../base/records.ts";
import type { CatalogEntry } from "../catalog/catalog-page.ts";
import { type Witness } from "../witness.ts";
import { ReadAhead } from "./ahead.ts";
import type { HedgeBudget } from "./pace.ts";
import type { Records } from "./records.ts";
import type { Holding, ShardReader } from "./shards.ts";

export interface DownloadNeeds {
  readonly clock: Clock;
  readonly log: Log;
  readonly find: (cid: Cid) => Promise<CatalogEntry | undefined>;
  readonly records: Records;
  readonly reader: ShardReader;
  readonly witness: Witness;
  readonly budget: HedgeBudget;
  /** Whether this machine's line bears so many bytes soon; it does when absent. */
  readonly mayReadAhead?: (bytes: number) => boolean;
  /** Whether the limit of this machine's own line is what reads wait for; it is not when absent. */
  readonly holdsReads?: () => boolean;
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
  readonly #ahead: ReadAhead;
  /** Who asks for the same block meanwhile, or right after a long vain wait, shares the answer. */
  readonly #underWay = new Map<Cid, Promise<Uint8Array>>();

  constructor(needs: DownloadNeeds, options: { readonly readTimeoutMs: number }) {
    this.#needs = needs;
    this.#readTimeoutMs = options.readTimeoutMs;
    this.#ahead = new ReadAhead(needs, { timeoutMs: options.readTimeoutMs });
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
        return await this.#patiently(entry, signal);
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

  /** Just after a start, or after a fall of the line, holders are met again one by one. */
  async #patiently(entry: CatalogEntry, signal: AbortSignal): Promise<Uint8Array> {
    for (const pauseMs of limits.transfer.readPausesMs) {
      try {
        return await this.#fetch(entry, signal);
      } catch (error) {
        if (!isFault(error, "Unavailable")) throw error;
        await this.#needs.clock.delay(pauseMs, signal);
      }
    }
    return this.#fetch(entry, signal);
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
    using _timer = this.#deadline(() => over.abort(why));
    return await unlessAborted(act(over.signal), over.signal);
  }

  /** Once the time is up. What the user's own limit makes reads wait is none of the peers' time. */
  #deadline(act: () => void): Disposable {
    const { clock, holdsReads = () => false } = this.#needs;
    const startMs = clock.monotonicMs();
    let timer: Disposable;
    const look = (): void => {
      const isLast = clock.monotonicMs() - startMs >= limits.transfer.heldReadMsMax;
      if (isLast || !holdsReads()) act();
      else timer = clock.after(this.#readTimeoutMs, look);
    };
    timer = clock.after(this.#readTimeoutMs, look);
    return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
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
    this.#needs.budget.earn(lengthBytes);
    return await this.#fromAhead(target) ?? this.#race(target, signal);
  }

  async #fromAhead(target: Target): Promise<Uint8Array | undefined> {
    const { cid, record } = target;
    const ahead = await this.#ahead.take(target);
    if (ahead === undefined) return undefined;
    const isRight = cidOf(ahead.bytes) === cid;
    const verdict = isRight ? "right" : "wrong";
    if (ahead.from !== undefined) {
      this.#needs.witness.saw({ peer: ahead.from, verdict, act: "read" });
    }
    if (isRight) return ahead.bytes;
    // Whoever lied is found out block by block.
    this.#needs.log.info("transfer.ahead.lied", { segment: record.segment });
    this.#ahead.drop(record.segment);
    return undefined;
  }

  /** The holder first; the others too as soon as it fails or has been given its time. */
  async #race(target: Target, signal: AbortSignal): Promise<Uint8Array> {
    const holding = this.#needs.reader.holding(target.record, target.index);
    if (holding === undefined || this.#needs.witness.isLikelyAway(holding.peer)) {
      return this.#otherwise(target, signal, undefined);
    }
    const { lengthBytes } = target.range;
    const hedgeBytes = target.record.k * lengthBytes;
    const mayHedge = (): boolean => this.#needs.budget.spend(hedgeBytes);
    const isSlow = this.#needs.reader.isSlow(target.record, holding, lengthBytes);
    if (isSlow && mayHedge()) return this.#otherwise(target, signal, holding);
    const settled = new AbortController();
    const until = AbortSignal.any([signal, settled.signal]);
    const impatient = Promise.withResolvers<void>();
    using timers = new DisposableStack();
    const begun = (): void => {
      if (timers.disposed) return;
      timers.use(this.#impatience(target, holding, () => mayHedge() && impatient.resolve()));
      timers.use(this.#needs.clock.after(this.#lateMs(holding), () => {
        this.#needs.witness.saw({ peer: holding.peer, verdict: "late", act: "read" });
        impatient.resolve();
      }));
    };
    const direct = this.#direct(target, holding, { signal: until, begun });
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

  async #direct(
    target: Target, holding: Holding,
    options: { readonly signal: AbortSignal; readonly begun?: () => void },
  ): Promise<Uint8Array> {
    const { cid, record, range } = target;
    const block = await this.#needs.reader.range(record, holding, range, options);
    const { peer } = holding;
    if (cidOf(block) === cid) {
      this.#needs.witness.saw({ peer, verdict: "right", act: "read" });
      return block;
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
      const options = { signal, urgency: "owner" } as const;
      const [shard] = await reader.rebuiltShards(record, [index], options);
      const { offsetBytes, lengthBytes } = range;
      const checked = shard?.subarray(offsetBytes, offsetBytes + lengthBytes) ?? new Uint8Array();
      if (cidOf(checked) === cid) return Buffer.from(checked);
      throw new HiveError("Corrupt", "transfer.fetch", `${cid}: not at its place`);
    } catch (error) {
      // Too few others: the doubted holder itself is the last hope.
      if (tried !== undefined || !isFault(error, "Unavailable")) throw error;
      const holding = reader.holding(record, index);
      if (holding === undefined) throw error;
      log.debug("transfer.fetch.last", { segment: record.segment, why: describe(error) });
      return this.#direct(target, holding, { signal }).catch(() => { throw error; });
    }
  }

  /**
   * Calls once when the holder has had its time, as far as is known by then: while it is waited
   * for, its fellows may show what time that is.
   */
  #impatience(target: Target, holding: Holding, act: () => void): Disposable {
    const { clock, reader } = this.#needs;
    const startMs = clock.monotonicMs();
    let timer: Disposable;
    const look = (): void => {
      const ageMs = clock.monotonicMs() - startMs;
      if (ageMs >= reader.patienceMs(target.record, holding, target.range.lengthBytes)) act();
      else timer = clock.after(limits.transfer.hedgeMsMin, look);
    };
    timer = clock.after(limits.transfer.hedgeMsMin, look);
    return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
  }

  /** Some of its usual round trips, within bounds. */
  #lateMs({ peer }: Holding): number {
    const { lateMsMin, lateMsMax } = limits.transfer;
    const usual = 4 * (this.#needs.witness.roundTripMs(peer) ?? lateMsMax / 8);
    return Math.min(Math.max(usual, lateMsMin), lateMsMax);
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
