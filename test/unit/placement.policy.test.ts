/** The policy language: what parses and to what, where a fault points, and one text per meaning. */
import { readFileSync } from "node:fs";
import { test } from "tap";
import { HiveError } from "../../src/base/errors.ts";
import { seededRandom } from "../../src/base/random.ts";
import { type Facts, factsOf } from "../../src/placement/judging/facts.ts";
import { type Seen, type Verdict, allows, judge, mayProcess } from "../../src/placement/judging/judge.ts";
import { canonicalPolicy, hashOfPolicy } from "../../src/placement/language/policy-hash.ts";
import { normalRules } from "../../src/placement/language/policy-normal.ts";
import { parseCanonical, parsePolicy } from "../../src/placement/language/policy-parse.ts";
import { isAtLeast } from "../../src/placement/language/policy-words.ts";
import { type Condition, type Policy, defaultPolicy } from "../../src/placement/language/policy.ts";
import { continentNames, countriesOf, isCountry } from "../../src/placement/language/regions.ts";
import { regionNamed, regionNames } from "../../src/placement/language/regions.ts";
import { randomFacts, randomPolicy } from "../support/policies.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/placement.policy.test.ts`;

interface Vectors {
  readonly policies: readonly { text: string; canonical: readonly string[]; hash: string }[];
}

const vectors = JSON.parse(
  readFileSync(new URL("../vectors/placement-policy.json", import.meta.url), "utf8"),
) as Vectors;

test("policies come out as they were frozen, and their canonical text means the same", (t) => {
  for (const { text, canonical, hash } of vectors.policies) {
    const { policy } = parsePolicy(text);
    t.strictSame(canonicalPolicy(policy).split("\n"), canonical);
    t.equal(hashOfPolicy(policy), hash);
    t.equal(canonicalPolicy(parseCanonical(canonical.join("\n"))), canonical.join("\n"));
  }
  t.end();
});

test("a policy that says nothing is the default one", (t) => {
  t.equal(hashOfPolicy(parsePolicy("policy p { }").policy), hashOfPolicy(defaultPolicy));
  const spelt = "policy p { protect class auto; evidence location >= claimed; " +
    "spread max 1 per household; prefer asn in 1 weight 1; unsatisfiable refuse; }";
  t.equal(hashOfPolicy(parsePolicy(spelt).policy), hashOfPolicy(defaultPolicy));
  t.end();
});

test("what means the same has one hash", (t) => {
  const same = [
    ["require not country in DE", "forbid country in DE"],
    ["require country in DE or country in FR", "require country in [FR, DE, FR]"],
    ["require country in DE and asn in 1", "require asn in 1; require country in DE"],
    ["forbid country in DE or asn in 1", "forbid asn in 1; forbid country in DE"],
    ["forbid not (country in DE and asn in 1)", "require country in DE; require asn in 1"],
    ["require not (country in DE or country in FR)", "forbid country in [DE, FR]"],
    ["require region in EFTA", "require country in [IS, LI, NO, CH]"],
    ["require region in EU", "require region in EU@2020-02-01"],
    ["prefer asn in 1 weight 2; prefer asn in 1 weight 3", "prefer asn in [1, 1] weight 6"],
    ["require not not (asn in 1 or (asn in 2 or version in 3))",
      "require (version in 3 or asn in 2) or asn in 1"],
  ];
  for (const [one, other] of same) t.equal(hashOf(one), hashOf(other), `${one} | ${other}`);
  const different = [
    ["require country in DE", "forbid country in DE"],
    ["require country in DE or asn in 1", "require country in DE and asn in 1"],
    ["require region in EU", "require region in EU@2013-07-01"],
    ["require household in AS1", "require operator in AS1"],
    ["spread max 15 per asn", "spread max 15% per asn"],
  ];
  for (const [one, other] of different) t.not(hashOf(one), hashOf(other), `${one} | ${other}`);
  t.end();
});

test("the normal form judges every peer as the policy did, by a table of its own", (t) => {
  const random = seededRandom(`${seed}/normal`);
  for (let round = 0; round < 400; round++) {
    const policy = randomPolicy(random);
    const again = parseCanonical(canonicalPolicy(policy));
    const words = `${canonicalPolicy(policy)} ${replay}`;
    if (hashOfPolicy(again) !== hashOfPolicy(policy)) t.fail(words);
    for (let at = 0; at < 25; at++) {
      const seen = { facts: randomFacts(random, at), evidence: policy.evidence ?? "claimed" };
      const told = policy.rules.every(({ verb, condition }) => {
        return truth(condition, seen.facts, policy) === (verb === "require" ? 1 : 0);
      });
      const judged = [policy.rules, normalRules(policy.rules), again.rules].map((rules) => {
        return rules.every((rule) => allows(rule, seen));
      });
      if (judged.some((one) => one !== told)) t.fail(words);
    }
  }
  t.end();
});

test("what is not known satisfies no require and every forbid", (t) => {
  const { offer } = randomFacts(seededRandom(seed), 0);
  const nothing: Facts = { ...factsOf(offer), location: undefined };
  const seen = { facts: nothing, evidence: "claimed" as const };
  for (const condition of [
    "country in DE", "region in EU", "continent in Europe", "asn in 1", "operator in a",
    "version in 1", "version >= 1", "rtt(me) <= 9999ms", "evidence location >= claimed",
    "not asn in 1", "asn in 1 and peer in 12D3KooWAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "asn in 1 or rtt(me) <= 1ms",
  ]) {
    const [required, forbidden] = ["require", "forbid"].map((verb) => {
      return parsePolicy(`policy p { ${verb} ${condition}; }`).policy.rules.every((rule) => {
        return allows(rule, seen);
      });
    });
    // A peer's own id is always known, so that this one conjunction is a plain no.
    t.strictSame([required, forbidden], [false, condition.includes("peer")], condition);
  }
  t.end();
});

test("a location known less well than the policy asks for is unknown", (t) => {
  const facts = (evidence: "claimed" | "rtt", country = "DE"): Facts => ({
    ...factsOf(randomFacts(seededRandom(seed), 0).offer), location: { country, evidence },
  });
  const { rules } = parsePolicy("policy p { require region in EU; }").policy;
  const isAllowed = (seen: Seen) => rules.every((rule) => allows(rule, seen));
  t.ok(isAllowed({ facts: facts("claimed"), evidence: "claimed" }));
  t.notOk(isAllowed({ facts: facts("claimed"), evidence: "geoip" }));
  t.ok(isAllowed({ facts: facts("rtt"), evidence: "geoip" }));
  const made: Condition = { fact: "country", among: ["DE"] };
  t.equal(judge({ not: made }, { facts: facts("rtt", "QQ"), evidence: "claimed" }), "unknown");
  t.end();
});

test("a version without an order is neither old nor new", (t) => {
  const judged = (version: string): Verdict => {
    const facts = { ...factsOf(randomFacts(seededRandom(seed), 0).offer), version };
    return judge({ fact: "version", atLeast: "0.10" }, { facts, evidence: "claimed" });
  };
  t.strictSame(["0.9.9", "0.10", "0.10.0", "1", "0.11.0-odd"].map(judged),
    ["no", "yes", "yes", "yes", "unknown"]);
  t.end();
});

test("processing is for whom the policy names, and for anybody where it is silent", (t) => {
  const { policy } = parsePolicy("policy p { processing { repair by holder and region in EU; " +
    "audit by region in EU or self; }; }");
  const here = randomFacts(seededRandom(seed), 0);
  const german: Facts = { ...here, location: { country: "DE", evidence: "claimed" } };
  const american: Facts = { ...here, location: { country: "US", evidence: "claimed" } };
  const may = (activity: "repair" | "audit" | "cache", facts: Facts, role: "holder" | "self") =>
    mayProcess(policy, activity, { facts, evidence: "claimed", roles: [role] });
  t.ok(may("repair", german, "holder"));
  t.notOk(may("repair", german, "self"));
  t.notOk(may("repair", american, "holder"));
  t.ok(may("audit", american, "self"));
  t.ok(may("cache", american, "holder"));
  t.notOk(mayProcess(policy, "audit", { facts: american, evidence: "claimed" }));
  t.end();
});

test("a fault points at the word, and says what was expected there", (t) => {
  const faults: readonly (readonly [clauses: string, words: string])[] = [
    ["requir x;", 'line 2, column 1: expected a clause (protect, require, '],
    ["require country in UK;", 'line 2, column 20: expected a country\'s two capital letters'],
    ["require region in MARS;", "line 2, column 19: expected a region (EU@2013-07-01, "],
    ["require holder;", "line 2, column 9: holder may stand in processing only"],
    ["require (asn in 1;", 'line 2, column 18: expected ")", found ";"'],
    ["require asn in AS1;", "line 2, column 16: expected an AS number"],
    ["spread max 0 per asn;", "line 2, column 12: 0 is not from 1 to 80"],
    ["spread max 101% per asn;", "line 2, column 12: 101 is not from 1 to 100"],
    ["spread max 1 per street;", "line 2, column 18: expected a domain (household, "],
    ["prefer asn in 1;", 'line 2, column 16: expected "weight", found ";"'],
    ["prefer asn in 1 weight 0;", "line 2, column 24: 0 is not from 0.001 to 1000"],
    ["# a note\n  protect;", "line 3, column 10: expected class, durability or availability"],
    ["protect class huge;", "line 2, column 15: expected a class (mirror, "],
    ["evidence location >= rtt; evidence location >= rtt;", "line 2, column 27: evidence was told"],
    ["unsatisfiable;", "line 2, column 14: expected an answer (refuse, queue)"],
    ['require household in "a', 'line 2, column 22: "\\"" begins no word'],
    ["}", 'line 3, column 1: expected the end: one policy to a file, found "}"'],
    ["require asn in [];", 'line 2, column 17: expected a name of asn, found "]"'],
    [`require ${"(".repeat(40)}asn in 1;`, "nested too deep"],
    [`require ${"not ".repeat(40)}asn in 1;`, "nested too deep"],
    [`${"require asn in 1;".repeat(257)}`, "too many clauses"],
    ["class auto;", "line 2, column 1: expected a clause"],
  ];
  for (const [clauses, words] of faults) {
    t.match(faultOf(`policy p {\n${clauses}\n}`), words, clauses.slice(0, 80));
  }
  t.match(faultOf("policy p {"), 'line 1, column 11: expected "}", found the end');
  t.match(faultOf(""), 'line 1, column 1: expected "policy", found the end');
  t.match(faultOf(`policy p { ${" ".repeat(70_000)} }`), "at most");
  t.end();
});

test("no text brings the parser to anything but a policy or a fault", (t) => {
  const random = seededRandom(`${seed}/damage`);
  const texts = vectors.policies.map(({ text }) => text);
  for (let round = 0; round < 3000; round++) {
    const text = texts[random.below(texts.length)] as string;
    const from = random.below(text.length);
    const piece = text.slice(random.below(text.length)).slice(0, random.below(20));
    const spoilt = text.slice(0, from) + piece + text.slice(from + random.below(20));
    try {
      const { policy } = parsePolicy(spoilt);
      if (canonicalPolicy(parseCanonical(canonicalPolicy(policy))) !== canonicalPolicy(policy)) {
        t.fail(`${spoilt} ${replay}`);
      }
    } catch (error) {
      if (!(error instanceof HiveError)) t.fail(`${String(error)}: ${spoilt} ${replay}`);
    }
  }
  t.end();
});

test("every country lies in one continent, and unions have countries alone", (t) => {
  const all = continentNames.flatMap(countriesOf);
  // ISO 3166-1 has 249; XK is in wide use without being one of them.
  t.equal(all.length, 250);
  t.equal(new Set(all).size, all.length);
  for (const name of regionNames) {
    t.strictSame(countriesOf(name).filter((code) => !isCountry(code)), [], name);
  }
  t.strictSame(["EU", "EU@2013-07-01", "EEA"].map((name) => {
    return countriesOf(regionNamed(name) ?? "").length;
  }), [27, 28, 30]);
  t.equal(regionNamed("E"), undefined);
  t.end();
});

function hashOf(clauses: string | undefined): string {
  return hashOfPolicy(parsePolicy(`policy p { ${clauses ?? ""}; }`).policy);
}

function faultOf(text: string): string {
  try {
    parsePolicy(text);
  } catch (error) {
    if (error instanceof HiveError) return error.subject;
    throw error;
  }
  return "no fault";
}

/** Kleene's logic as a table: 1 yes, 0 no, 0.5 unknown; and is the least, or the most. */
function truth(condition: Condition, facts: Facts, policy: Policy): number {
  if ("not" in condition) return 1 - truth(condition.not, facts, policy);
  if ("all" in condition) {
    return Math.min(...condition.all.map((part) => truth(part, facts, policy)));
  }
  if ("any" in condition) {
    return Math.max(...condition.any.map((part) => truth(part, facts, policy)));
  }
  const isPlaced = facts.location !== undefined &&
    isAtLeast(facts.location.evidence, policy.evidence ?? "claimed");
  const country = isPlaced ? facts.location?.country : undefined;
  const answer = (known: unknown, yes: boolean) => (known === undefined ? 0.5 : Number(yes));
  switch (condition.fact) {
    case "rtt":
      return answer(facts.roundTripMs, (facts.roundTripMs ?? 0) <= condition.atMostMs);
    case "evidence": {
      const level = facts.location?.evidence;
      return answer(level, level !== undefined && isAtLeast(level, condition.atLeast));
    }
    case "version": {
      const { version } = facts;
      if ("among" in condition) return answer(version, condition.among.includes(version ?? ""));
      if (version?.endsWith("odd")) return 0.5;
      return answer(version, version !== "0.1.0");
    }
    case "country":
      return answer(country, condition.among.includes(country ?? ""));
    case "region":
    case "continent":
      return answer(country, condition.among.flatMap(countriesOf).includes(country ?? ""));
    case "asn":
      return answer(facts.asn, condition.among.includes(String(facts.asn)));
    case "household":
      return answer(facts.offer.household || undefined,
        condition.among.includes(facts.offer.household));
    case "operator":
      return answer(facts.operator, condition.among.includes(facts.operator ?? ""));
    case "peer":
      return Number(condition.among.includes(facts.offer.peer));
    case "role":
      return 0.5;
  }
}
