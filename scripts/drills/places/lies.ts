/**
 * What lies about places are worth, tried on round trips that were really measured: every peer of
 * the world, and every country that it could claim, judged by what all honest others measured.
 */
import { join } from "node:path";
import type { RangeStatement } from "../../../src/base/records.ts";
import { openKeyValue } from "../../../src/cache/index/key-value.ts";
import { parseRange } from "../../../src/crypt/records/range.ts";
import { circlesOf } from "../../../src/places/countries.ts";
import { greatCircleKm } from "../../../src/places/geometry.ts";
import { type Voice, verdictOf } from "../../../src/places/verdict.ts";
import { type Dweller, type Plan, townCountries } from "../../../test/support/world-plan.ts";
import { householdsOf, prefixOf } from "../../../test/support/world-truth.ts";

/** No round trip may uphold what is further away than this: hive-policy(5). */
const nearKm = 2000;

export interface Trials {
  readonly statements: number;
  readonly honest: Tally;
  /** Claims of countries that are out of reach, and of those that are not. */
  readonly far: Tally;
  readonly near: Tally;
}

export interface Tally {
  readonly tried: number;
  readonly upheld: number;
  readonly refuted: number;
}

/** From the books of peers that have ended. */
export async function tryLies(plan: Plan, dwellers: readonly Dweller[]): Promise<Trials> {
  const statements = (await Promise.all(dwellers.map((one) => measuredBy(plan, one)))).flat();
  const byTarget = Map.groupBy(statements, ({ target }) => target);
  const honest: Count = { tried: 0, upheld: 0, refuted: 0 };
  const [far, near] = [{ ...honest }, { ...honest }];
  const homes = householdsOf(dwellers);
  for (const dweller of dwellers) {
    const voices = voicesAbout(dweller, { dwellers, homes, of: byTarget.get(dweller.peer) ?? [] });
    count(honest, verdictOf(dweller.country, voices));
    for (const country of townCountries) {
      if (country === dweller.country) continue;
      count(isFar(dweller, country) ? far : near, verdictOf(country, voices));
    }
  }
  return { statements: statements.length, honest, far, near };
}

type Count = { -readonly [Name in keyof Tally]: Tally[Name] };

function count(tally: Count, verdict: ReturnType<typeof verdictOf>): void {
  tally.tried++;
  if (verdict === "upheld") tally.upheld++;
  if (verdict === "refuted") tally.refuted++;
}

/** Those of the honest, who say truly where they are; none of the same home or network. */
function voicesAbout(
  target: Dweller, { dwellers, homes, of }: {
    readonly dwellers: readonly Dweller[]; readonly homes: ReadonlyMap<Dweller, number>;
    readonly of: readonly RangeStatement[];
  },
): readonly Voice[] {
  return of.flatMap(({ verifier, tripUs }): Voice[] => {
    const who = dwellers.find(({ peer }) => peer === verifier);
    if (who === undefined || who.claims !== who.country) return [];
    const isBeside = homes.get(who) === homes.get(target) || prefixOf(who) === prefixOf(target);
    if (isBeside) return [];
    return [{
      household: String(homes.get(who)), prefix: prefixOf(who), country: who.country,
      tripMs: tripUs / 1000, isOwn: false, sinceMs: who.number,
    }];
  });
}

function isFar({ at }: Dweller, country: string): boolean {
  return (circlesOf(country) ?? []).every((circle) => {
    return greatCircleKm(at, circle) - circle.radiusKm > nearKm;
  });
}

/** What a node wrote down of its own measurements. */
async function measuredBy(
  { directory }: Plan, { number, peer }: Dweller,
): Promise<readonly RangeStatement[]> {
  await using books = await openKeyValue(join(directory, `peer-${number}`, "books", "peers"));
  const found: RangeStatement[] = [];
  for await (const [, value] of books.list("range/")) found.push(parseRange(value));
  return found.filter(({ verifier }) => verifier === peer);
}
