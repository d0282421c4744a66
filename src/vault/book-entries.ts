/**
 * What the vault writes down, as keys and values of a KeyValue, and how each is written and read.
 * A change is a list of KeyChanges for one atomic batch, the owner's totals among them: the sums
 * survive any crash. Nothing is looked up here: that is books.ts.
 *
 *   place/SHARD/SEGMENT/INDEX   where a shard belongs    held/OWNER/SEGMENT/INDEX   the way back
 *   record/OWNER/SEGMENT        group, signed record     manifest/OWNER/GROUP, head/OWNER/PEER
 *   grouped/OWNER/GROUP/SEGMENT nothing: the record of such a segment is here
 *   owner/OWNER                 totals                   gone/SEGMENT               when released
 *   went/SHARD                  when it was let go of, which its owner may not know
 *   via/OWNER                   who brought the owner here
 *   share/OWNER/SHARE           the newest record of a folder that the owner shares
 *   closed/OWNER                varint: up to which number records of his went that named nobody
 *   log/OWNER/GROUP, policy/OWNER/GROUP, ballot/OWNER/GROUP     see group-words.ts
 */
import type { KeyChange } from "../base/blocks.ts";
import { vaultKeys } from "../base/book-keys.ts";
import { Reader, Writer } from "../base/bytes.ts";
import { bytesOfId, parseGroupId, parseOwnerId, parsePeerId } from "../base/ids.ts";
import { parseSegmentId, parseShardId } from "../base/ids.ts";
import type { GroupId, OwnerId, PeerId, SegmentId, ShardId, ShareId } from "../base/ids.ts";
import type { Head } from "../base/records.ts";

/** One shard of one segment, kept here. */
export interface Place {
  readonly shard: ShardId;
  readonly segment: SegmentId;
  readonly index: number;
  readonly owner: OwnerId;
  readonly group: GroupId;
  readonly shardBytes: number;
  readonly storedAtMs: number;
  /** Since when the manifest gives the seat to another; undefined while it is ours. */
  readonly strayAtMs: number | undefined;
}

/** What one owner takes up here. `bytes` counts shards, records, manifests and the head. */
export interface Totals {
  readonly shards: number;
  readonly segments: number;
  readonly groups: number;
  readonly bytes: number;
}

/** Who brought an owner here: the peer that stored its first shard, and where that one was. */
export interface Introduction {
  readonly peer: PeerId;
  /** Undefined on this very machine: then nobody is a stranger. */
  readonly prefix: string | undefined;
  readonly friend: boolean;
}

/** What is kept of a group beside its manifest. */
export type WordKind = "log" | "policy" | "ballot";

export const noTotals: Totals = { shards: 0, segments: 0, groups: 0, bytes: 0 };

/** A segment, and the group that it is of for good: its name is a hash of that, too. */
export interface Grouped {
  readonly owner: OwnerId;
  readonly group: GroupId;
  readonly segment: SegmentId;
}

export interface StoredRecord {
  readonly group: GroupId;
  readonly bytes: Uint8Array;
}

export function putPlace(place: Place): readonly KeyChange[] {
  const value = new Writer(80)
    .raw(bytesOfId(place.owner)).raw(bytesOfId(place.group))
    .varint(place.shardBytes).varint(place.storedAtMs).varint(place.strayAtMs ?? 0).finish();
  return [
    { type: "put", key: placeKey(place), value },
    { type: "put", key: heldKey(place), value: bytesOfId(place.shard) },
  ];
}

export function dropPlace(place: Place): readonly KeyChange[] {
  return [{ type: "delete", key: placeKey(place) }, { type: "delete", key: heldKey(place) }];
}

export function putRecord(
  record: { owner: OwnerId; group: GroupId; segment: SegmentId; bytes: Uint8Array },
): readonly KeyChange[] {
  const value = Buffer.concat([bytesOfId(record.group), record.bytes]);
  return [{ type: "put", key: recordKey(record.owner, record.segment), value }, putGrouped(record)];
}

export function putGrouped(named: Grouped): KeyChange {
  return { type: "put", key: groupedKey(named), value: Buffer.alloc(0) };
}

export function dropRecord(named: Grouped): readonly KeyChange[] {
  const keys = [recordKey(named.owner, named.segment), groupedKey(named)];
  return keys.map((key) => ({ type: "delete", key }));
}

export function putManifest(
  manifest: { owner: OwnerId; group: GroupId; bytes: Uint8Array },
): KeyChange {
  const key = manifestKey(manifest.owner, manifest.group);
  return { type: "put", key, value: manifest.bytes };
}

export function dropManifest(owner: OwnerId, group: GroupId): KeyChange {
  return { type: "delete", key: manifestKey(owner, group) };
}

export function putWord(
  kind: WordKind, { owner, group }: { owner: OwnerId; group: GroupId }, value: Uint8Array,
): KeyChange {
  return { type: "put", key: wordKey(kind, owner, group), value };
}

export function dropWord(kind: WordKind, owner: OwnerId, group: GroupId): KeyChange {
  return { type: "delete", key: wordKey(kind, owner, group) };
}

export function putHead(head: Head): KeyChange {
  return { type: "put", key: headKey(head), value: head.bytes };
}

export function dropHeads(owner: OwnerId, heads: readonly Head[]): readonly KeyChange[] {
  const keys = [vaultKeys.head + owner, ...heads.map(headKey)];
  return keys.map((key) => ({ type: "delete", key }));
}

export function putShare(
  { owner, share, bytes }: { owner: OwnerId; share: ShareId; bytes: Uint8Array },
): KeyChange {
  return { type: "put", key: shareKey(owner, share), value: bytes };
}

export function dropShare(owner: OwnerId, share: ShareId): KeyChange {
  return { type: "delete", key: shareKey(owner, share) };
}

/** What he shares has a higher number from now on, or is known here. */
export function putClosed(owner: OwnerId, sequence: number): KeyChange {
  const value = new Writer(8).varint(sequence).finish();
  return { type: "put", key: closedKey(owner), value };
}

export function dropClosed(owner: OwnerId): KeyChange {
  return { type: "delete", key: closedKey(owner) };
}

export function putGone(segment: SegmentId, atMs: number): KeyChange {
  return { type: "put", key: goneKey(segment), value: new Writer(8).varint(atMs).finish() };
}

export function dropGone(segment: SegmentId): KeyChange {
  return { type: "delete", key: goneKey(segment) };
}

export function putWent(shard: ShardId, atMs: number): KeyChange {
  return { type: "put", key: wentKey(shard), value: new Writer(8).varint(atMs).finish() };
}

export function dropWent(shard: ShardId): KeyChange {
  return { type: "delete", key: wentKey(shard) };
}

/** Totals as they shall be; an owner of whom nothing is left leaves the books. */
export function putTotals(owner: OwnerId, totals: Totals): KeyChange {
  const key = vaultKeys.owner + owner;
  if (totals.bytes === 0) return { type: "delete", key };
  const { shards, segments, groups, bytes } = totals;
  const value = new Writer(32).varint(shards).varint(segments).varint(groups).varint(bytes);
  return { type: "put", key, value: value.finish() };
}

export function putIntroduction(owner: OwnerId, by: Introduction): KeyChange {
  const value = new Writer(96).latin1(by.peer).latin1(by.prefix ?? "").u8(by.friend ? 1 : 0);
  return { type: "put", key: vaultKeys.introduction + owner, value: value.finish() };
}

export function dropIntroduction(owner: OwnerId): KeyChange {
  return { type: "delete", key: vaultKeys.introduction + owner };
}

export function readIntroduction(value: Uint8Array): Introduction {
  const reader = new Reader(value, "vault.via");
  const peer = parsePeerId(reader.latin1());
  const prefix = reader.latin1();
  const friend = reader.u8() === 1;
  reader.end();
  return { peer, prefix: prefix === "" ? undefined : prefix, friend };
}

export function readTotals(value: Uint8Array): Totals {
  const reader = new Reader(value, "vault.totals");
  const totals = {
    shards: reader.varint(), segments: reader.varint(),
    groups: reader.varint(), bytes: reader.varint(),
  };
  reader.end();
  return totals;
}

export function readPlace(key: string, value: Uint8Array): Place {
  const reader = new Reader(value, "vault.place");
  const place = {
    shard: parseShardId(part(key, 1)), segment: parseSegmentId(part(key, 2)),
    index: Number(part(key, 3)),
    owner: parseOwnerId(reader.hex(32)), group: parseGroupId(reader.hex(16)),
    shardBytes: reader.varint(), storedAtMs: reader.varint(),
  };
  const strayAtMs = reader.varint();
  reader.end();
  return { ...place, strayAtMs: strayAtMs === 0 ? undefined : strayAtMs };
}

export function readRecord(value: Uint8Array): StoredRecord {
  const reader = new Reader(value, "vault.record");
  return { group: parseGroupId(reader.hex(16)), bytes: reader.raw(reader.restBytes) };
}

export function readShard(value: Uint8Array): ShardId {
  const reader = new Reader(value, "vault.held");
  const shard = parseShardId(reader.hex(32));
  reader.end();
  return shard;
}

export function readClosed(value: Uint8Array): number {
  const reader = new Reader(value, "vault.closed");
  const sequence = reader.varint();
  reader.end();
  return sequence;
}

export function readTime(value: Uint8Array): number {
  return new Reader(value, "vault.gone").varint();
}

export function part(key: string, at: number): string {
  return key.split("/")[at] ?? "";
}

function placeKey({ shard, segment, index }: Place): string {
  return `${vaultKeys.place}${shard}/${segment}/${indexText(index)}`;
}

function heldKey({ owner, segment, index }: Place): string {
  return `${vaultKeys.held}${owner}/${segment}/${indexText(index)}`;
}

export function recordKey(owner: OwnerId, segment: SegmentId): string {
  return `${vaultKeys.record}${owner}/${segment}`;
}

/** What follows it is the name of a segment. */
export function groupedPrefix(owner: OwnerId, group: GroupId): string {
  return `${vaultKeys.grouped}${owner}/${group}/`;
}

function groupedKey({ owner, group, segment }: Grouped): string {
  return groupedPrefix(owner, group) + segment;
}

export function manifestKey(owner: OwnerId, group: GroupId): string {
  return `${vaultKeys.manifest}${owner}/${group}`;
}

export function wordKey(kind: WordKind, owner: OwnerId, group: GroupId): string {
  return `${vaultKeys[kind]}${owner}/${group}`;
}

function headKey({ owner, peer }: Head): string {
  return `${vaultKeys.head}${owner}/${peer}`;
}

export function shareKey(owner: OwnerId, share: ShareId): string {
  return `${vaultKeys.share}${owner}/${share}`;
}

export function closedKey(owner: OwnerId): string {
  return vaultKeys.closedShares + owner;
}

export function goneKey(segment: SegmentId): string {
  return vaultKeys.released + segment;
}

export function wentKey(shard: ShardId): string {
  return vaultKeys.letGo + shard;
}

function indexText(index: number): string {
  return String(index).padStart(3, "0");
}
