/**
 * Reads of shards: from the one holder that has a range, or out of any k others. It is shared by
 * the reading of blocks and the healing of segments, and reports every holder's conduct.
 */
import type { Clock } from "../base/clock.ts";
import { HiveError, isFault } from "../base/errors.ts";
import type { ByteRange } from "../base/filesystem.ts";
import { type PeerId, type SegmentId, parseSegmentId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { PeerNetwork } from "../base/network.ts";
import type { SegmentRecord } from "../base/records.ts";
import { shardIdOf } from "../crypt/merkle.ts";
import type { Coder } from "../erasure/erasure.ts";
import { memberOfShard } from "../placement/seats.ts";
import { type SegmentBooks, isProven } from "./books.ts";
import { gather } from "./gather.ts";
import type { Groups } from "./groups.ts";
import { type Verdict, type Witness, verdictOf } from "./witness.ts";

export interface Holding {
  readonly index: number;
  readonly peer: PeerId;
}

export interface ShardReaderNeeds {
  readonly network: PeerNetwork;
  readonly clock: Clock;
  readonly coder: Coder;
  readonly segments: SegmentBooks;
  readonly groups: Groups;
  readonly witness: Witness;
}

export class ShardReader {
  readonly #needs: ShardReaderNeeds;

  constructor(needs: ShardReaderNeeds) {
    this.#needs = needs;
  }

  /**
   * Who has which shard: by the books; of a segment that they do not know, by the group's manifest.
   * A member that was away when its shard was sent is not asked for what it never had.
   */
  holdings(record: SegmentRecord): Holding[] {
    const manifest = this.#needs.groups.get(record.group);
    const state = this.#needs.segments.get(record.segment);
    const holderOf = (index: number): PeerId | undefined => {
      if (state !== undefined) return state.holders[index];
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
    record: SegmentRecord, holding: Holding, range: ByteRange, signal: AbortSignal,
  ): Promise<Uint8Array> {
    const { network, witness } = this.#needs;
    const { peer, index } = holding;
    const shard = record.roots[index];
    if (shard === undefined) throw new HiveError("Invalid", "transfer.range", `shard ${index}`);
    try {
      const bytes = await network.read(peer, shard, range, { signal });
      if (bytes.length === range.lengthBytes) return bytes;
      throw new HiveError("Corrupt", "transfer.range", `${bytes.length} bytes`);
    } catch (error) {
      const verdict = this.#verdictOf(record, error);
      if (!signal.aborted) witness.saw({ peer, verdict, act: "read" });
      throw error;
    }
  }

  /** Holders are presumed before the first proof: one without the shard has promised nothing. */
  #verdictOf(record: SegmentRecord, error: unknown): Verdict {
    const state = this.#needs.segments.get(record.segment);
    if (isFault(error, "NotFound") && !isProven(state)) return "refused";
    return verdictOf(error, "read");
  }

  /** The same range of shard `index`, out of k other shards; unchecked, as one of them may lie. */
  async rebuiltRange(
    record: SegmentRecord, index: number, range: ByteRange, signal: AbortSignal,
  ): Promise<Uint8Array> {
    const options = { without: index, patienceMs: limits.transfer.rangePatienceMs, signal };
    const pieces = await this.#gather(record, options, (holding, until) => {
      return this.range(record, holding, range, until);
    });
    return this.#rebuild(record, index, pieces);
  }

  /**
   * Shard `index` whole, out of k whole shards that hash to what the owner signed: slower, but no
   * lie passes, and every liar is named.
   */
  async rebuiltShard(
    record: SegmentRecord, index: number, signal: AbortSignal,
  ): Promise<Uint8Array> {
    const options = { without: index, patienceMs: limits.transfer.shardPatienceMs, signal };
    const pieces = await this.#gather(record, options, (holding, until) => {
      return this.wholeShard(record, holding, until);
    });
    const shard = this.#rebuild(record, index, pieces);
    if (shardIdOf(shard) === record.roots[index]) return shard;
    throw new HiveError("Corrupt", "transfer.rebuild", `${record.segment}: not one codeword`);
  }

  /** One shard from its holder, checked against its signed name. */
  async wholeShard(
    record: SegmentRecord, holding: Holding, signal: AbortSignal,
  ): Promise<Uint8Array> {
    const { peer, index } = holding;
    const whole = { offsetBytes: 0, lengthBytes: record.shardBytes };
    const bytes = await this.range(record, holding, whole, signal);
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
      readonly without: number; readonly patienceMs: number; readonly signal: AbortSignal;
    },
    read: (holding: Holding, signal: AbortSignal) => Promise<Uint8Array>,
  ): Promise<ReadonlyMap<number, Uint8Array>> {
    const { without, patienceMs, signal } = options;
    const others = this.holdings(record).filter(({ index }) => index !== without);
    const { hedgeShards } = limits.transfer;
    const asked = {
      sources: this.#needs.witness.inOrder(others), needed: record.k, hedge: hedgeShards,
      patienceMs, signal,
      late: ({ peer }: Holding) => this.#needs.witness.saw({ peer, verdict: "late", act: "read" }),
    };
    const pieces = await gather(this.#needs.clock, asked, read);
    return new Map([...pieces].map(([{ index }, bytes]) => [index, bytes]));
  }

  #rebuild(
    record: SegmentRecord, index: number, pieces: ReadonlyMap<number, Uint8Array>,
  ): Uint8Array {
    const { k, n } = record;
    return this.#needs.coder.rebuild({ k, n }, pieces, [index])[0] as Uint8Array;
  }
}

/** The id before this one, to ask a page of records that begins with it. */
export function idBefore(segment: SegmentId): SegmentId | undefined {
  const number = BigInt(`0x${segment}`);
  if (number === 0n) return undefined;
  return parseSegmentId((number - 1n).toString(16).padStart(64, "0"));
}
