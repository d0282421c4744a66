/** Random policies, as text and as values, and random peers to try them on. Seeded. */
import { type PeerId, parsePeerId } from "../../src/base/ids.ts";
import type { Random } from "../../src/base/random.ts";
import type { Offer } from "../../src/base/records.ts";
import { type Facts } from "../../src/placement/judging/facts.ts";
import { parsePolicy } from "../../src/placement/language/policy-parse.ts";
import { domainWords, evidenceLevels, roleWords } from "../../src/placement/language/policy-words.ts";
import type { Policy } from "../../src/placement/language/policy.ts";

const GiB = 2 ** 30;
export const nowMs = 1_800_000_000_000;
const countries = ["AT", "BR", "CH", "DE", "FR", "GB", "IS", "JP", "US", "ZA"];
const versions = ["0.1.0", "0.2.0", "0.2.1", "1.0", "1.0.0-odd"];

/**
 * A policy with every kind of clause now and then, or with each of them at once if it is full; the
 * milder, the more peers are let through.
 */
export function randomPolicy(random: Random, { mild = false, full = false } = {}): Policy {
  const times = (most: number, make: () => string): string[] =>
    Array.from({ length: full ? 1 + random.below(most) : random.below(most + 1) }, make);
  const wide = (): string => {
    return mild ? `(${condition(random, 2)} or country in DE)` : condition(random, 3);
  };
  const level = (): string => pick(random, evidenceLevels.slice(0, mild ? 2 : 5));
  const weight = (): string => pick(random, ["0.5", "3", "7.25"]);
  const clauses = [
    ...times(mild ? 1 : 3, () => `require ${wide()};`),
    ...times(mild ? 1 : 2, () => `forbid ${condition(random, mild ? 0 : 2)};`),
    ...times(1, () => `evidence location >= ${level()};`),
    ...times(3, () => spreadOf(random, mild)),
    ...times(2, () => `prefer ${condition(random, 2)} weight ${weight()};`),
    ...times(1, () => `processing { repair by ${role(random)} and ${condition(random, 1)}; };`),
    ...times(1, () => `unsatisfiable ${pick(random, ["refuse", "queue"])};`),
  ];
  return parsePolicy(`policy random { ${clauses.join("\n")} }`).policy;
}

function spreadOf(random: Random, mild: boolean): string {
  const domain = pick(random, domainWords);
  switch (random.below(3)) {
    case 0:
      return `spread max ${1 + random.below(4) + (mild ? 2 : 0)} per ${domain};`;
    case 1:
      return `spread max ${(mild ? 20 : 5) + random.below(60)}% per ${domain};`;
    default:
      return `spread at least ${1 + random.below(mild ? 3 : 8)} ${domain};`;
  }
}

function condition(random: Random, depth: number): string {
  const inner = (): string => condition(random, depth - 1);
  switch (random.below(depth > 0 ? 7 : 4)) {
    case 0:
      return `country in [${pick(random, countries)}, ${pick(random, countries)}]`;
    case 1:
      return `region in ${pick(random, ["EU", "EEA", "EFTA", "EU@2013-07-01"])}`;
    case 2:
      return pick(random, [
        "continent in Europe", "continent in [Asia, South-America]", "asn in [1, 2, 3]",
        'household in ["house 1", "house 2"]', "operator in alice", "version in 0.1.0",
      ]);
    case 3:
      return pick(random, [
        "version >= 0.2", "rtt(me) <= 30ms", "evidence location >= rtt", "rtt(me) <= 120.5 ms",
      ]);
    case 4:
      return `not ${inner().replace(/^(.* (and|or) .*)$/, "($1)")}`;
    case 5:
      return `(${inner()} and ${inner()})`;
    default:
      return `(${inner()} or ${inner()})`;
  }
}

function role(random: Random): string {
  return pick(random, roleWords);
}

/** A peer of which some things are known and some are not. */
export function randomFacts(random: Random, at: number, told: Partial<Offer> = {}): Facts {
  const maybe = <T>(value: T): T | undefined => (random.below(8) === 0 ? undefined : value);
  const country = maybe(pick(random, countries));
  const evidence = pick(random, evidenceLevels);
  const quotaBytes = GiB * 2 ** random.below(11);
  const offer: Offer = {
    peer: peerOf(at), atMs: nowMs, household: maybe(`house ${random.below(4000)}`) ?? "", country,
    addresses: [], quotaBytes, freeBytes: Math.floor(quotaBytes * (0.1 + 0.9 * random.unit())),
    bytes: new Uint8Array(), ...told,
  };
  return {
    offer,
    household: offer.household === "" ? undefined : offer.household,
    location: country === undefined ? undefined : { country, evidence },
    asn: maybe(random.below(60)), prefix: maybe(`10.${random.below(200)}.0.0/16`),
    operator: maybe(pick(random, ["alice", "bob"])), version: maybe(pick(random, versions)),
    roundTripMs: maybe(random.unit() * 200),
  };
}

export function policyOf(clauses: string): Policy {
  return parsePolicy(`policy p { ${clauses} }`).policy;
}

export function peerOf(at: number): PeerId {
  return parsePeerId(`12D3KooW${String(at).padStart(24, "A").replaceAll("0", "z")}`);
}

export function pick<T>(random: Random, items: readonly T[]): T {
  return items[random.below(items.length)] as T;
}
