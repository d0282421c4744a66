/**
 * How much of each segment is still referred to, once the catalog has forgotten the rest; and which
 * segments are worth packing anew. The plan is pure.
 */
import type { CidFilter } from "../../base/cid-filter.ts";
import type { Cid, SegmentId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { SegmentState } from "../books.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Clearing } from "./clearing.ts";

/** What the blocks of each segment that are still referred to take, in bytes. */
export type Occupancy = ReadonlyMap<SegmentId, number>;

export interface Forgotten {
  readonly blocks: number;
  readonly occupancy: Occupancy;
}

/**
 * Forgets every block that is neither in the census nor placed since, nor one of the catalog's own.
 * No upload may be under way: it could count on a place that is just being forgotten.
 */
export async function forgetDead(
  catalog: Catalog, living: CidFilter, clearing: Pick<Clearing, "mark">,
): Promise<Forgotten> {
  const pages = await catalog.pages();
  const occupancy = new Map<SegmentId, number>();
  let blocks = 0;
  let dead: Cid[] = [];
  const holed = new Set<SegmentId>();
  for await (const { cid, segment, lengthBytes } of catalog.entries()) {
    const isNeeded = living.has(cid) || catalog.since.has(cid) || pages.has(cid)
      || await catalog.page(cid) !== undefined;
    if (isNeeded) occupancy.set(segment, (occupancy.get(segment) ?? 0) + lengthBytes);
    else {
      dead.push(cid);
      holed.add(segment);
    }
    if (dead.length < limits.reclaim.forgottenPerBatch) continue;
    blocks += dead.length;
    await clearing.mark(holed);
    await catalog.forget(dead);
    dead = [];
  }
  await clearing.mark(holed);
  await catalog.forget(dead);
  return { blocks: blocks + dead.length, occupancy };
}

/** A segment that is placed, and what of it is in use. */
export interface Occupied {
  readonly state: SegmentState;
  readonly usedBytes: number;
}

export function occupiedBy(
  states: readonly SegmentState[], occupancy: Occupancy,
): readonly Occupied[] {
  return states.map((state) => ({ state, usedBytes: occupancy.get(state.segment) ?? 0 }));
}

/**
 * Those to pack anew together, of one group; each batch makes one full segment or less. What has to
 * go comes first, and goes however full it is.
 */
export function planRepacking(
  segments: readonly Occupied[], hasToGo: (segment: SegmentId) => boolean = () => false,
): readonly (readonly SegmentId[])[] {
  const used = segments.filter(({ usedBytes }) => usedBytes > 0);
  const [must, may] = [true, false].map((isWanted) => {
    return used.filter(({ state }) => hasToGo(state.segment) === isWanted);
  }) as [Occupied[], Occupied[]];
  const { sparseShare } = limits.reclaim;
  const sparse = may.filter((one) => one.usedBytes < sparseShare * roomOf(one));
  return [...batched(must), ...batched(sparse).filter(isWorthIt)].map((batch) => {
    return batch.map(({ state }) => state.segment);
  });
}

function batched(segments: readonly Occupied[]): readonly (readonly Occupied[])[] {
  const { repackedAtOnce } = limits.reclaim;
  const batches: Occupied[][] = [];
  for (const one of segments.toSorted((a, b) => a.usedBytes - b.usedBytes)) {
    const open = batches.at(-1);
    const isFull = open === undefined || open.length === repackedAtOnce
      || usedBy(open) + one.usedBytes > fullBytes(one.state.k);
    if (isFull) batches.push([one]);
    else open.push(one);
  }
  return batches;
}

function isWorthIt(batch: readonly Occupied[]): boolean {
  const before = batch.reduce((sum, one) => sum + roomOf(one), 0);
  const after = roomFor(usedBy(batch), (batch[0] as Occupied).state.k);
  return before - after >= limits.reclaim.savedShareMin * before;
}

function roomOf({ state: { k, shardBytes } }: Occupied): number {
  return k * shardBytes;
}

/** The smallest segment that holds them. */
function roomFor(bytes: number, k: number): number {
  const ladder = limits.segment.shardBytes;
  const fitting = ladder.find((shardBytes) => packedShare * k * shardBytes >= bytes);
  return k * (fitting ?? (ladder.at(-1) as number));
}

function usedBy(batch: readonly Occupied[]): number {
  return batch.reduce((sum, { usedBytes }) => sum + usedBytes, 0);
}

function fullBytes(k: number): number {
  return packedShare * k * (limits.segment.shardBytes.at(-1) as number);
}

/** Four chunks of 256 KiB do not fit a shard of a MiB: three do, and small blocks beside them. */
const packedShare = 0.75;
