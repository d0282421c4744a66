/**
 * The vault's books, looked up: of owners, shards, records, groups and heads. What they are made
 * of, and every change to them, stands in book-entries.ts.
 */
import type { KeyChange, KeyValue } from "../base/blocks.ts";
import { vaultKeys } from "../base/book-keys.ts";
import type { GroupId, OwnerId, SegmentId, ShardId, ShareId } from "../base/ids.ts";
import { parseGroupId, parseOwnerId, parseSegmentId, parseShardId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Head } from "../base/records.ts";
import { parseHead } from "../crypt/records/records.ts";
import type { Grouped, Introduction, Place, StoredRecord, Totals, WordKind }
  from "./book-entries.ts";
import { closedKey, goneKey, groupedPrefix, manifestKey, part, putHead, recordKey, shareKey,
  wentKey, wordKey } from "./book-entries.ts";
import { readClosed, readIntroduction, readPlace, readRecord, readShard, readTime, readTotals }
  from "./book-entries.ts";

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
    for await (const [key, value] of this.#store.list(vaultKeys.owner)) {
      owners.set(parseOwnerId(part(key, 1)), readTotals(value));
    }
    return owners;
  }

  async introductions(): Promise<Map<OwnerId, Introduction>> {
    const found = new Map<OwnerId, Introduction>();
    for await (const [key, value] of this.#store.list(vaultKeys.introduction)) {
      found.set(parseOwnerId(part(key, 1)), readIntroduction(value));
    }
    return found;
  }

  async places(shard: ShardId): Promise<readonly Place[]> {
    const found: Place[] = [];
    for await (const [key, value] of this.#store.list(`${vaultKeys.place}${shard}/`)) {
      found.push(readPlace(key, value));
    }
    return found;
  }

  async *allPlaces(): AsyncGenerator<Place> {
    for await (const [key, value] of this.#store.list(vaultKeys.place)) yield readPlace(key, value);
  }

  /** Those of one owner's shards. */
  async *placesOf(owner: OwnerId): AsyncGenerator<Place> {
    for await (const [key, value] of this.#store.list(`${vaultKeys.held}${owner}/`)) {
      const places = await this.places(readShard(value));
      yield* places.filter(({ segment, index }) => {
        return segment === part(key, 2) && index === Number(part(key, 3));
      });
    }
  }

  /** The places of the first shards after `after` whose id starts with the folder's name. */
  async placesIn(
    folder: string, after: ShardId | undefined, shardsMax: number,
  ): Promise<ReadonlyMap<ShardId, readonly Place[]>> {
    const found = new Map<ShardId, Place[]>();
    // "0" follows "/", so this is past every place of that shard.
    const options = after === undefined ? {} : { after: `${vaultKeys.place}${after}0` };
    for await (const [key, value] of this.#store.list(vaultKeys.place + folder, options)) {
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
    for await (const [, value] of this.#store.list(`${vaultKeys.held}${owner}/${segment}/`)) {
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
    for await (const [key, value] of this.#store.list(`${vaultKeys.record}${owner}/`, options)) {
      if (from === undefined || key > from) yield readRecord(value);
    }
  }

  /** Of one group alone: of others there may be a thousand times as many. */
  async *segmentsOf(
    owner: OwnerId, group: GroupId, after: SegmentId | undefined,
  ): AsyncGenerator<SegmentId> {
    const prefix = groupedPrefix(owner, group);
    const options = after === undefined ? {} : { after: prefix + after };
    for await (const [key] of this.#store.list(prefix, options)) yield parseSegmentId(part(key, 3));
  }

  async *allSegments(): AsyncGenerator<Grouped> {
    for await (const [key, value] of this.#store.list(vaultKeys.record)) {
      const segment = parseSegmentId(part(key, 2));
      yield { owner: parseOwnerId(part(key, 1)), group: readRecord(value).group, segment };
    }
  }

  manifest(owner: OwnerId, group: GroupId): Promise<Uint8Array | undefined> {
    return this.#store.get(manifestKey(owner, group));
  }

  word(kind: WordKind, owner: OwnerId, group: GroupId): Promise<Uint8Array | undefined> {
    return this.#store.get(wordKey(kind, owner, group));
  }

  /** Of what is kept of a group and counts: a ballot does not. */
  async groupBytes(owner: OwnerId, group: GroupId): Promise<number> {
    const words = (["log", "policy"] as const).map((kind) => this.word(kind, owner, group));
    const kept = [this.manifest(owner, group), ...words];
    return (await Promise.all(kept)).reduce((sum, bytes) => sum + (bytes?.length ?? 0), 0);
  }

  async *ownersOfManifests(): AsyncGenerator<OwnerId> {
    for await (const [key] of this.#store.list(vaultKeys.manifest)) {
      yield parseOwnerId(part(key, 1));
    }
  }

  async groups(owner: OwnerId): Promise<readonly GroupId[]> {
    const found: GroupId[] = [];
    for await (const [key] of this.#store.list(`${vaultKeys.manifest}${owner}/`)) {
      found.push(parseGroupId(part(key, 2)));
      if (found.length === limits.vault.groupsPerOwnerMax) break;
    }
    return found;
  }

  /** The newest of each of the owner's devices; from before there were several, one alone. */
  async heads(owner: OwnerId): Promise<Head[]> {
    const heads: Head[] = [];
    for await (const [, value] of this.#store.list(vaultKeys.head + owner)) {
      heads.push(parseHead(value));
    }
    return heads;
  }

  /** Where the only head stood before there were several: it goes when its device has a newer. */
  async changesFor(head: Head): Promise<readonly KeyChange[]> {
    const key = vaultKeys.head + head.owner;
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
    for await (const [, value] of this.#store.list(`${vaultKeys.share}${owner}/`)) {
      found.push(value);
    }
    return found;
  }

  share(owner: OwnerId, share: ShareId): Promise<Uint8Array | undefined> {
    return this.#store.get(shareKey(owner, share));
  }

  /** Up to which number the owner's records went that named nobody; 0 where none did. */
  async closedUpTo(owner: OwnerId): Promise<number> {
    const value = await this.#store.get(closedKey(owner));
    return value === undefined ? 0 : readClosed(value);
  }

  async isGone(segment: SegmentId): Promise<boolean> {
    return (await this.#store.get(goneKey(segment))) !== undefined;
  }

  async *gone(folder: string): AsyncGenerator<{ segment: SegmentId; atMs: number }> {
    for await (const [key, value] of this.#store.list(vaultKeys.released + folder)) {
      yield { segment: parseSegmentId(part(key, 1)), atMs: readTime(value) };
    }
  }

  async hasWent(shard: ShardId): Promise<boolean> {
    return (await this.#store.get(wentKey(shard))) !== undefined;
  }

  async *went(folder: string): AsyncGenerator<{ shard: ShardId; atMs: number }> {
    for await (const [key, value] of this.#store.list(vaultKeys.letGo + folder)) {
      yield { shard: parseShardId(part(key, 1)), atMs: readTime(value) };
    }
  }

  async value(name: "vault" | "scrub"): Promise<Uint8Array | undefined> {
    return this.#store.get(vaultKeys[name]);
  }

  put(name: "vault" | "scrub", value: Uint8Array): Promise<void> {
    return this.#store.put(vaultKeys[name], value);
  }
}

/** So many at most, and nothing behind them is read. */
export async function firstOf<T>(found: AsyncIterable<T>, most: number): Promise<readonly T[]> {
  const first: T[] = [];
  for await (const one of found) {
    if (first.length >= most) break;
    first.push(one);
  }
  return first;
}
