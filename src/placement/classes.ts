/**
 * Which erasure class a drive can afford, by how many households there are to hold its shards.
 * Pure; it never looks at who they are (group.ts does).
 */
import { assert } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { type ErasureClass, erasureClasses } from "../base/records.ts";

/**
 * The class that `auto` never passes: standard costs the least (2.5 bytes for one) and outlives
 * all smaller ones, while wide and vault cost more: they are for a policy to ask for.
 */
const largestByDefault = "standard";

export function classNamed(name: string): ErasureClass | undefined {
  return erasureClasses.find((candidate) => candidate.name === name);
}

/** The largest class whose n shards find a household each; undefined when not even one does. */
export function chooseClass(
  households: number, largest: string = largestByDefault,
): ErasureClass | undefined {
  return classesUpTo(largest).findLast((candidate) => candidate.n <= households);
}

/**
 * The class for the next group, given that of the last one. It moves up only when some households
 * are to spare, so that a peer who comes and goes does not move everything up and down with it.
 */
export function nextClass(
  current: ErasureClass | undefined, households: number, largest: string = largestByDefault,
): ErasureClass | undefined {
  if (current === undefined || households < current.n) return chooseClass(households, largest);
  const higher = classesUpTo(largest).filter(({ n }) => n > current.n);
  return higher.findLast(({ n }) => n + spareOf(n) <= households) ?? current;
}

/** Households beyond n that must be there before moving up. */
export function spareOf(n: number): number {
  return Math.ceil(n * limits.placement.spareShare);
}

/** Losing this many shards at the repair threshold still leaves k: the cap of every domain. */
export function domainCapOf(erasureClass: ErasureClass): number {
  return erasureClass.r - erasureClass.k;
}

function classesUpTo(largest: string): readonly ErasureClass[] {
  const last = erasureClasses.findIndex((candidate) => candidate.name === largest);
  assert(last >= 0, `no erasure class ${largest}`);
  return erasureClasses.slice(0, last + 1);
}
