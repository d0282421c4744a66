/**
 * Sums and ways back made again from the entries themselves: for books of which a bad disk has
 * taken some away, so that what is left does not agree. It believes the places of shards, each of
 * which says whose it is; it never looks at a shard, and drops none.
 */
import type { KeyChange } from "../base/blocks.ts";
import type { OwnerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { parseShare } from "../crypt/records/share-records.ts";
import { type Totals, noTotals, putGrouped, putPlace, putTotals } from "./book-entries.ts";
import type { Books } from "./books.ts";

/** Of every owner of whom anything is here; on stable storage when it resolves. */
export async function recountAll(books: Books): Promise<void> {
  const owners = await restoreWaysBack(books);
  await restoreGroupings(books);
  for (const owner of (await books.owners()).keys()) owners.add(owner);
  for await (const owner of books.ownersOfManifests()) owners.add(owner);
  for (const owner of owners) {
    const totals = await countOf(books, owner, (other) => owners.has(other));
    await books.batch([putTotals(owner, totals)]);
  }
}

/** From each owner to all of his shards; answers whose there are. */
export async function restoreWaysBack(books: Books): Promise<Set<OwnerId>> {
  const owners = new Set<OwnerId>();
  await putAll(books, books.allPlaces(), (place) => {
    owners.add(place.owner);
    return putPlace(place);
  });
  return owners;
}

/** From each group to its segments. Older books have no such way at all. */
export function restoreGroupings(books: Books): Promise<void> {
  return putAll(books, books.allSegments(), (named) => [putGrouped(named)]);
}

async function putAll<T>(
  books: Books, found: AsyncIterable<T>, put: (one: T) => readonly KeyChange[],
): Promise<void> {
  let changes: KeyChange[] = [];
  for await (const one of found) {
    changes.push(...put(one));
    if (changes.length < limits.cache.batchChangesMax) continue;
    await books.batch(changes);
    changes = [];
  }
  await books.batch(changes);
}

/** `pays` says who pays for what he shares himself; for other guests the folder's owner does. */
export async function countOf(
  books: Books, owner: OwnerId, pays: (owner: OwnerId) => boolean,
): Promise<Totals> {
  let { shards, segments, groups, bytes } = noTotals;
  for await (const { shardBytes } of books.placesOf(owner)) {
    shards++;
    bytes += shardBytes;
  }
  for await (const record of books.records(owner, undefined)) {
    segments++;
    bytes += record.bytes.length;
  }
  for (const group of await books.groups(owner)) {
    groups++;
    bytes += await books.groupBytes(owner, group);
  }
  for (const head of await books.heads(owner)) bytes += head.bytes.length;
  return { shards, segments, groups, bytes: bytes + await shareBytes(books, owner, pays) };
}

async function shareBytes(
  books: Books, owner: OwnerId, pays: (owner: OwnerId) => boolean,
): Promise<number> {
  let bytes = 0;
  for (const record of await books.shares(owner)) {
    bytes += record.length;
    const { share, writers } = parseShare(record);
    for (const { writer } of writers.filter((one) => !pays(one.writer))) {
      bytes += (await books.share(writer, share))?.length ?? 0;
    }
  }
  return bytes;
}
