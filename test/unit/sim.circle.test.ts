/** Seats that are drawn beside those who sit already, from a circle that knows numbers alone. */
import { test } from "tap";
import { seededRandom } from "../../src/base/random.ts";
import type { ErasureClass } from "../../src/base/records.ts";
import { classNamed } from "../../src/placement/draws/classes.ts";
import { boundsOf } from "../../src/placement/draws/spread.ts";
import { domainWords } from "../../src/placement/language/policy-words.ts";
import { Circle, noRoom } from "../sim/circle.ts";

const count = 300;
const networks = 12;
const standard = classNamed("standard") as ErasureClass;
const bounds = boundsOf({
  class: "auto", rules: [],
  spread: [{ domain: "household", max: 1 }, { domain: "asn", max: 5 }],
}, standard);
const random = seededRandom("circle");
/** Two neighbours each share a household. */
const rows = Array.from({ length: count }, (_, at) => ({
  household: Math.floor(at / 2) + 1, prefix: at + 1, asn: random.below(networks) + 1,
  country: 1, version: 1,
}));

function circleOf(levels = new Int16Array(count)): Circle {
  return new Circle({
    places: Float64Array.from({ length: count }, () => random.unit()).sort(),
    shares: new Float64Array(count).fill(1), levels,
    codes: Int32Array.from(rows.flatMap((row) => domainWords.map((word) => row[word]))),
  });
}

function isSpread(members: readonly number[]): boolean {
  const houses = members.map((at) => rows[at]?.household);
  const inNetwork = Map.groupBy(members, (at) => rows[at]?.asn);
  return new Set(houses).size === members.length
    && [...inNetwork.values()].every((those) => those.length <= 5);
}

test("who is drawn beside those who sit keeps to the spread with them", (t) => {
  const circle = circleOf();
  for (let turn = 0; turn < 50; turn++) {
    const whole = circle.draw({ seed: `${turn}`, seats: standard.n, bounds }).taken;
    const sitting = whole.slice(0, standard.r);
    const seats = standard.n - standard.r;
    const { taken } = circle.draw({ seed: `${turn}/again`, seats, bounds, sitting });
    t.equal(taken.length, seats);
    t.ok(isSpread([...sitting, ...taken]), `turn ${turn}`);
  }
  t.end();
});

test("nobody is drawn who is barred or has no room, and too few are none", (t) => {
  const levels = Int16Array.from({ length: count }, (_, at) => (at % 3 === 0 ? noRoom : 0));
  const circle = circleOf(levels);
  const isBarred = (at: number): boolean => at % 3 === 1;
  const { taken } = circle.draw({ seed: "some", seats: 24, bounds, isBarred });
  t.equal(taken.length, 24);
  t.ok(taken.every((at) => at % 3 === 2));
  const all = circle.draw({ seed: "all", seats: 24, bounds, isBarred: () => true });
  t.strictSame(all, { taken: [], isWide: false, most: 0 });
  circle.setLevel(taken[0] as number, noRoom);
  const next = circle.draw({ seed: "some", seats: 24, bounds, isBarred }).taken;
  t.notOk(next.includes(taken[0] as number), "who has become full is passed over");
  t.end();
});
