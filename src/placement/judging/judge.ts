/**
 * What a condition, a rule and a policy say of one peer. Pure, with three answers: unknown is
 * neither yes nor no, and it fails closed. It never satisfies `require`, always satisfies `forbid`,
 * and prefers nobody.
 */
import { type Activity, type EvidenceLevel, type Role, isAtLeast }
  from "../language/policy-words.ts";
import { type Condition, type NamedFact, type Policy, type Rule } from "../language/policy.ts";
import { countriesOf } from "../language/regions.ts";
import { type Facts, countryOf } from "./facts.ts";

export type Verdict = "yes" | "no" | "unknown";

/** A peer as one policy sees it: locations known less well than `evidence` are unknown. */
export interface Seen {
  readonly facts: Facts;
  readonly evidence: EvidenceLevel;
  /** What the peer is to the drive, where that is asked. */
  readonly roles?: readonly Role[];
}

export function judge(condition: Condition, seen: Seen): Verdict {
  if ("not" in condition) return opposite(judge(condition.not, seen));
  if ("all" in condition) return worstOf(condition.all.map((part) => judge(part, seen)));
  if ("any" in condition) {
    return opposite(worstOf(condition.any.map((part) => opposite(judge(part, seen)))));
  }
  return judgeFact(condition, seen);
}

/** Whether the rule lets this peer hold data. */
export function allows({ verb, condition }: Rule, seen: Seen): boolean {
  return judge(condition, seen) === (verb === "require" ? "yes" : "no");
}

/** How many times as much the peer weighs in a draw. */
export function favourOf(policy: Policy, seen: Seen): number {
  let favour = 1;
  for (const { condition, weight } of policy.preferences ?? []) {
    if (judge(condition, seen) === "yes") favour *= weight;
  }
  return favour;
}

/** Whether the peer may do this with the data. What the policy does not speak of, anybody may. */
export function mayProcess(policy: Policy, activity: Activity, seen: Seen): boolean {
  const rules = (policy.processing ?? []).filter((rule) => rule.activity === activity);
  return rules.every(({ by }) => judge(by, seen) === "yes");
}

type Leaf = Extract<Condition, { readonly fact: string }>;

function judgeFact(condition: Leaf, seen: Seen): Verdict {
  const { facts } = seen;
  if (condition.fact === "rtt") {
    return known(facts.roundTripMs, (ms) => ms <= condition.atMostMs);
  }
  if (condition.fact === "evidence") {
    return known(facts.location?.evidence, (level) => isAtLeast(level, condition.atLeast));
  }
  if (condition.fact === "role") {
    return known(seen.roles, (roles) => roles.some((role) => condition.among.includes(role)));
  }
  if ("atLeast" in condition) {
    const version = isNumbered(facts.version) ? facts.version : undefined;
    return known(version, (number) => compareVersions(number, condition.atLeast) >= 0);
  }
  return known(namedOf(condition.fact, seen), (name) => {
    if (condition.fact !== "region" && condition.fact !== "continent") {
      return condition.among.includes(name);
    }
    return condition.among.some((region) => countriesOf(region).includes(name));
  });
}

/** What the names of a condition are compared with; a region is one of countries. */
function namedOf(fact: NamedFact, { facts, evidence }: Seen): string | undefined {
  switch (fact) {
    case "country":
    case "region":
    case "continent":
      return countryOf(facts, evidence);
    case "asn":
      return facts.asn === undefined ? undefined : String(facts.asn);
    case "household":
      return facts.offer.household === "" ? undefined : facts.offer.household;
    case "peer":
      return facts.offer.peer;
    case "operator":
      return facts.operator;
    case "version":
      return facts.version;
  }
}

function known<T>(fact: T | undefined, test: (fact: T) => boolean): Verdict {
  if (fact === undefined) return "unknown";
  return test(fact) ? "yes" : "no";
}

function opposite(verdict: Verdict): Verdict {
  if (verdict === "unknown") return "unknown";
  return verdict === "yes" ? "no" : "yes";
}

function worstOf(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.includes("no")) return "no";
  return verdicts.includes("unknown") ? "unknown" : "yes";
}

/** Any other version has no order: whether it is new enough is unknown. */
function isNumbered(version: string | undefined): version is string {
  return version !== undefined && /^\d+(\.\d+)*$/.test(version);
}

/** By numbers between dots; a part that is missing counts as 0. */
function compareVersions(left: string, right: string): number {
  const lefts = left.split(".").map(Number);
  const rights = right.split(".").map(Number);
  for (let at = 0; at < Math.max(lefts.length, rights.length); at++) {
    const difference = (lefts[at] ?? 0) - (rights[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
