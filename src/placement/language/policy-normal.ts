/**
 * Conditions and rules in one form, whichever way they were written: unions and continents become
 * the countries they stand for, `not` stands before single facts only, nested alternatives are laid
 * flat, names of one fact are put together, and what remains is in order, each once.
 *
 * Pure. Every step keeps the answer in three-valued logic, so that two policies of one form mean
 * the same; a few that mean the same may still differ (it is no theorem prover).
 */
import { conditionText } from "./policy-text.ts";
import type { Condition, Rule } from "./policy.ts";
import { countriesOf } from "./regions.ts";

/** The rules in force: what a rule joins by `and` are rules of their own. */
export function normalRules(rules: readonly Rule[]): readonly Rule[] {
  return rules.flatMap(({ verb, condition }) => {
    const demanded = normal(condition, { isDenied: verb === "forbid" });
    return ("all" in demanded ? demanded.all : [demanded]).map(ruleOf);
  });
}

export function normalCondition(condition: Condition): Condition {
  return normal(condition, { isDenied: false });
}

/** Demanding `not X` is forbidding X, and so is demanding one of several that are all denied. */
function ruleOf(demanded: Condition): Rule {
  if ("not" in demanded) return { verb: "forbid", condition: demanded.not };
  const parts = "any" in demanded ? demanded.any : [];
  const denied = parts.flatMap((part) => ("not" in part ? [part.not] : []));
  if (parts.length === 0 || denied.length < parts.length) {
    return { verb: "require", condition: demanded };
  }
  return { verb: "forbid", condition: { all: inOrder(denied) } };
}

function normal(condition: Condition, { isDenied }: { readonly isDenied: boolean }): Condition {
  if ("not" in condition) return normal(condition.not, { isDenied: !isDenied });
  if ("all" in condition || "any" in condition) {
    const parts = "all" in condition ? condition.all : condition.any;
    const made = parts.map((part) => normal(part, { isDenied }));
    return joined("all" in condition === isDenied ? "any" : "all", made);
  }
  const leaf = normalFact(condition);
  return isDenied ? { not: leaf } : leaf;
}

function normalFact(leaf: Condition): Condition {
  if (!("among" in leaf)) return leaf;
  if (leaf.fact === "role") return { fact: "role", among: namesInOrder(leaf.among) };
  if (leaf.fact === "region" || leaf.fact === "continent") {
    return { fact: "country", among: namesInOrder(leaf.among.flatMap(countriesOf)) };
  }
  return { fact: leaf.fact, among: namesInOrder(leaf.among) };
}

function joined(how: "all" | "any", parts: readonly Condition[]): Condition {
  const flat = parts.flatMap((part) => {
    if (how === "all") return "all" in part ? part.all : [part];
    return "any" in part ? part.any : [part];
  });
  const together = inOrder(how === "any" ? united(flat) : deniedTogether(flat));
  const [only] = together;
  if (together.length === 1 && only !== undefined) return only;
  return how === "all" ? { all: together } : { any: together };
}

/** `country in [DE] or country in [FR]` is `country in [DE, FR]`. */
function united(parts: readonly Condition[]): readonly Condition[] {
  const names = new Map<string, Condition & { readonly among: readonly string[] }>();
  const others: Condition[] = [];
  for (const part of parts) {
    if (!("among" in part)) others.push(part);
    else names.set(part.fact, withNames(part, names.get(part.fact)?.among ?? []));
  }
  return [...others, ...names.values()];
}

/** And neither is what is in neither. */
function deniedTogether(parts: readonly Condition[]): readonly Condition[] {
  const denied = parts.flatMap((part) => ("not" in part ? [part.not] : []));
  const others = parts.filter((part) => !("not" in part));
  return [...others, ...united(denied).map((not) => ({ not }))];
}

function withNames<Leaf extends Condition & { readonly among: readonly string[] }>(
  leaf: Leaf, more: readonly string[],
): Leaf {
  return { ...leaf, among: namesInOrder([...leaf.among, ...more]) };
}

function inOrder(parts: readonly Condition[]): readonly Condition[] {
  const texts = new Map(parts.map((part) => [conditionText(part), part]));
  return [...texts].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, part]) => part);
}

function namesInOrder<Name extends string>(names: readonly Name[]): readonly Name[] {
  return [...new Set(names)].sort();
}
