/**
 * Some of what one owner has here, drawn by chance, each with the words that tell whose seat it is:
 * for who has to let go of one. It reads the books and changes nothing.
 */
import { type OwnerId, type SegmentId, parseSegmentId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import type { Manifest, SegmentRecord } from "../base/records.ts";
import { parseSegmentRecord } from "../crypt/records.ts";
import type { Books, Place } from "./books.ts";
import type { Keeper } from "./keeper.ts";

/** One shard, and what its owner signed of it. */
export interface Lodging {
  readonly place: Place;
  readonly index: number;
  readonly record: SegmentRecord;
  readonly manifest: Manifest;
}

interface Parts {
  readonly books: Books;
  readonly keeper: Keeper;
}

/** Of segments from a point of chance on, and on from the first. */
export async function sampleOf(
  parts: Parts, owner: OwnerId, random: Random,
): Promise<readonly Lodging[]> {
  const begin = parseSegmentId(random.bytes(32).toString("hex"));
  const found = new Map<SegmentId, readonly Lodging[]>();
  for (const after of [begin, undefined]) {
    for await (const { bytes } of parts.books.records(owner, after)) {
      if (found.size >= limits.ledger.lodgingsSampled) break;
      const record = parseSegmentRecord(bytes);
      found.set(record.segment, await lodgingsOf(parts, record));
    }
  }
  return [...found.values()].flat();
}

/** What is here of one segment; nothing when the newest manifest is of another code. */
async function lodgingsOf(
  { books, keeper }: Parts, record: SegmentRecord,
): Promise<readonly Lodging[]> {
  const { owner, segment, group, n } = record;
  const manifest = await keeper.groups.manifest(owner, group);
  if (manifest === undefined || manifest.class.n !== n) return [];
  const shards = new Set(await books.held(owner, segment));
  const places = await Promise.all([...shards].map((shard) => books.places(shard)));
  const own = places.flat().filter((place) => place.segment === segment);
  return own.map((place) => ({ place, index: place.index, record, manifest }));
}
