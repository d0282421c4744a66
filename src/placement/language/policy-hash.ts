/**
 * One text for all policies that mean the same, and its hash, which stands in the manifest. Pure.
 * A change here changes hashes that are on disk: version 1 is what policies of countries and
 * households have always been, and a policy is of version 2 only when it needs another clause.
 * Unions become countries before they are hashed: one that gains a member changes the hash.
 */
import { createHash } from "node:crypto";
import { normalCondition, normalRules } from "./policy-normal.ts";
import { clauseOf, conditionText, otherTexts, spreadText } from "./policy-text.ts";
import type { Policy, Preference } from "./policy.ts";

export function canonicalPolicy(policy: Policy): string {
  const plain = withoutDefaults(policy);
  const lines = [
    ...promisesOf(plain),
    ...plain.rules.map(clauseOf),
    ...plain.spread.map(spreadText),
    ...otherTexts(plain),
  ];
  const clauses = [...new Set(lines.map((line) => `${line};`))].sort();
  const head = [`hive-policy ${versionOf(plain)}`, `class ${plain.class};`];
  return [...head, ...clauses, ""].join("\n");
}

export function hashOfPolicy(policy: Policy): string {
  return createHash("sha256").update(canonicalPolicy(policy)).digest("hex");
}

/** The policy in its normal form, and nothing said that goes without saying. */
function withoutDefaults(policy: Policy): Policy {
  const { evidence = "claimed", unsatisfiable = "refuse", ...rest } = policy;
  const { preferences = [], processing = [] } = policy;
  return {
    ...rest,
    rules: normalRules(policy.rules),
    preferences: together(preferences).filter(({ weight }) => weight !== 1),
    processing: processing.map(({ activity, by }) => ({ activity, by: normalCondition(by) })),
    ...(evidence === "claimed" ? {} : { evidence }),
    ...(unsatisfiable === "refuse" ? {} : { unsatisfiable }),
  };
}

/** Whoever is preferred twice for one reason weighs the product. */
function together(preferences: readonly Preference[]): readonly Preference[] {
  const known = new Map<string, Preference>();
  for (const preference of preferences) {
    const condition = normalCondition(preference.condition);
    const text = conditionText(condition);
    const weight = preference.weight * (known.get(text)?.weight ?? 1);
    known.set(text, { condition, weight });
  }
  return [...known.values()];
}

function promisesOf({ durabilityNines, availabilityNines }: Policy): readonly string[] {
  return [
    ...(durabilityNines === undefined ? [] : [`durability >= ${durabilityNines} nines`]),
    ...(availabilityNines === undefined ? [] : [`availability >= ${availabilityNines} nines`]),
  ];
}

function versionOf(plain: Policy): 1 | 2 {
  const isOld =
    promisesOf(plain).length === 0 &&
    otherTexts(plain).length === 0 &&
    plain.rules.every(({ condition }) => "among" in condition && condition.fact === "country") &&
    plain.spread.every((spread) => "max" in spread && spread.domain === "household");
  return isOld ? 1 : 2;
}
