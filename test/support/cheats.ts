/**
 * Cheats, played one seed at a time over the product's own rooms: how each is told in the table, by
 * when it is to be found and how surely, and what came of it. `test/bench/cheats.ts` plays a
 * hundred seeds and prints the table; `test/unit/cheats.test.ts` a few.
 */
export interface Cheat {
  readonly name: string;
  /** By what it is found, in a few words. */
  readonly by: string;
  /** It is to be found within so many hours, 0 for at once, ... */
  readonly withinHours: number;
  /** ... with this probability at least. */
  readonly atLeast: number;
  play(seed: string): Promise<Played>;
}

export interface Played {
  /** When it was found; undefined where it was not in time. */
  readonly foundHours: number | undefined;
  /** Honest peers that were taken for cheats or for dead. */
  readonly condemned: number;
}

export interface Tally {
  readonly cheat: Cheat;
  readonly seeds: number;
  readonly found: number;
  readonly condemned: number;
  readonly latestHours: number;
}

export async function playAll(cheat: Cheat, seeds: readonly string[]): Promise<Tally> {
  let [found, condemned, latestHours] = [0, 0, 0];
  for (const seed of seeds) {
    const played = await cheat.play(seed);
    condemned += played.condemned;
    if (played.foundHours === undefined) continue;
    latestHours = Math.max(latestHours, played.foundHours);
    if (played.foundHours <= cheat.withinHours) found++;
  }
  return { cheat, seeds: seeds.length, found, condemned, latestHours };
}

/** Whether as few finds, or fewer, happen to one such series in a thousand at least. */
export function isAsStated({ cheat: { atLeast }, seeds, found, condemned }: Tally): boolean {
  return condemned === 0 && chanceOfMisses(1 - atLeast, { seeds, least: seeds - found }) >= 0.001;
}

/** Of so many misses or more. No bell curve: of a few seeds that rarely miss, one may well. */
function chanceOfMisses(
  miss: number, { seeds, least }: { readonly seeds: number; readonly least: number },
): number {
  let [sum, ways] = [0, 1];
  for (let misses = 0; misses <= seeds; misses++) {
    if (misses >= least) sum += ways * miss ** misses * (1 - miss) ** (seeds - misses);
    ways *= (seeds - misses) / (misses + 1);
  }
  return sum;
}

export function rowOf({ cheat, seeds, found, condemned, latestHours }: Tally): readonly string[] {
  const { name, by, withinHours, atLeast } = cheat;
  return [name, by, String(withinHours), atLeast.toFixed(4), `${found} of ${seeds}`,
    String(latestHours), String(condemned)];
}
