/**
 * Reads of shards: from the one holder that has a range, or out of any k others. It is shared by
 * the reading of blocks and the healing of segments, and reports every holder's conduct.
 */
import type { Clock } from "../../base/clock.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import type { ByteRange } from "../../base/filesystem.ts";
import { type PeerId, type SegmentId, parseSegmentId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { PeerNetwork, ReadOptions } from "../../base/network.ts";
import type { SegmentRecord } from "../../base/records.ts";
import type { Urgency } from "../../base/traffic.ts";
import { shardIdOf } from "../../crypt/blocks/merkle.ts";
import type { Coder } from "../../erasure/erasure.ts";
import { memberOfShard } from "../../placement/draws/seats.ts";
import { type SegmentBooks, isProven } from "../books.ts";
import type { Seating } from "../groups/groups.ts";
import { type Verdict, type Witness, verdictOf } from "../witness.ts";
import { type ReadPiece, gather } from "./gather.ts";
import type { HedgeBudget, Pace } from "./pace.ts";

export interface Holding {
  readonly index: number;
  readonly peer: PeerId;
}

export interface ShardReaderNeeds {
  readonly network: PeerNetwork;
  readonly clock: Clock;
  readonly coder: Coder;
  readonly segments: Pick<SegmentBooks, "get">;
  readonly groups: Seating;
  readonly witness: Witness;
  readonly pace: Pace;
  readonly budget: HedgeBudget;
  /** Whether other devices may have moved shards that the books here do not know of. */
  readonly areOthers?: () => boolean;
}

export class ShardReader {
  readonly #needs: ShardReaderNeeds;

  constructor(needs: ShardReaderNeeds) {
    this.#needs = needs;
  }

  /**
   * Who has which shard: by the books; of a segment that they do not know, by the group's manifest.
   * A member that was away when its shard was sent is not asked for what it never had, unless
   * another device of the drive may have brought it by now.
   */
  holdings(record: SegmentRecord): Holding[] {
    const known = this.#needs.groups.get(record.group);
    const manifest = known === undefined ? undefined : this.#needs.groups.seated(known);
    const state = this.#needs.segments.get(record.segment);
    const holderOf = (index: number): PeerId | undefined => {
      if (state?.holders[index] !== undefined) return state.holders[index];
      if (state !== undefined && !this.#areOthers) return undefined;
      return manifest === undefined ? undefined : memberOfShard(record, index, manifest);
    };
    return Array.from({ length: record.n }, (_, index) => index).flatMap((index) => {
      const peer = holderOf(index);
      return peer === undefined ? [] : [{ index, peer }];
    });
  }

  /** Who has this shard; undefined when nobody is known to. */
  holding(record: SegmentRecord, index: number): Holding | undefined {
    return this.holdings(record).find((each) => each.index === index);
  }

  /** A range of one shard as its holder gives it; its truth is the caller's to check. */
  async range(
    record: SegmentRecord, holding: Holding, range: ByteRange,
    options: ReadOptions & { readonly signal: AbortSignal },
  ): Promise<Uint8Array> {
    const { network, witness } = this.#needs;
    const { signal } = options;
    const { peer, index } = holding;
    const shard = record.roots[index];
    if (shard === undefined) throw new HiveError("Invalid", "transfer.range", `shard ${index}`);
    const timing = this.#timing(peer, range.lengthBytes, options.begun);
    try {
      const bytes = await network.read(peer, shard, range, { ...options, begun: timing.begun });
      if (bytes.length !== range.lengthBytes) {
        throw new HiveError("Corrupt", "transfer.range", `${bytes.length} bytes`);
      }
      timing.took();
      return bytes;
    } catch (error) {
      if (signal.aborted) timing.calledOff();
      const verdict = this.#verdictOf(record, error);
      if (!signal.aborted) witness.saw({ peer, verdict, act: "read" });
      throw error;
    }
  }

  /** The holder's time alone: what a question waits for before it is sent is our own line's. */
  #timing(peer: PeerId, lengthBytes: number, begun: (() => void) | undefined) {
    const { clock, pace } = this.#needs;
    let startMs = Infinity;
    return {
      begun: (): void => {
        startMs = clock.monotonicMs();
        begun?.();
      },
      took: (): void => pace.took(peer, lengthBytes, clock.monotonicMs() - startMs),
      // Others were quicker: a lower bound of its time, which counts if it is more than it had.
      calledOff: (): void => {
        const ms = clock.monotonicMs() - startMs;
        if (ms > (pace.usualMs(peer, lengthBytes) ?? 0)) pace.took(peer, lengthBytes, ms);
      },
    };
  }

  /** True for a holder that its fellows leave far behind with answers of this size. */
  isSlow(record: SegmentRecord, { peer }: Holding, lengthBytes: number): boolean {
    return this.#needs.pace.isSlow(peer, this.#peersOf(record), lengthBytes);
  }

  /** How long this holder is given before others are asked too. */
  patienceMs(record: SegmentRecord, { peer }: Holding, lengthBytes: number): number {
    return this.#needs.pace.patienceMs(peer, this.#peersOf(record), lengthBytes);
  }

  /**
   * All who have a shard, best to ask first: data before parity where both are quick, who is slow
   * after them, who is likely away last.
   */
  inOrder(record: SegmentRecord, lengthBytes: number): Holding[] {
    const { witness } = this.#needs;
    const fellows = this.#peersOf(record);
    const rank = (holding: Holding): number => {
      if (this.#isGuessed(record, holding)) return 4;
      if (witness.isLikelyAway(holding.peer)) return 3;
      if (this.#needs.pace.isSlow(holding.peer, fellows, lengthBytes)) return 2;
      return holding.index < record.k ? 0 : 1;
    };
    const ranked = witness.inOrder(this.holdings(record)).map((each) => ({ each, at: rank(each) }));
    return ranked.sort((a, b) => a.at - b.at).map(({ each }) => each);
  }

  #peersOf(record: SegmentRecord): PeerId[] {
    return this.holdings(record).map(({ peer }) => peer);
  }

  /**
   * Holders are presumed before the first proof: one without the shard has promised nothing. And
   * another device may have told it that it need not keep it.
   */
  #verdictOf(record: SegmentRecord, error: unknown): Verdict {
    const isPromised = isProven(this.#needs.segments.get(record.segment)) && !this.#areOthers;
    if (isFault(error, "NotFound") && !isPromised) return "refused";
    return verdictOf(error, "read");
  }

  get #areOthers(): boolean {
    return this.#needs.areOthers?.() ?? false;
  }

  /** By its seat alone: the books here do not say that it has the shard. */
  #isGuessed(record: SegmentRecord, { index, peer }: Holding): boolean {
    const state = this.#needs.segments.get(record.segment);
    return state !== undefined && state.holders[index] !== peer;
  }

  /** The same range of shard `index`, out of k other shards; unchecked, as one of them may lie. */
  async rebuiltRange(
    record: SegmentRecord, index: number, range: ByteRange, signal: AbortSignal,
  ): Promise<Uint8Array> {
    const { lengthBytes } = range;
    const patienceMs = limits.transfer.rangePatienceMs;
    const { hedgeShards: hedge } = limits.transfer;
    const options = {
      without: [index], needed: record.k, hedge, lengthBytes, patienceMs, signal,
    };
    const pieces = await this.#gather(record, options, (holding, until, begun) => {
      return this.range(record, holding, range, { signal: until, begun });
    });
    return this.rebuild(record, [index], pieces)[0] as Uint8Array;
  }

  /**
   * These shards whole, out of k whole shards that hash to what the owner signed: slower, but no
   * lie passes, and every liar is named. One reading does for all of them.
   */
  async rebuiltShards(
    record: SegmentRecord, wanted: readonly number[], options: RebuildOptions,
  ): Promise<readonly Uint8Array[]> {
    const { signal, urgency, have = new Map<number, Uint8Array>() } = options;
    const asked = {
      without: [...wanted, ...have.keys()], needed: Math.max(0, record.k - have.size),
      lengthBytes: record.shardBytes, patienceMs: limits.transfer.shardPatienceMs,
      // Nobody waits for what happens behind the scenes: it reads what it needs and no more.
      hedge: urgency === "background" ? 0 : limits.transfer.hedgeShards, signal,
    };
    const pieces = await this.#gather(record, asked, (holding, until, begun) => {
      return this.wholeShard(record, holding, { signal: until, urgency, begun });
    });
    const shards = this.rebuild(record, wanted, new Map([...have, ...pieces]));
    const isRight = shards.every((shard, at) => {
      return shardIdOf(shard) === record.roots[wanted[at] as number];
    });
    if (isRight) return shards;
    throw new HiveError("Corrupt", "transfer.rebuild", `${record.segment}: not one codeword`);
  }

  /** One shard from its holder, checked against its signed name. */
  async wholeShard(
    record: SegmentRecord, holding: Holding,
    options: ReadOptions & { readonly signal: AbortSignal; readonly urgency: Urgency },
  ): Promise<Uint8Array> {
    const { peer, index } = holding;
    const whole = { offsetBytes: 0, lengthBytes: record.shardBytes };
    const bytes = await this.range(record, holding, whole, options);
    if (shardIdOf(bytes) === record.roots[index]) {
      this.#needs.witness.saw({ peer, verdict: "right", act: "read" });
      return bytes;
    }
    this.#needs.witness.saw({ peer, verdict: "wrong", act: "read" });
    throw new HiveError("Corrupt", "transfer.shard", `${record.segment}/${index}`);
  }

  async #gather(
    record: SegmentRecord,
    options: {
      readonly without: readonly number[]; readonly needed: number; readonly hedge: number;
      readonly lengthBytes: number; readonly patienceMs: number; readonly signal: AbortSignal;
    },
    read: ReadPiece<Holding, Uint8Array>,
  ): Promise<ReadonlyMap<number, Uint8Array>> {
    const { without, needed, hedge, lengthBytes, patienceMs, signal } = options;
    if (needed === 0) return new Map();
    const asked = {
      sources: this.inOrder(record, lengthBytes).filter(({ index }) => !without.includes(index)),
      needed, hedge, patienceMs, signal,
      late: ({ peer }: Holding) => this.#needs.witness.saw({ peer, verdict: "late", act: "read" }),
    };
    const pieces = await gather(this.#needs.clock, asked, read);
    return new Map([...pieces].map(([{ index }, bytes]) => [index, bytes]));
  }

  /** These shards out of k others, or the same range of each. */
  rebuild(
    record: SegmentRecord, wanted: readonly number[], pieces: ReadonlyMap<number, Uint8Array>,
  ): readonly Uint8Array[] {
    const { k, n } = record;
    return this.#needs.coder.rebuild({ k, n }, pieces, wanted);
  }

  /**
   * All data shards from the first k of those who have any, each told of as it comes or is made;
   * unchecked. Whoever dawdles has another asked in its stead, as far as the budget goes.
   */
  async dataShards(record: SegmentRecord, options: DataShardsOptions): Promise<void> {
    const { k, shardBytes } = record;
    const { signal, room, found, spare } = options;
    const { clock, witness, budget } = this.#needs;
    const whole = { offsetBytes: 0, lengthBytes: shardBytes };
    const pieces = await gather<Holding, Uint8Array>(clock, {
      sources: this.inOrder(record, shardBytes), needed: k, hedge: 0,
      patienceMs: limits.transfer.shardPatienceMs, signal,
      late: ({ peer }) => witness.saw({ peer, verdict: "late", act: "read" }),
      impatience: {
        afterMs: (holding) => this.patienceMs(record, holding, shardBytes),
        mayAsk: () => budget.spend(shardBytes),
      },
      found: ({ index, peer }, bytes) => { if (index < k) found(index, bytes, peer); },
    }, (holding, until, begun) => {
      const how = { signal: until, urgency: "ahead", begun, into: room() } as const;
      return this.range(record, holding, whole, how);
    });
    const all = new Map([...pieces].map(([{ index }, bytes]) => [index, bytes]));
    const wanted = Array.from({ length: k }, (_, index) => index).filter((at) => !all.has(at));
    const made = this.rebuild(record, wanted, all);
    for (const [at, index] of wanted.entries()) found(index, made[at] as Uint8Array, undefined);
    for (const [index, bytes] of all) if (index >= k) spare(bytes);
  }
}

export interface RebuildOptions {
  readonly signal: AbortSignal;
  readonly urgency: Urgency;
  /** Shards that are at hand, checked, and need not be read. */
  readonly have?: ReadonlyMap<number, Uint8Array>;
}

export interface DataShardsOptions {
  readonly signal: AbortSignal;
  /** Room for a shard, and for nothing else until its bytes were told of. */
  readonly room: () => Buffer;
  /** Which holder gave it; undefined for one that was made of others. */
  readonly found: (index: number, bytes: Uint8Array, from: PeerId | undefined) => void;
  /** Bytes that did their part, and that nobody else was told of. */
  readonly spare: (bytes: Uint8Array) => void;
}

/** The id before this one, to ask a page of records that begins with it. */
export function idBefore(segment: SegmentId): SegmentId | undefined {
  const number = BigInt(`0x${segment}`);
  if (number === 0n) return undefined;
  return parseSegmentId((number - 1n).toString(16).padStart(64, "0"));
}
