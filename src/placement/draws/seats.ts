/**
 * Which member of a group keeps which shard of a segment. Pure: everybody who holds the segment's
 * record and the group's manifest computes the same seat.
 */
import { assert } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import type { Manifest, SegmentRecord } from "../../base/records.ts";

/** Who keeps shard `index` of the segment. */
export function memberOfShard(
  record: SegmentRecord, index: number, manifest: Manifest,
): PeerId {
  const peer = manifest.peers[seatOfShard(record, index)];
  assert(peer !== undefined, "the manifest has fewer members than the record has shards");
  return peer;
}

/** The member index of a shard. */
export function seatOfShard(record: SegmentRecord, index: number): number {
  assert(Number.isSafeInteger(index) && index >= 0 && index < record.n, `shard ${index}`);
  return (index + record.rotation) % record.n;
}

/** The shard that a member keeps of the segment. */
export function shardOfSeat(record: SegmentRecord, seat: number): number {
  assert(Number.isSafeInteger(seat) && seat >= 0 && seat < record.n, `seat ${seat}`);
  return (seat - (record.rotation % record.n) + record.n) % record.n;
}
