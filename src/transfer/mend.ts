/**
 * Brings one shard of a placed segment to the member who should have it: from the holder whose
 * seat was given away if it still answers, else out of k others. It checks the shard against the
 * signed root before it leaves, and never decides which shard needs it.
 */
import { HiveError, isFault } from "../base/errors.ts";
import type { PeerId, SegmentId } from "../base/ids.ts";
import { type Log, describe } from "../base/log.ts";
import type { Manifest, SegmentRecord } from "../base/records.ts";
import { memberOfShard } from "../placement/seats.ts";
import type { SegmentBooks } from "./books.ts";
import type { Groups } from "./groups.ts";
import type { Placer } from "./place.ts";
import type { Records } from "./records.ts";
import type { ShardReader } from "./shards.ts";
import type { Surplus } from "./surplus.ts";
import type { Witness } from "./witness.ts";

export interface MendNeeds {
  readonly log: Log;
  readonly segments: SegmentBooks;
  readonly groups: Groups;
  readonly records: Records;
  readonly reader: ShardReader;
  readonly placer: Placer;
  readonly witness: Witness;
  readonly surplus: Surplus;
}

/** Nobody waits for it. */
const urgency = "background";

/** True when the member of the newest manifest has taken its shard. */
export async function mendShard(
  needs: MendNeeds,
  shard: { readonly segment: SegmentId; readonly index: number },
  signal: AbortSignal,
): Promise<boolean> {
  const state = needs.segments.get(shard.segment);
  const manifest = state === undefined ? undefined : needs.groups.get(state.group);
  if (state === undefined || manifest === undefined) return false;
  const record = await needs.records.get(state, signal);
  const bytes = await shardBytes(needs, record, shard.index, signal);
  return placeShard(needs, { record, manifest, index: shard.index, bytes }, signal);
}

async function placeShard(
  needs: MendNeeds,
  parcel: {
    readonly record: SegmentRecord; readonly manifest: Manifest;
    readonly index: number; readonly bytes: Uint8Array;
  },
  signal: AbortSignal,
): Promise<boolean> {
  const { record, manifest, index, bytes } = parcel;
  const taken = await needs.placer.place(record, manifest, [{ index, bytes }], {
    haste: false, signal,
  });
  const peer = taken.get(index);
  if (peer === undefined) return false;
  await moveHolder(needs, { segment: record.segment, index, peer });
  return true;
}

/** Whoever had it has it for nothing now, but not before another has acknowledged or proven it. */
export async function moveHolder(
  needs: Pick<MendNeeds, "segments" | "surplus">,
  { segment, index, peer }: {
    readonly segment: SegmentId; readonly index: number; readonly peer: PeerId;
  },
): Promise<void> {
  await needs.segments.update(segment, ({ holders }) => {
    return { holders: holders.with(index, peer) };
  }, ({ holders: { [index]: before } }) => {
    const isMoved = before !== undefined && before !== peer;
    return isMoved ? [needs.surplus.changeFor({ peer: before, segment, index })] : [];
  });
}

/** A move costs one shard of traffic, a rebuilding k. */
async function shardBytes(
  needs: MendNeeds, record: SegmentRecord, index: number, signal: AbortSignal,
): Promise<Uint8Array> {
  const source = needs.reader.holding(record, index);
  const manifest = needs.groups.get(record.group);
  const moved = source !== undefined && manifest !== undefined
    && source.peer !== memberOfShard(record, index, manifest);
  if (moved && !needs.witness.doubts(source.peer)) {
    try {
      return await needs.reader.wholeShard(record, source, { signal, urgency });
    } catch (error) {
      if (!isFault(error)) throw error;
      needs.log.debug("transfer.mend.rebuild", { peer: source.peer, why: describe(error) });
    }
  }
  signal.throwIfAborted();
  // To pass one on is not to make it: only that is what `repair` in a policy means.
  const isAllowed = manifest === undefined || needs.groups.law.mayHere("repair", manifest);
  if (!isAllowed) throw new HiveError("Denied", "transfer.repair", record.group);
  return needs.reader.rebuiltShard(record, index, { signal, urgency });
}

/** A shard that this holder says it has not, or answers wrongly for, counts as held no more. */
export async function dropShard(
  needs: { readonly segments: SegmentBooks },
  shard: { readonly segment: SegmentId; readonly index: number; readonly holder: PeerId },
): Promise<void> {
  await needs.segments.update(shard.segment, ({ holders }) => {
    const same = holders[shard.index] === shard.holder;
    return same ? { holders: holders.with(shard.index, undefined) } : {};
  });
}
