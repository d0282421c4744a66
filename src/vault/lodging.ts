/**
 * Some of what owners have here, each with the words that tell whose seat it is: drawn by chance,
 * for who has to let go of one, or by what has another seat now, for who leaves. It reads the books
 * and changes nothing.
 */
import type { GroupId, OwnerId, PeerId } from "../base/ids.ts";
import { type SegmentId, parseSegmentId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import type { Manifest, SegmentRecord } from "../base/records.ts";
import { parseSegmentRecord } from "../crypt/records/records.ts";
import { type Standing, seatsOf } from "../guard/log.ts";
import { seatOfShard } from "../placement/draws/seats.ts";
import type { Place } from "./book-entries.ts";
import type { Books } from "./books.ts";
import type { Groups } from "./groups.ts";

/** One shard, and what its owner signed of it. */
export interface Lodging {
  readonly place: Place;
  readonly index: number;
  readonly record: SegmentRecord;
  readonly manifest: Manifest;
}

/** One that the log gives to another, though the manifest still gives it to this node. */
export interface PassedOn extends Lodging {
  readonly peer: PeerId;
}

interface Parts {
  readonly books: Books;
  readonly groups: Groups;
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
  { books, groups }: Parts, record: SegmentRecord,
): Promise<readonly Lodging[]> {
  const { owner, segment, group, n } = record;
  const manifest = await groups.manifest(owner, group);
  if (manifest === undefined || manifest.class.n !== n) return [];
  const shards = new Set(await books.held(owner, segment));
  const places = await Promise.all([...shards].map((shard) => books.places(shard)));
  const own = places.flat().filter((place) => place.segment === segment);
  return own.map((place) => ({ place, index: place.index, record, manifest }));
}

/** By the books' places alone: no signature is looked at. */
export async function weightsOf(
  books: Pick<Books, "allPlaces">,
): Promise<ReadonlyMap<GroupId, number>> {
  const weights = new Map<GroupId, number>();
  for await (const { group, shardBytes } of books.allPlaces()) {
    weights.set(group, (weights.get(group) ?? 0) + shardBytes);
  }
  return weights;
}

/** Of a walk through them: the segment behind which it goes on. */
export type Reached = Pick<SegmentRecord, "owner" | "group" | "segment">;

/**
 * Whoever has the seat by the manifest itself is told of by the owner, and released by it. Of other
 * groups nothing is read: an owner may have a million segments here, and this is done at each step.
 */
export async function* passedOn(
  parts: Parts,
  { owners, self, after }: {
    readonly owners: readonly OwnerId[]; readonly self: PeerId;
    readonly after: Reached | undefined;
  },
): AsyncGenerator<PassedOn> {
  const first = after === undefined ? 0 : Math.max(0, owners.indexOf(after.owner));
  for (const owner of owners.slice(first)) {
    const standings = await parts.groups.standings(owner);
    const last = owner === after?.owner ? after : undefined;
    const moved = standings.filter((standing) => {
      return hasMoved(standing, self) && standing.manifest.group >= (last?.group ?? "");
    });
    for (const standing of moved.sort(byGroup)) {
      const from = standing.manifest.group === last?.group ? last.segment : undefined;
      yield* passedOnIn(parts, standing, { self, from });
    }
  }
}

function byGroup({ manifest: one }: Standing, { manifest: other }: Standing): number {
  return one.group < other.group ? -1 : 1;
}

async function* passedOnIn(
  parts: Parts, standing: Standing,
  { self, from }: { readonly self: PeerId; readonly from: SegmentId | undefined },
): AsyncGenerator<PassedOn> {
  const { owner, group } = standing.manifest;
  for await (const segment of parts.books.segmentsOf(owner, group, from)) {
    const kept = await parts.books.record(owner, segment);
    if (kept === undefined) continue;
    yield* ofAnother(parts, standing, { record: parseSegmentRecord(kept.bytes), self });
  }
}

function hasMoved(standing: Standing, self: PeerId): boolean {
  return standing.manifest.peers.includes(self) && !seatsOf(standing).includes(self);
}

async function* ofAnother(
  parts: Parts, standing: Standing,
  { record, self }: { readonly record: SegmentRecord; readonly self: PeerId },
): AsyncGenerator<PassedOn> {
  const seats = seatsOf(standing);
  for (const lodging of await lodgingsOf(parts, record)) {
    const peer = seats[seatOfShard(record, lodging.index)];
    if (peer !== undefined && peer !== self) yield { ...lodging, peer };
  }
}
