/** Households by address: one line is one home whatever is claimed there, and nothing spreads. */
import { test } from "tap";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import { type Dweller, householdsOf } from "../../src/places/households.ts";
import { peerOf } from "../support/policies.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/places.households.test.ts`;
const nowMs = 1_800_000_000_000;
const { carrierAgeMs, carrierHouseholdsMin, carrierSeenMs } = limits.places;

function dweller(at: number, line: string, claim: string, ageMs = 0, silentMs = 0): Dweller {
  const seenAtMs = nowMs - silentMs;
  return { peer: peerOf(at), line, claim, sinceMs: seenAtMs - ageMs, seenAtMs };
}

function count(dwellers: readonly Dweller[]): number {
  return new Set(householdsOf(dwellers, nowMs).values()).size;
}

test("peers behind one line are one household, whatever they claim", (t) => {
  const names = ["cleo", "ann", "ben"];
  const one = names.map((claim, at) => dweller(at, "a", claim));
  t.equal(count(one), 1);
  t.strictSame([...householdsOf(one, nowMs).values()], ["ann", "ann", "ann"]);
  const apart = names.map((claim, at) => dweller(at, `line ${at}`, claim));
  t.equal(count(apart), 3);
  const sameClaim = [dweller(0, "a", "ann"), dweller(1, "b", "ann")];
  t.equal(count(sameClaim), 1, "and those who say that they are one are one");
  t.end();
});

test("whoever claims everybody's names from one line makes no one household of them", (t) => {
  const honest = Array.from({ length: 40 }, (_, at) => dweller(at, `line ${at}`, `home ${at}`));
  const attack = honest.map(({ claim }, at) => dweller(100 + at, "one line", claim));
  const found = householdsOf([...honest, ...attack], nowMs);
  t.equal(new Set(honest.map(({ peer }) => found.get(peer))).size, 40);
  t.equal(new Set(attack.map(({ peer }) => found.get(peer))).size, 1);
  t.end();
});

test("an address is a carrier's only for many old keys that are still about", (t) => {
  const behind = (many: number, ageMs: number, silentMs = 0) => {
    return Array.from({ length: many }, (_, at) => dweller(at, "nat", `home ${at}`, ageMs, silentMs));
  };
  const old = behind(carrierHouseholdsMin, carrierAgeMs);
  t.equal(count(old), carrierHouseholdsMin);
  t.equal(count(behind(carrierHouseholdsMin - 1, carrierAgeMs)), 1, "one too few is a home");
  t.equal(count(behind(carrierHouseholdsMin, carrierAgeMs - 1)), 1, "and so are those too young");
  t.equal(count(behind(carrierHouseholdsMin, carrierAgeMs, carrierSeenMs + 1)), 1, "or long gone");
  const oneClaim = old.map((one) => ({ ...one, claim: "x" }));
  t.equal(count(oneClaim), 1, "many keys of one claim are one");
  const young = Array.from({ length: 30 }, (_, at) => dweller(500 + at, "nat", `new ${at}`));
  t.equal(count([...old, ...young]), carrierHouseholdsMin + 1, "newcomers together are one more");
  t.end();
});

test("no line has more households than one, unless it is a carrier's", (t) => {
  const random = seededRandom(`places.households/${seed}`);
  for (let trial = 0; trial < 200; trial++) {
    const dwellers = Array.from({ length: 1 + random.below(60) }, (_, at) => {
      const ageMs = random.below(2 * carrierAgeMs);
      return dweller(at, `line ${random.below(6)}`, `home ${random.below(40)}`, ageMs);
    });
    const found = householdsOf(dwellers, nowMs);
    if (found.size !== dwellers.length) t.fail(`somebody was left out; ${replay}`);
    for (const [line, behind] of Map.groupBy(dwellers, (one) => one.line)) {
      const old = behind.filter(({ sinceMs }) => nowMs - sinceMs >= carrierAgeMs);
      const isCarrier = new Set(old.map(({ claim }) => claim)).size >= carrierHouseholdsMin;
      const households = new Set(behind.map(({ peer }) => found.get(peer)));
      if (!isCarrier && households.size !== 1) t.fail(`${line} has ${households.size}; ${replay}`);
    }
  }
  t.end();
});
