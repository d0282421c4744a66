/**
 * Brings shards of a placed segment to the members who should have them (bring.ts), as the owner's
 * books know who has what. It checks each against its signed root before it leaves, and never
 * decides which shards need it.
 */
import type { PeerId, SegmentId } from "../../base/ids.ts";
import type { Log } from "../../base/log.ts";
import type { Manifest, SegmentRecord } from "../../base/records.ts";
import { memberOfShard } from "../../placement/draws/seats.ts";
import type { SegmentBooks } from "../books.ts";
import type { Devices } from "../devices/devices.ts";
import type { Groups } from "../groups/groups.ts";
import type { Placer, ShardToPlace } from "../groups/place.ts";
import type { Records } from "../reads/records.ts";
import type { ShardReader } from "../reads/shards.ts";
import { givenBy, madeHere } from "../reads/whole-shards.ts";
import type { Witness } from "../witness.ts";
import { bringHome } from "./bring.ts";
import type { Surplus } from "./surplus.ts";
import { alreadyThere } from "./there.ts";

export interface MendNeeds {
  readonly log: Log;
  readonly segments: SegmentBooks;
  readonly groups: Groups;
  readonly records: Records;
  readonly reader: ShardReader;
  readonly placer: Placer;
  readonly witness: Witness;
  readonly surplus: Surplus;
  /** Others may have brought shards that the books here do not know of. */
  readonly devices: Pick<Devices, "areOthers">;
}

/** What a segment lacks, or has in the wrong place. */
export interface Lacking {
  readonly segment: SegmentId;
  readonly indexes: readonly number[];
}

interface Parcel {
  readonly record: SegmentRecord;
  readonly manifest: Manifest;
}

/** The shards that the members of the newest manifest have taken. */
export async function mendSegment(
  needs: MendNeeds, { segment, indexes }: Lacking, signal: AbortSignal,
): Promise<ReadonlySet<number>> {
  const parcel = await parcelOf(needs, segment, signal);
  if (parcel === undefined) return new Set();
  const { record } = parcel;
  const there = await broughtByOthers(needs, parcel, indexes, signal);
  const left = indexes.filter((index) => !there.has(index));
  if (left.length === 0) return there;
  const brought = await bringHome({ k: record.k, indexes: left }, {
    give: (index) => givenBefore(needs, parcel, index, signal),
    make: (lacking, have) => madeHere(needs, record, lacking, { have, signal }),
    place: (shards) => placeShards(needs, parcel, shards, signal),
  });
  return new Set([...there, ...brought]);
}

/** Which of these shards another device has brought to their members; the books know it then. */
export async function findShards(
  needs: MendNeeds, { segment, indexes }: Lacking, signal: AbortSignal,
): Promise<ReadonlySet<number>> {
  const parcel = await parcelOf(needs, segment, signal);
  if (parcel === undefined) return new Set();
  return await broughtByOthers(needs, parcel, indexes, signal);
}

/** Undefined when the segment, or its group, is given up. */
async function parcelOf(
  needs: MendNeeds, segment: SegmentId, signal: AbortSignal,
): Promise<Parcel | undefined> {
  const state = needs.segments.get(segment);
  const manifest = state === undefined ? undefined : needs.groups.get(state.group);
  if (state === undefined || manifest === undefined) return undefined;
  return { record: await needs.records.get(state, signal), manifest };
}

async function broughtByOthers(
  needs: MendNeeds, parcel: Parcel, indexes: readonly number[], signal: AbortSignal,
): Promise<ReadonlySet<number>> {
  if (!needs.devices.areOthers) return new Set();
  const there = await alreadyThere(needs, parcel, indexes, signal);
  await moveHolders(needs, parcel.record.segment, there);
  return new Set(there.keys());
}

/** From a holder whose seat was given away, if it still answers. */
async function givenBefore(
  needs: MendNeeds, { record, manifest }: Parcel, index: number, signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const source = needs.reader.holding(record, index);
  const isElsewhere = source?.peer !== memberOfShard(record, index, manifest);
  if (source === undefined || !isElsewhere || needs.witness.doubts(source.peer)) return undefined;
  return givenBy(needs, record, source, signal);
}

async function placeShards(
  needs: MendNeeds, { record, manifest }: Parcel, shards: readonly ShardToPlace[],
  signal: AbortSignal,
): Promise<ReadonlySet<number>> {
  const taken = await needs.placer.place(record, manifest, shards, { haste: false, signal });
  await moveHolders(needs, record.segment, taken);
  return new Set(taken.keys());
}

/** Whoever had one has it for nothing now, but not before another has acknowledged or proven it. */
export async function moveHolders(
  needs: Pick<MendNeeds, "segments" | "surplus">,
  segment: SegmentId, taken: ReadonlyMap<number, PeerId>,
): Promise<void> {
  if (taken.size === 0) return;
  await needs.segments.update(segment, ({ holders }) => {
    return { holders: holders.map((holder, index) => taken.get(index) ?? holder) };
  }, ({ holders }) => {
    return [...taken].flatMap(([index, peer]) => {
      const before = holders[index];
      const isMoved = before !== undefined && before !== peer;
      return isMoved ? [needs.surplus.changeFor({ peer: before, segment, index })] : [];
    });
  });
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
