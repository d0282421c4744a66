/**
 * What can be worked out with a pencil, for the simulator to be held against. Peers live for an
 * exponential time, independently; a segment that is down to r living shards is brought back to n.
 */
import type { ErasureClass } from "../../src/base/records.ts";

export const dayMs = 24 * 3_600_000;
export const monthDays = 30;
export const yearDays = 365;

/**
 * Bytes moved by repair in a month for a byte of the user. From n living shards to r it takes
 * life x (1/n + ... + 1/(r + 1)); then k shards are read and n - r written, of which k are as much
 * as the user has.
 */
export function repairShare({ k, n, r }: ErasureClass, lifeDays: number): number {
  const batch = (k + n - r) / k;
  return (batch * monthDays) / (lifeDays * fallTime(n, r));
}

/** The same if each lost shard is rebuilt by itself, at once: k read and one written for each. */
export function eagerShare({ k, n }: ErasureClass, lifeDays: number): number {
  return ((n / k) * (k + 1) * monthDays) / lifeDays;
}

/** From n to r living shards, in lives. */
function fallTime(n: number, r: number): number {
  let lives = 0;
  for (let living = n; living > r; living--) lives += 1 / living;
  return lives;
}

/**
 * Segments lost in a year, of one that is replaced by a full one when it is lost: a Markov chain of
 * its living shards. At r or below it is mended after an exponential time.
 *
 * From r on down each step is a race between a death and the mending; all terms are sums of
 * positive ones, so that nothing cancels, however small it is.
 */
export function lossesAYear(
  { k, n, r }: ErasureClass, { lifeDays, repairDays }: {
    readonly lifeDays: number; readonly repairDays: number;
  },
): number {
  const death = 1 / lifeDays;
  const mend = 1 / repairDays;
  let lost = 1;
  for (let living = r; living >= k; living--) {
    lost *= (living * death) / (living * death + mend);
  }
  const cycleDays = lifeDays * fallTime(n, r) + waitDays({ k, r }, { death, mend });
  return (yearDays * lost) / cycleDays;
}

/** At r or below, until it is mended or lost. */
function waitDays(
  { k, r }: Pick<ErasureClass, "k" | "r">,
  { death, mend }: { readonly death: number; readonly mend: number },
): number {
  let [days, reached] = [0, 1];
  for (let living = r; living >= k; living--) {
    const leave = living * death + mend;
    days += reached / leave;
    reached *= (living * death) / leave;
  }
  return days;
}

/** How often a group is seen with so many living members, from r + 1 to n; repair takes no time. */
export function usualLiving({ n, r }: ErasureClass): ReadonlyMap<number, number> {
  const whole = fallTime(n, r);
  const counts = Array.from({ length: n - r }, (_, at) => r + 1 + at);
  return new Map(counts.map((living) => [living, 1 / living / whole]));
}

/** Whoever loses this share of all peers at once has fewer than k shards left, for one segment. */
export function lossAtOnce(erasureClass: ErasureClass, share: number): number {
  let chance = 0;
  for (const [living, weight] of usualLiving(erasureClass)) {
    chance += weight * atMost(erasureClass.k - 1, living, 1 - share);
  }
  return chance;
}

/**
 * Of the shards of those who are away at once, the part in segments that have `thin` or fewer left:
 * these are made anew within half a day, whether or not anybody comes back.
 */
export function thinAtOnce(
  erasureClass: ErasureClass, { share, thin }: { readonly share: number; readonly thin: number },
): number {
  let [away, awayOfThin] = [0, 0];
  for (const [living, weight] of usualLiving(erasureClass)) {
    away += weight * living * share;
    // One of them is away; of the others so many are left.
    awayOfThin += weight * living * share * atMost(thin, living - 1, 1 - share);
  }
  return awayOfThin / away;
}

/** The chance of `most` or fewer of `count`, each with the chance `each`. */
function atMost(most: number, count: number, each: number): number {
  let [sum, term] = [0, (1 - each) ** count];
  for (let hits = 0; hits <= most; hits++) {
    sum += term;
    term *= ((count - hits) / (hits + 1)) * (each / (1 - each));
  }
  return sum;
}
