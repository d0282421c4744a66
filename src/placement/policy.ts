/**
 * The user's rules for where data may be kept, as a value: its canonical form, its hash, and what
 * it says of one offer. Pure. It fails closed: what is not known never satisfies `require` and
 * always satisfies `forbid`. The text language of hive-policy(5) becomes such a value elsewhere.
 */
import { createHash } from "node:crypto";
import type { Offer } from "../base/records.ts";

export interface Policy {
  /** A class's name, or "auto" for what the number of households allows. */
  readonly class: string;
  readonly rules: readonly Rule[];
  readonly spread: readonly Spread[];
}

/** What must hold of every holder, or must not. */
export interface Rule {
  readonly verb: "require" | "forbid";
  readonly condition: Condition;
}

/** `country in [DE, FR]`. Further facts join this union, and each brings its own test. */
export type Condition = { readonly fact: "country"; readonly among: readonly string[] };

/** At most `max` members of a group in one domain. */
export interface Spread {
  readonly domain: Domain;
  readonly max: number;
}

export type Domain = "household";

/** Unknown is an answer of its own: neither yes nor no. */
export type Verdict = "yes" | "no" | "unknown";

/** Anywhere, in the largest class there is room for, one shard per household. */
export const defaultPolicy: Policy = {
  class: "auto",
  rules: [],
  spread: [{ domain: "household", max: 1 }],
};

/**
 * One text for all policies that mean the same: rules, countries and spreads in order, each once.
 * Its SHA-256 is in the manifest, so a change here changes every policy's hash.
 */
export function canonicalPolicy(policy: Policy): string {
  const lines = [
    ...policy.rules.map((rule) => `${clauseOf(rule)};`),
    ...policy.spread.map(({ domain, max }) => `spread max ${max} per ${domain};`),
  ];
  return ["hive-policy 1", `class ${policy.class};`, ...inOrder(lines), ""].join("\n");
}

export function hashOfPolicy(policy: Policy): string {
  return createHash("sha256").update(canonicalPolicy(policy)).digest("hex");
}

/** The rule in the words of hive-policy(5), for messages and for the canonical form. */
export function clauseOf({ verb, condition }: Rule): string {
  return `${verb} ${condition.fact} in [${inOrder(condition.among).join(", ")}]`;
}

/** Whether the rule lets this offer's peer hold data. */
export function allows({ verb, condition }: Rule, offer: Offer): boolean {
  const verdict = judge(condition, offer);
  return verb === "require" ? verdict === "yes" : verdict === "no";
}

export function judge(condition: Condition, offer: Offer): Verdict {
  if (offer.country === undefined) return "unknown";
  return condition.among.includes(offer.country) ? "yes" : "no";
}

/** The domain's name for this offer. Those who tell none share one: they might be the same. */
export function domainOf(domain: Domain, offer: Offer | undefined): string {
  return offer?.[domain] ?? "";
}

function inOrder(words: readonly string[]): string[] {
  return [...new Set(words)].sort();
}
