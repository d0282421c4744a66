/**
 * Who may keep what in a made-up world, by its plan: a checker that shares no line with the
 * product's judge. It says which rule a set of holders breaks.
 */
import type { Dweller } from "./world-plan.ts";

export type Domain = "household" | "prefix" | "asn" | "country";

/** What a policy comes to, said a second time. */
export interface Rule {
  readonly class: string;
  /** Whether the peer may hold data, with the country as far as it may be believed. */
  may(dweller: Dweller, country: string | undefined): boolean;
  readonly most?: Readonly<Partial<Record<Domain, number>>>;
  readonly least?: Readonly<Partial<Record<Domain, number>>>;
  /** Round trips must have shown it: then only the truth counts. */
  readonly measured?: true;
}

/** k, n and r of each class, as hive(7) prints them. */
export const classes: Readonly<Record<string, readonly [k: number, n: number, r: number]>> = {
  mirror: [1, 3, 2], tiny: [2, 6, 4], small: [4, 12, 8], home: [8, 24, 14], standard: [16, 40, 26],
};

const europe = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK";
export const eu: ReadonlySet<string> = new Set(europe.split(" "));

export function prefixOf({ address }: Dweller): string {
  return address.split(".").slice(0, 3).join(".");
}

/** Machines of one name, or behind one address, are one household. */
export function householdsOf(dwellers: readonly Dweller[]): ReadonlyMap<Dweller, number> {
  const homes = new Map<Dweller, number>(dwellers.map((one) => [one, one.number]));
  for (const one of dwellers) {
    for (const other of dwellers) {
      const isSame = one.household === other.household || one.address === other.address;
      const [from, to] = [homes.get(other) as number, homes.get(one) as number];
      if (!isSame || from === to) continue;
      for (const [who, home] of homes) if (home === from) homes.set(who, to);
    }
  }
  return homes;
}

/**
 * What may be believed of where it is, the likeliest first. Round trips may have shown that an
 * address tells the truth and the peer does not, or that both lie: whether they have yet, and for
 * whom, no plan tells.
 */
export function beliefs(
  { country, claims, shown }: Dweller, { measured }: Pick<Rule, "measured">,
): readonly (string | undefined)[] {
  if (measured === true || (claims === country && shown === country)) return [country];
  if (claims === shown) return [shown, undefined];
  return shown === country ? [undefined, country] : [undefined];
}

/** What these holders of one group break whatever is believed of those who lie, in words. */
export function broken(
  holders: readonly Dweller[], rule: Rule, homes: ReadonlyMap<Dweller, number>,
): readonly string[] {
  const found = readingsOf(holders, rule).map((places) => brokenAt(places, rule, homes));
  return found.reduce((least, one) => (one.length < least.length ? one : least));
}

/** Where each of them is believed to be. */
type Places = ReadonlyMap<Dweller, string | undefined>;

function readingsOf(holders: readonly Dweller[], rule: Rule): readonly Places[] {
  return holders.reduce<readonly Places[]>((readings, one) => {
    return beliefs(one, rule).flatMap((place) => {
      return readings.map((places) => new Map([...places, [one, place]]));
    });
  }, [new Map()]);
}

function brokenAt(
  places: Places, rule: Rule, homes: ReadonlyMap<Dweller, number>,
): readonly string[] {
  const [k, , r] = classes[rule.class] as readonly [number, number, number];
  const holders = [...places.keys()];
  const strangers = holders.filter((one) => !rule.may(one, places.get(one)));
  const nameOf: Readonly<Record<Domain, (one: Dweller) => string | undefined>> = {
    household: (one) => String(homes.get(one)),
    prefix: prefixOf,
    asn: (one) => one.asn?.toString(),
    country: (one) => places.get(one),
  };
  const most = Object.entries({ household: 1, ...rule.most }).flatMap(([domain, wished]) => {
    const counts = countsOf(holders.map(nameOf[domain as Domain]));
    const cap = Math.min(wished, r - k);
    return [...counts].filter(([, count]) => count > cap)
      .map(([name, count]) => `${count} in ${domain} ${name}, where ${cap} may be`);
  });
  const least = Object.entries(rule.least ?? {}).flatMap(([domain, wished]) => {
    const names = countsOf(holders.map(nameOf[domain as Domain]));
    names.delete(undefined);
    return names.size < wished ? [`${names.size} of ${domain}, where ${wished} must be`] : [];
  });
  const outside = strangers.map(({ number, country }) => `peer ${number} (${country}) may not`);
  return [...outside, ...most, ...least];
}

function countsOf(names: readonly (string | undefined)[]): Map<string | undefined, number> {
  const counts = new Map<string | undefined, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
