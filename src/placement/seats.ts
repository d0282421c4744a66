/**
 * Which group a new segment goes to, and which member keeps which of its shards. Pure: everybody
 * who holds the segment's record and the group's manifest computes the same seat.
 */
import { createHash } from "node:crypto";
import { assert } from "../base/errors.ts";
import type { GroupId, PeerId } from "../base/ids.ts";
import type { Manifest, SegmentRecord } from "../base/records.ts";

/**
 * The group for a new segment, by rendezvous: another group later takes only its own share. The
 * key is a text fixed before the record is signed (a segment's own id covers its group, so it
 * comes too late), such as the id of its first shard. Afterwards the record tells the group.
 */
export function groupOfSegment(key: string, groups: readonly GroupId[]): GroupId {
  const drawn = groups.map((group) => ({ group, straw: strawOfGroup(key, group) }));
  drawn.sort((left, right) => (left.straw < right.straw ? -1 : 1));
  const best = drawn[0];
  assert(best !== undefined, "no group to choose from");
  return best.group;
}

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

function strawOfGroup(key: string, group: GroupId): string {
  return createHash("sha256").update(`hive group 1/${key}/${group}`).digest("hex");
}
