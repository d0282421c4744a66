/**
 * Which erasure class a drive can afford, by how many households there are to hold its shards.
 * Pure; it never looks at who they are (group.ts does).
 */
import { assert } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { type ErasureClass, erasureClasses } from "../../base/records.ts";
import type { Policy } from "../language/policy.ts";

/**
 * The class that `auto` never passes: standard costs the least (2.5 bytes for one) and outlives
 * all smaller ones, while wide and vault cost more: they are for a policy to ask for.
 */
const largestByDefault = "standard";

/**
 * Nines of durability per segment and year, in the model that hive(7) tells of. They compare
 * classes and measure nothing; mirror is outside the model and promises none.
 */
const durabilityNines: Readonly<Record<string, number>> = {
  mirror: 0, tiny: 5.9, small: 8.6, home: 10.5, standard: 13.6, wide: 15.2, vault: 23.5,
};

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

export function durabilityOf({ name }: ErasureClass): number {
  const nines = durabilityNines[name];
  assert(nines !== undefined, `no durability of class ${name}`);
  return nines;
}

/** Nines of being readable right now, if every holder is online this often, on its own. */
export function availabilityOf({ k, n }: ErasureClass, online: number): number {
  let [missed, ways] = [0, 1];
  for (let up = 0; up < k; up++) {
    missed += ways * online ** up * (1 - online) ** (n - up);
    ways *= (n - up) / (up + 1);
  }
  return -Math.log10(missed);
}

/** Whether the class is the one that the policy names, and keeps what it asks for. */
export function isOfPolicy(erasureClass: ErasureClass, policy: Policy): boolean {
  const { durabilityNines: durable = 0, availabilityNines: available = 0 } = policy;
  const isNamed = policy.class === "auto" || policy.class === erasureClass.name;
  if (!isNamed || durabilityOf(erasureClass) < durable) return false;
  return availabilityOf(erasureClass, limits.placement.onlineShareAssumed) >= available;
}

/** The class that `auto` never passes under this policy: a larger one if it asks for so much. */
export function largestFor(policy: Policy): string {
  const least = erasureClasses.find((candidate) => isOfPolicy(candidate, policy));
  const byDefault = erasureClasses.findIndex(({ name }) => name === largestByDefault);
  const isBeyond = least !== undefined && erasureClasses.indexOf(least) > byDefault;
  return isBeyond ? least.name : largestByDefault;
}

/** Losing this many shards at the repair threshold still leaves k: the cap of every domain. */
export function domainCapOf(erasureClass: ErasureClass): number {
  return erasureClass.r - erasureClass.k;
}

/**
 * With so few living shards, or fewer, a segment is mended: with all that it lacks by then, out of
 * one reading of k. Until then it waits, as a lone shard costs k reads, and whoever has it may come
 * back; r is drawn so that waiting costs no nine. Where k is small there is little to save, and who
 * has a dozen friends wants to see it done: there nothing waits.
 */
export function mendedFrom({ k, n, r }: ErasureClass): number {
  return k < limits.placement.patientFrom ? n - 1 : r;
}

/** With so few living shards, or fewer, a death is believed however fresh it is. */
export function thinFrom(erasureClass: ErasureClass): number {
  return Math.min(mendedFrom(erasureClass), erasureClass.k + limits.placement.spareShardsMin);
}

function classesUpTo(largest: string): readonly ErasureClass[] {
  const last = erasureClasses.findIndex((candidate) => candidate.name === largest);
  assert(last >= 0, `no erasure class ${largest}`);
  return erasureClasses.slice(0, last + 1);
}
