/** Conditions and clauses in the words of hive-policy(5), for messages and the canonical form. */
import type { Condition, Policy, Rule, Spread } from "./policy.ts";

/** The rule as it stands in a policy, without its semicolon. */
export function clauseOf({ verb, condition }: Rule): string {
  return `${verb} ${conditionText(condition)}`;
}

export function spreadText(spread: Spread): string {
  const { domain } = spread;
  if ("max" in spread) return `spread max ${spread.max} per ${domain}`;
  if ("maxPercent" in spread) return `spread max ${spread.maxPercent}% per ${domain}`;
  return `spread at least ${spread.atLeast} ${domain}`;
}

/** Every clause but those of `protect`, `require`, `forbid` and `spread`. */
export function otherTexts(policy: Policy): readonly string[] {
  const { evidence, preferences = [], processing = [], unsatisfiable } = policy;
  return [
    ...(evidence === undefined ? [] : [`evidence location >= ${evidence}`]),
    ...preferences.map(({ condition, weight }) => {
      return `prefer ${conditionText(condition)} weight ${weight}`;
    }),
    ...processing.map(({ activity, by }) => `${activity} by ${conditionText(by)}`),
    ...(unsatisfiable === undefined ? [] : [`unsatisfiable ${unsatisfiable}`]),
  ];
}

export function conditionText(condition: Condition): string {
  if ("not" in condition) return `not ${inside(condition.not)}`;
  if ("all" in condition) return condition.all.map(inside).join(" and ");
  if ("any" in condition) return condition.any.map(inside).join(" or ");
  if (condition.fact === "rtt") return `rtt(me) <= ${condition.atMostMs}ms`;
  if (condition.fact === "evidence") return `evidence location >= ${condition.atLeast}`;
  if ("atLeast" in condition) return `version >= ${condition.atLeast}`;
  if (condition.fact === "role") return rolesText(condition.among);
  const names = [...new Set(condition.among)].sort().map(nameText);
  return `${condition.fact} in [${names.join(", ")}]`;
}

/** A name that is no plain word stands in quotes. */
function nameText(name: string): string {
  return /^[A-Za-z0-9][A-Za-z0-9.@_-]*$/.test(name) ? name : JSON.stringify(name);
}

function rolesText(roles: readonly string[]): string {
  return [...new Set(roles)].sort().join(" or ");
}

function inside(part: Condition): string {
  const isSeveral = "all" in part || "any" in part;
  const isRoles = "fact" in part && part.fact === "role" && part.among.length > 1;
  return isSeveral || isRoles ? `(${conditionText(part)})` : conditionText(part);
}
