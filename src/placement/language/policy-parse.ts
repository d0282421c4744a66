/**
 * A policy from its text, as hive-policy(5) has it: `policy NAME { clauses }`. Pure. A fault is
 * Invalid, and points at the word with its line and column, saying what was expected there. What is
 * left unsaid is safe: one shard per household, and an unsatisfiable policy is refused.
 */
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { erasureClasses } from "../../base/records.ts";
import { readCondition } from "./condition-parse.ts";
import { Reader } from "./policy-reader.ts";
import { faultAt, unexpected } from "./policy-tokens.ts";
import { type Activity, activityWords, answerWords, clauseWords } from "./policy-words.ts";
import { domainWords, evidenceLevels } from "./policy-words.ts";
import { type Policy, type Spread, defaultPolicy } from "./policy.ts";

export interface NamedPolicy {
  readonly name: string;
  readonly policy: Policy;
}

export function parsePolicy(text: string): NamedPolicy {
  const reader = new Reader(text);
  reader.expect("policy");
  const name = reader.name("the policy's name");
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(name.text)) {
    throw unexpected(name, "a name of letters, digits and dashes");
  }
  reader.expect("{");
  const told = readClauses(reader, "}");
  reader.expect("}");
  if (reader.next.kind !== "end") throw unexpected(reader.next, "the end: one policy to a file");
  const isSpread = told.spread.some((spread) => {
    return spread.domain === "household" && "max" in spread;
  });
  const spread = isSpread ? told.spread : [...defaultPolicy.spread, ...told.spread];
  return { name: name.text, policy: { ...told, spread } };
}

/** The canonical text back into a policy; it has no name, and nothing goes without saying. */
export function parseCanonical(text: string): Policy {
  const [head = "", ...rows] = text.split("\n");
  if (/^hive-policy [12]$/.test(head)) return readClauses(new Reader(rows.join("\n")), undefined);
  throw new HiveError("Invalid", "policy.canonical", head.slice(0, 80));
}

/** What is being put together. */
type Told = { -readonly [Part in keyof Policy]: Policy[Part] };

function readClauses(reader: Reader, last: "}" | undefined): Policy {
  const told: Told = { class: "auto", rules: [], spread: [] };
  const seen = new Set<string>();
  const read = last === undefined ? { ...clauses, ...canonicalClauses } : clauses;
  for (let count = 0; reader.next.kind !== "end" && !reader.isNext(last ?? ""); count++) {
    if (count === limits.policy.clausesMax) throw faultAt(reader.next, "too many clauses");
    const start = reader.next;
    const word = reader.oneOf(wordsOf(read), "a clause");
    if (onceOnly.has(word) && seen.has(word)) throw faultAt(start, `${word} was told already`);
    seen.add(word);
    read[word]?.(reader, told);
    reader.expect(";");
  }
  return told;
}

type ReadClause = (reader: Reader, told: Told) => void;

const onceOnly: ReadonlySet<string> = new Set(["protect", "evidence", "unsatisfiable", "class"]);

const clauses: Readonly<Record<string, ReadClause>> = {
  protect: (reader, told) => {
    const isNone = !reader.isNext("class", "durability", "availability");
    if (isNone) throw unexpected(reader.next, "class, durability or availability");
    if (reader.skip("class")) readClass(reader, told);
    if (reader.skip("durability")) readDurability(reader, told);
    if (reader.skip("availability")) readAvailability(reader, told);
  },
  require: readRule("require"),
  forbid: readRule("forbid"),
  evidence: (reader, told) => {
    reader.expect("location", ">=");
    told.evidence = reader.oneOf(evidenceLevels, "how well a location is known");
  },
  spread: (reader, told) => {
    told.spread = [...told.spread, readSpread(reader)];
  },
  prefer: (reader, told) => {
    const condition = readCondition(reader, { roles: false });
    reader.expect("weight");
    const { weightMin, weightMax } = limits.policy;
    const weight = reader.number("a weight", { min: weightMin, max: weightMax });
    told.preferences = [...(told.preferences ?? []), { condition, weight }];
  },
  processing: (reader, told) => {
    reader.expect("{");
    while (!reader.skip("}")) {
      readActivity(reader.oneOf(activityWords, "what is done"), reader, told);
      reader.expect(";");
    }
  },
  unsatisfiable: (reader, told) => {
    told.unsatisfiable = reader.oneOf(answerWords, "an answer");
  },
} satisfies Record<(typeof clauseWords)[number], ReadClause>;

/** The canonical text lays `protect` and `processing` flat, a clause a line. */
const canonicalClauses: Readonly<Record<string, ReadClause>> = {
  class: readClass,
  durability: readDurability,
  availability: readAvailability,
  ...Object.fromEntries(activityWords.map((activity) => {
    const read: ReadClause = (reader, told) => readActivity(activity, reader, told);
    return [activity, read];
  })),
};

function wordsOf(read: Readonly<Record<string, ReadClause>>): readonly string[] {
  return Object.keys(read);
}

function readClass(reader: Reader, told: Told): void {
  const names = erasureClasses.map(({ name }) => name);
  told.class = reader.oneOf([...names, "auto"], "a class");
}

function readDurability(reader: Reader, told: Told): void {
  told.durabilityNines = readNines(reader);
}

function readAvailability(reader: Reader, told: Told): void {
  told.availabilityNines = readNines(reader);
}

function readNines(reader: Reader): number {
  reader.expect(">=");
  const nines = reader.count("a number of nines", { min: 1, max: 99 });
  reader.expect("nines");
  return nines;
}

function readRule(verb: "require" | "forbid"): ReadClause {
  return (reader, told) => {
    const condition = readCondition(reader, { roles: false });
    told.rules = [...told.rules, { verb, condition }];
  };
}

/** `max N per DOMAIN`, `max P% per DOMAIN`, `at least N DOMAIN`. */
function readSpread(reader: Reader): Spread {
  const countMax = limits.records.membersMax;
  if (reader.skip("at")) {
    reader.expect("least");
    const atLeast = reader.count("how many", { min: 1, max: countMax });
    return { domain: reader.oneOf(domainWords, "a domain"), atLeast };
  }
  if (!reader.skip("max")) throw unexpected(reader.next, "max or at least");
  const isShare = reader.next.text.endsWith("%");
  const max = reader.count("how many, or a share in %", {
    min: 1, max: isShare ? 100 : countMax, unit: isShare ? "%" : "",
  });
  reader.expect("per");
  const domain = reader.oneOf(domainWords, "a domain");
  return isShare ? { domain, maxPercent: max } : { domain, max };
}

function readActivity(activity: Activity, reader: Reader, told: Told): void {
  reader.expect("by");
  const by = readCondition(reader, { roles: true });
  told.processing = [...(told.processing ?? []), { activity, by }];
}
