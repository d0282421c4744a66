/**
 * Brings shards to their members, with a bounded number on their way, and answers who took which.
 * It never decides whether that is enough.
 */
import type { Clock } from "../../base/clock.ts";
import { HiveError } from "../../base/errors.ts";
import { Gate } from "../../base/gate.ts";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { PeerNetwork } from "../../base/network.ts";
import type { Manifest, Receipt, SegmentRecord } from "../../base/records.ts";
import { memberOfShard } from "../../placement/draws/seats.ts";
import { type Witness, verdictOf } from "../witness.ts";
import type { Groups } from "./groups.ts";

export interface ShardToPlace {
  readonly index: number;
  readonly bytes: Uint8Array;
  /** Called when its member took it at once: nothing holds the bytes any more. */
  readonly freed?: () => void;
}

export class Placer {
  readonly #network: PeerNetwork;
  readonly #groups: Pick<Groups, "policyText">;
  readonly #log: Log;
  readonly #witness: Witness;
  readonly #gate: Gate;

  constructor(needs: {
    readonly network: PeerNetwork; readonly clock: Clock; readonly log: Log;
    readonly groups: Pick<Groups, "policyText">; readonly witness: Witness;
  }) {
    this.#network = needs.network;
    this.#groups = needs.groups;
    this.#log = needs.log;
    this.#witness = needs.witness;
    const { sendsMax, segmentsPerStepMax } = limits.transfer;
    const queueMax = limits.erasure.shardsMax * segmentsPerStepMax;
    this.#gate = new Gate({ seats: sendsMax, queueMax });
  }

  /**
   * Who took which shard; those who failed are not in the answer. In haste, members who are away
   * or did not answer lately are left out: one silent peer must not slow every segment down.
   */
  async place(
    record: SegmentRecord,
    manifest: Manifest,
    shards: readonly ShardToPlace[],
    options: { readonly haste: boolean; readonly signal: AbortSignal },
  ): Promise<ReadonlyMap<number, PeerId>> {
    const { haste, signal } = options;
    const taken = new Map<number, PeerId>();
    await Promise.all(shards.map(async (shard) => {
      const peer = memberOfShard(record, shard.index, manifest);
      if (haste && this.#witness.isLikelyAway(peer)) return;
      using _seat = await this.#gate.enter(signal);
      if (await this.#send({ record, manifest, peer, shard }, signal)) taken.set(shard.index, peer);
    }));
    return taken;
  }

  async #send(
    parcel: { record: SegmentRecord; manifest: Manifest; peer: PeerId; shard: ShardToPlace },
    signal: AbortSignal,
  ): Promise<boolean> {
    const { peer, record } = parcel;
    for (let attempt = 1; attempt <= limits.transfer.sendTriesMax; attempt++) {
      try {
        await this.#sendOnce(parcel, signal);
        this.#witness.saw({ peer, verdict: "right", act: "store" });
        // Of a try that failed, bytes may still wait in a stream.
        if (attempt === 1) parcel.shard.freed?.();
        return true;
      } catch (error) {
        signal.throwIfAborted();
        const verdict = verdictOf(error, "store");
        this.#witness.saw({ peer, verdict, act: "store" });
        const why = describe(error);
        this.#log.debug("transfer.place.failed", { segment: record.segment, peer, why });
        if (verdict === "refused") return false;
      }
    }
    return false;
  }

  async #sendOnce(
    parcel: { record: SegmentRecord; manifest: Manifest; peer: PeerId; shard: ShardToPlace },
    signal: AbortSignal,
  ): Promise<void> {
    const { record, manifest, peer, shard } = parcel;
    const policy = this.#groups.policyText(manifest);
    const request = { record, manifest, index: shard.index, policy };
    const receipt = await this.#network.store(peer, request, shard.bytes, { signal });
    if (isFor(receipt, parcel)) return;
    throw new HiveError("Corrupt", "transfer.receipt", record.segment);
  }
}

/** The network checked the signature; what it is a receipt for is our own to check. */
function isFor(
  receipt: Receipt, parcel: { record: SegmentRecord; peer: PeerId; shard: ShardToPlace },
): boolean {
  const { record, peer, shard } = parcel;
  if (receipt.holder !== peer || receipt.owner !== record.owner) return false;
  if (receipt.segment !== record.segment || receipt.index !== shard.index) return false;
  return receipt.shard === record.roots[shard.index];
}

/** How many segments of this size may be on their way. */
export function flightsMax(
  { class: { n } }: Manifest, { shardBytes }: { readonly shardBytes: number },
): number {
  const { flightBytesMax, segmentsInFlightMin } = limits.transfer;
  return Math.max(segmentsInFlightMin, Math.floor(flightBytesMax / (n * shardBytes)));
}
