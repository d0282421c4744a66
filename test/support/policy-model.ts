/**
 * What a policy's rules make of a peer, once more and by itself: a model for the judge to be
 * compared with. It shares nothing with it but the table of countries.
 */
import type { Facts } from "../../src/placement/judging/facts.ts";
import type { Condition, Policy } from "../../src/placement/language/policy.ts";
import { countriesOf, isCountry } from "../../src/placement/language/regions.ts";

/** Undefined is unknown. */
type Answer = boolean | undefined;

const levels = ["claimed", "geoip", "rtt", "confined", "attested"];

/** Whether every rule lets the peer hold data. */
export function passes(policy: Policy, facts: Facts): boolean {
  const least = levels.indexOf(policy.evidence ?? "claimed");
  return policy.rules.every(({ verb, condition }) => {
    return answer(condition, facts, least) === (verb === "require");
  });
}

function answer(condition: Condition, facts: Facts, least: number): Answer {
  if ("not" in condition) return inverse(answer(condition.not, facts, least));
  if ("all" in condition) return every(condition.all.map((one) => answer(one, facts, least)));
  if ("any" in condition) {
    return inverse(every(condition.any.map((one) => inverse(answer(one, facts, least)))));
  }
  if (condition.fact === "rtt") return within(facts.roundTripMs, condition.atMostMs);
  if (condition.fact === "role") return undefined;
  if (condition.fact === "evidence") {
    const { location } = facts;
    if (location === undefined) return undefined;
    return levels.indexOf(location.evidence) >= levels.indexOf(condition.atLeast);
  }
  if ("atLeast" in condition) return isVersionFrom(facts.version, condition.atLeast);
  const { fact, among } = condition;
  if (fact === "peer") return among.includes(facts.offer.peer);
  if (fact === "household") return named(facts.offer.household || undefined, among);
  if (fact === "asn") return named(facts.asn?.toString(), among);
  if (fact === "operator" || fact === "version") return named(facts[fact], among);
  const isUnion = fact === "region" || fact === "continent";
  return named(countryIn(facts, least), isUnion ? among.flatMap(countriesOf) : among);
}

function countryIn({ location }: Facts, least: number): string | undefined {
  if (location === undefined || levels.indexOf(location.evidence) < least) return undefined;
  return isCountry(location.country) ? location.country : undefined;
}

function named(name: string | undefined, among: readonly string[]): Answer {
  return name === undefined ? undefined : among.includes(name);
}

function within(ms: number | undefined, mostMs: number): Answer {
  return ms === undefined ? undefined : ms <= mostMs;
}

/** Number by number; a version with anything else in it has no order. */
function isVersionFrom(version: string | undefined, least: string): Answer {
  if (version === undefined || !/^[0-9]+(\.[0-9]+)*$/.test(version)) return undefined;
  const [mine, theirs] = [version, least].map((text) => text.split(".").map(Number));
  for (let at = 0; at < 16; at++) {
    const [left, right] = [mine?.[at] ?? 0, theirs?.[at] ?? 0];
    if (left !== right) return left > right;
  }
  return true;
}

function inverse(answered: Answer): Answer {
  return answered === undefined ? undefined : !answered;
}

function every(answers: readonly Answer[]): Answer {
  if (answers.includes(false)) return false;
  return answers.includes(undefined) ? undefined : true;
}
