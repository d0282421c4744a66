/** hive-policy(5) and the parser know the same words, and every example in the page is a policy. */
import { readFileSync } from "node:fs";
import { test } from "tap";
import { limits } from "../../src/base/limits.ts";
import { erasureClasses } from "../../src/base/records.ts";
import { durabilityOf } from "../../src/placement/draws/classes.ts";
import { hashOfPolicy } from "../../src/placement/language/policy-hash.ts";
import { parsePolicy } from "../../src/placement/language/policy-parse.ts";
import * as words from "../../src/placement/language/policy-words.ts";
import { defaultPolicy } from "../../src/placement/language/policy.ts";
import { continentNames, countriesOf, regionNames } from "../../src/placement/language/regions.ts";

const page = readFileSync(new URL("../../man/hive-policy.5", import.meta.url), "utf8");

/** What joins conditions, and what stands between a clause's parts. */
const joiningWords = [
  "and", "or", "not", "in", "policy", "class", "auto", "durability", "availability", "nines",
  "location", "me", "ms", "max", "at", "least", "per", "weight", "by",
];

/** The lines of a section, of either kind. */
function section(title: string): string {
  const start = page.search(new RegExp(`^\\.S[sh] ${title}$`, "m"));
  return page.slice(start).split(/^\.S[sh] /m)[1] ?? "";
}

function listed(title: string): readonly string[] {
  return [...section(title).matchAll(/^\.It Cm (\S+)$/gm)].map((match) => match[1] as string);
}

test("each list of words in the page is the parser's own", (t) => {
  t.strictSame(listed("Clauses"), words.clauseWords);
  t.strictSame(listed("Facts"), words.factWords);
  t.strictSame(listed("Evidence"), words.evidenceLevels);
  t.strictSame(listed("Domains"), words.domainWords);
  t.strictSame(listed("Activities"), words.activityWords);
  t.strictSame(listed("Roles"), words.roleWords);
  t.strictSame(listed("Answers"), words.answerWords);
  t.strictSame(listed("REGIONS"), regionNames);
  for (const name of continentNames) t.match(section("Facts"), name);
  for (const name of ["EU@2013-07-01", "EU@2020-02-01"]) {
    t.match(section("REGIONS"), `${name}\n${countriesOf(name).length} states`);
  }
  t.end();
});

test("the page's numbers of evidence are the limits", (t) => {
  const { places, peers } = limits;
  const told = section("EVIDENCE OF LOCATION");
  const days = places.carrierAgeMs / (24 * 3_600_000);
  const numbers = [
    `within ${places.kmPerMs} km times t`, `within ${places.supportKm} km wherever`,
    `when ${places.carrierHouseholdsMin} households`, `for ${days} days`,
  ];
  for (const words of numbers) t.match(told.replaceAll("\n", " "), words);
  t.match(told, "shortest of five");
  t.equal(peers.rangeTrips, 5);
  t.match(told, "at least three speak for it");
  t.equal(places.voicesMin, 3);
  t.match(told, "more than a third of all");
  t.equal(places.liarsShareMax, 1 / 3);
  t.match(told, "more than half of all");
  t.equal(places.supportShareMin, 1 / 2);
  t.end();
});

test("the grammar has every word that the parser joins with, and no other", (t) => {
  const told = section("GRAMMAR").split(".Ed")[0] ?? "";
  const found = new Set(told.match(/(?<![A-Za-z])[a-z]+(?![A-Za-z-])/g));
  const known: readonly string[] = [
    ...words.clauseWords, ...words.factWords, ...joiningWords,
    "file", "clause", "condition", "literal", "offset", "indent", "alone",
  ];
  t.strictSame([...found].filter((word) => !known.includes(word)), []);
  const missing = joiningWords.filter((word) => !found.has(word) && word !== "auto");
  t.strictSame(missing, []);
  t.end();
});

test("every example in the page parses, and the empty one is the default", (t) => {
  const blocks = [...page.matchAll(/^\.Bd -literal -offset indent\n([^]*?)^\.Ed$/gm)];
  const examples = blocks.map(([, text = ""]) => text.replaceAll("\\e", "\\"))
    .filter((text) => text.startsWith("policy "));
  t.ok(examples.length >= 5);
  for (const text of examples) {
    const { name, policy } = parsePolicy(text);
    const same = hashOfPolicy(policy) === hashOfPolicy(defaultPolicy);
    t.equal(same, name === "anywhere", name);
  }
  t.equal(limits.placement.onlineShareAssumed, 2 / 3, "the page says two thirds");
  t.end();
});

test("the nines that a policy counts with are those of hive(7)", (t) => {
  const other = readFileSync(new URL("../../man/hive.7", import.meta.url), "utf8");
  for (const erasureClass of erasureClasses) {
    const row = other.split("\n").find((line) => line.startsWith(`.It ${erasureClass.name} Ta`));
    const told = row?.split(" Ta ").at(-1);
    t.equal(told === "-" ? 0 : Number(told), durabilityOf(erasureClass), erasureClass.name);
  }
  t.end();
});
