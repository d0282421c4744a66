/**
 * What the vault writes down, as keys and values of a KeyValue. Each change is a list of
 * KeyChanges for one atomic batch, the owner's totals among them: the sums survive any crash.
 *
 *   place/SHARD/SEGMENT/INDEX   where a shard belongs    held/OWNER/SEGMENT/INDEX   the way back
 *   record/OWNER/SEGMENT        group, signed record     manifest/OWNER/GROUP, head/OWNER/PEER
 *   owner/OWNER                 totals                   gone/SEGMENT               when released
 *   via/OWNER                   who brought the owner here
 *   share/OWNER/SHARE           the newest record of a folder that the owner shares
 *   log/OWNER/GROUP, policy/OWNER/GROUP, ballot/OWNER/GROUP     see group-words.ts
 */
import type { KeyChange, KeyValue } from "../base/blocks.ts";
import { Reader, Writer } from "../base/bytes.ts";
import type { GroupId, OwnerId, PeerId, SegmentId, ShardId, ShareId } from "../base/ids.ts";
import { bytesOfId, parseGroupId, parseOwnerId, parseSegmentId } from "../base/ids.ts";
import { parsePeerId, parseShardId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Head } from "../base/records.ts";
import { parseHead } from "../crypt/records.ts";

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

export class Books {
  readonly #store: KeyValue;

  constructor(store: KeyValue) {
    this.#store = store;
  }

  batch(changes: readonly KeyChange[]): Promise<void> {
    return this.#store.batch(changes);
  }

  async owners(): Promise<Map<OwnerId, Totals>> {
    const owners = new Map<OwnerId, Totals>();
    for await (const [key, value] of this.#store.list("owner/")) {
      owners.set(parseOwnerId(part(key, 1)), readTotals(value));
    }
    return owners;
  }

  async introductions(): Promise<Map<OwnerId, Introduction>> {
    const found = new Map<OwnerId, Introduction>();
    for await (const [key, value] of this.#store.list("via/")) {
      found.set(parseOwnerId(part(key, 1)), readIntroduction(value));
    }
    return found;
  }

  async places(shard: ShardId): Promise<readonly Place[]> {
    const found: Place[] = [];
    for await (const [key, value] of this.#store.list(`place/${shard}/`)) {
      found.push(readPlace(key, value));
    }
    return found;
  }

  async *allPlaces(): AsyncGenerator<Place> {
    for await (const [key, value] of this.#store.list("place/")) yield readPlace(key, value);
  }

  /** The places of the first shards after `after` whose id starts with the folder's name. */
  async placesIn(
    folder: string, after: ShardId | undefined, shardsMax: number,
  ): Promise<ReadonlyMap<ShardId, readonly Place[]>> {
    const found = new Map<ShardId, Place[]>();
    // "0" follows "/", so this is past every place of that shard.
    const options = after === undefined ? {} : { after: `place/${after}0` };
    for await (const [key, value] of this.#store.list(`place/${folder}`, options)) {
      const place = readPlace(key, value);
      if (after !== undefined && place.shard <= after) continue;
      const known = found.get(place.shard);
      if (known === undefined && found.size === shardsMax) break;
      found.set(place.shard, [...(known ?? []), place]);
    }
    return found;
  }

  /** The shards of one segment. */
  async held(owner: OwnerId, segment: SegmentId): Promise<readonly ShardId[]> {
    const shards: ShardId[] = [];
    for await (const [, value] of this.#store.list(`held/${owner}/${segment}/`)) {
      shards.push(readShard(value));
    }
    return shards;
  }

  async record(owner: OwnerId, segment: SegmentId): Promise<StoredRecord | undefined> {
    const value = await this.#store.get(recordKey(owner, segment));
    return value === undefined ? undefined : readRecord(value);
  }

  async *records(
    owner: OwnerId, after: SegmentId | undefined,
  ): AsyncGenerator<StoredRecord> {
    const from = after === undefined ? undefined : recordKey(owner, after);
    const options = from === undefined ? {} : { after: from };
    for await (const [key, value] of this.#store.list(`record/${owner}/`, options)) {
      if (from === undefined || key > from) yield readRecord(value);
    }
  }

  manifest(owner: OwnerId, group: GroupId): Promise<Uint8Array | undefined> {
    return this.#store.get(manifestKey(owner, group));
  }

  word(kind: WordKind, owner: OwnerId, group: GroupId): Promise<Uint8Array | undefined> {
    return this.#store.get(wordKey(kind, owner, group));
  }

  async groups(owner: OwnerId): Promise<readonly GroupId[]> {
    const found: GroupId[] = [];
    for await (const [key] of this.#store.list(`manifest/${owner}/`)) {
      found.push(parseGroupId(part(key, 2)));
      if (found.length === limits.vault.groupsPerOwnerMax) break;
    }
    return found;
  }

  /** The newest of each of the owner's devices; from before there were several, one alone. */
  async heads(owner: OwnerId): Promise<Head[]> {
    const heads: Head[] = [];
    for await (const [, value] of this.#store.list(`head/${owner}`)) heads.push(parseHead(value));
    return heads;
  }

  /** Where the only head stood before there were several: it goes when its device has a newer. */
  async changesFor(head: Head): Promise<readonly KeyChange[]> {
    const key = `head/${head.owner}`;
    const lone = await this.#store.get(key);
    const isOlder = lone !== undefined && parseHead(lone).peer === head.peer;
    return isOlder ? [{ type: "delete", key }, putHead(head)] : [putHead(head)];
  }

  /** Of all of them the one with the highest number. */
  async head(owner: OwnerId): Promise<Uint8Array | undefined> {
    const heads = await this.heads(owner);
    return heads.sort((a, b) => b.sequence - a.sequence)[0]?.bytes;
  }

  /** The records of the folders that the owner shares. */
  async shares(owner: OwnerId): Promise<readonly Uint8Array[]> {
    const found: Uint8Array[] = [];
    for await (const [, value] of this.#store.list(`share/${owner}/`)) found.push(value);
    return found;
  }

  share(owner: OwnerId, share: ShareId): Promise<Uint8Array | undefined> {
    return this.#store.get(shareKey(owner, share));
  }

  async isGone(segment: SegmentId): Promise<boolean> {
    return (await this.#store.get(goneKey(segment))) !== undefined;
  }

  async *gone(folder: string): AsyncGenerator<{ segment: SegmentId; atMs: number }> {
    for await (const [key, value] of this.#store.list(`gone/${folder}`)) {
      yield { segment: parseSegmentId(part(key, 1)), atMs: readTime(value) };
    }
  }

  async value(name: "vault" | "scrub"): Promise<Uint8Array | undefined> {
    return this.#store.get(name);
  }

  put(name: "vault" | "scrub", value: Uint8Array): Promise<void> {
    return this.#store.put(name, value);
  }
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
): KeyChange {
  const value = Buffer.concat([bytesOfId(record.group), record.bytes]);
  return { type: "put", key: recordKey(record.owner, record.segment), value };
}

export function dropRecord(owner: OwnerId, segment: SegmentId): KeyChange {
  return { type: "delete", key: recordKey(owner, segment) };
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

function putHead(head: Head): KeyChange {
  return { type: "put", key: headKey(head), value: head.bytes };
}

export function dropHeads(owner: OwnerId, heads: readonly Head[]): readonly KeyChange[] {
  const keys = [`head/${owner}`, ...heads.map(headKey)];
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

export function putGone(segment: SegmentId, atMs: number): KeyChange {
  return { type: "put", key: goneKey(segment), value: new Writer(8).varint(atMs).finish() };
}

export function dropGone(segment: SegmentId): KeyChange {
  return { type: "delete", key: goneKey(segment) };
}

/** Totals as they shall be; an owner of whom nothing is left leaves the books. */
export function putTotals(owner: OwnerId, totals: Totals): KeyChange {
  const key = `owner/${owner}`;
  if (totals.bytes === 0) return { type: "delete", key };
  const { shards, segments, groups, bytes } = totals;
  const value = new Writer(32).varint(shards).varint(segments).varint(groups).varint(bytes);
  return { type: "put", key, value: value.finish() };
}

export function putIntroduction(owner: OwnerId, by: Introduction): KeyChange {
  const value = new Writer(96).latin1(by.peer).latin1(by.prefix ?? "").u8(by.friend ? 1 : 0);
  return { type: "put", key: `via/${owner}`, value: value.finish() };
}

export function dropIntroduction(owner: OwnerId): KeyChange {
  return { type: "delete", key: `via/${owner}` };
}

function readIntroduction(value: Uint8Array): Introduction {
  const reader = new Reader(value, "vault.via");
  const peer = parsePeerId(reader.latin1());
  const prefix = reader.latin1();
  const friend = reader.u8() === 1;
  reader.end();
  return { peer, prefix: prefix === "" ? undefined : prefix, friend };
}

function readTotals(value: Uint8Array): Totals {
  const reader = new Reader(value, "vault.totals");
  const totals = {
    shards: reader.varint(), segments: reader.varint(),
    groups: reader.varint(), bytes: reader.varint(),
  };
  reader.end();
  return totals;
}

function readPlace(key: string, value: Uint8Array): Place {
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

function readRecord(value: Uint8Array): StoredRecord {
  const reader = new Reader(value, "vault.record");
  return { group: parseGroupId(reader.hex(16)), bytes: reader.raw(reader.restBytes) };
}

function readShard(value: Uint8Array): ShardId {
  const reader = new Reader(value, "vault.held");
  const shard = parseShardId(reader.hex(32));
  reader.end();
  return shard;
}

function readTime(value: Uint8Array): number {
  return new Reader(value, "vault.gone").varint();
}

function part(key: string, at: number): string {
  return key.split("/")[at] ?? "";
}

function placeKey({ shard, segment, index }: Place): string {
  return `place/${shard}/${segment}/${indexText(index)}`;
}

function heldKey({ owner, segment, index }: Place): string {
  return `held/${owner}/${segment}/${indexText(index)}`;
}

function recordKey(owner: OwnerId, segment: SegmentId): string {
  return `record/${owner}/${segment}`;
}

function manifestKey(owner: OwnerId, group: GroupId): string {
  return `manifest/${owner}/${group}`;
}

function wordKey(kind: WordKind, owner: OwnerId, group: GroupId): string {
  return `${kind}/${owner}/${group}`;
}

function headKey({ owner, peer }: Head): string {
  return `head/${owner}/${peer}`;
}

function shareKey(owner: OwnerId, share: ShareId): string {
  return `share/${owner}/${share}`;
}

function goneKey(segment: SegmentId): string {
  return `gone/${segment}`;
}

function indexText(index: number): string {
  return String(index).padStart(3, "0");
}
