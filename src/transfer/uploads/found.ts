/**
 * Which members of a group have their shards of a half-placed segment already. Whoever was stopped
 * or killed half-way wrote down no more than that the segment was begun; a few KiB from each member
 * tell what must not be sent again. It believes a member no more than a receipt is believed: proofs
 * come later.
 */
import { asBuffer } from "../../base/bytes.ts";
import { isFault } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { PeerNetwork } from "../../base/network.ts";
import type { Random } from "../../base/random.ts";
import type { SegmentRecord } from "../../base/records.ts";
import { memberOfShard } from "../../placement/draws/seats.ts";
import type { HalfPlaced, SegmentState } from "../books.ts";
import type { Groups } from "../groups/groups.ts";

export interface FoundNeeds {
  readonly network: PeerNetwork;
  readonly random: Random;
  readonly log: Log;
  readonly groups: Pick<Groups, "get">;
}

/** The state with every member that shows some of its shard's bytes among the holders. */
export async function withFound(
  needs: FoundNeeds, { state, record }: HalfPlaced,
  { shards, signal }: { readonly shards: readonly Uint8Array[]; readonly signal: AbortSignal },
): Promise<SegmentState> {
  const manifest = needs.groups.get(record.group);
  if (manifest === undefined) return state;
  const known = needs.network.peers().filter(({ online }) => online);
  const online = new Set(known.map(({ offer }) => offer.peer));
  const holders = await Promise.all(state.holders.map(async (holder, index) => {
    const member = memberOfShard(record, index, manifest);
    const shard = shards[index];
    if (holder === member || shard === undefined || !online.has(member)) return holder;
    return await hasSome(needs, { record, index, member, shard }, signal) ? member : holder;
  }));
  return { ...state, holders };
}

/** A leaf, drawn at random: nobody who has not the shard could know which. */
async function hasSome(
  { network, random, log }: FoundNeeds,
  { record, index, member, shard }: {
    readonly record: SegmentRecord; readonly index: number;
    readonly member: PeerId; readonly shard: Uint8Array;
  },
  signal: AbortSignal,
): Promise<boolean> {
  const root = record.roots[index];
  if (root === undefined) return false;
  const { leafBytes } = limits.segment;
  const offsetBytes = leafBytes * random.below(Math.max(1, Math.floor(shard.length / leafBytes)));
  const lengthBytes = Math.min(leafBytes, shard.length - offsetBytes);
  try {
    const bytes = await network.read(member, root, { offsetBytes, lengthBytes }, { signal });
    return asBuffer(shard).subarray(offsetBytes, offsetBytes + lengthBytes).equals(bytes);
  } catch (error) {
    signal.throwIfAborted();
    if (!isFault(error)) throw error;
    log.debug("transfer.found.none", { peer: member, why: describe(error) });
    return false;
  }
}
