/** Round trips as evidence: what they can and cannot say, and how many liars they bear. */
import { test } from "tap";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import { continentNames, countriesOf } from "../../src/placement/language/regions.ts";
import { circlesOf, countriesOnMap } from "../../src/places/countries.ts";
import { distancesBetween, greatCircleKm } from "../../src/places/geometry.ts";
import { type Voice, opinionOf, verdictOf } from "../../src/places/verdict.ts";
import { type World, peopled, placeIn, tripBetween, trialOf } from "../support/made-up-earth.ts";
import { pick } from "../support/policies.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/places.verdict.test.ts`;

function voice(at: number, country: string, tripMs: number, more: Partial<Voice> = {}): Voice {
  const base = { household: `home ${at}`, prefix: `net ${at}`, isOwn: false, sinceMs: at };
  return { ...base, country, tripMs, ...more };
}

test("the map has the countries that policies have, and no others", (t) => {
  const all = new Set(continentNames.flatMap((name) => countriesOf(name)));
  t.strictSame(countriesOnMap().filter((code) => !all.has(code)), []);
  t.strictSame([...all].filter((code) => circlesOf(code) === undefined), ["UM"]);
  t.end();
});

test("cities lie in their countries' circles", (t) => {
  const cities: Readonly<Record<string, readonly [number, number]>> = {
    CH: [47.4, 8.5], DE: [52.5, 13.4], FR: [48.9, 2.4], US: [40.7, -74], RU: [55.8, 37.6],
    JP: [35.7, 139.7], AU: [-33.9, 151.2], BR: [-23.5, -46.6], ZA: [-33.9, 18.4], SG: [1.3, 103.8],
    PT: [32.7, -16.9], ES: [28.1, -15.4], NO: [69.6, 18.9], NZ: [-36.8, 174.8], IS: [64.1, -21.9],
    CL: [-53.2, -70.9], IN: [28.6, 77.2], CN: [39.9, 116.4], CA: [49.3, -123.1], GB: [57.1, -2.1],
    RE: [-20.9, 55.5], GF: [4.9, -52.3], FJ: [-18.1, 178.4], GL: [64.2, -51.7], EG: [30, 31.2],
  };
  for (const [country, [latitude, longitude]] of Object.entries(cities)) {
    const isIn = circlesOf(country)?.some((circle) => {
      return greatCircleKm(circle, { latitude, longitude }) <= circle.radiusKm;
    });
    t.ok(isIn, country);
  }
  t.end();
});

test("distances between countries are bounds: no two places break them", (t) => {
  const random = seededRandom(`places.distances/${seed}`);
  for (let trial = 0; trial < 4000; trial++) {
    const [one, other] = [pick(random, peopled), pick(random, peopled)];
    const km = greatCircleKm(placeIn(one, random), placeIn(other, random));
    const { nearestKm = NaN } = distancesBetween(one, other) ?? {};
    if (km < nearestKm - 1) t.fail(`${one} ${other}: ${km} < ${nearestKm}; ${replay}`);
  }
  const known: readonly (readonly [string, string, number, number])[] = [
    ["DE", "FR", 0, 0], ["ES", "MA", 0, 0], ["GB", "US", 3000, 4800], ["DE", "AU", 9000, 14000],
    ["IE", "CA", 1800, 3100], ["JP", "US", 600, 4000], ["BR", "ZA", 4500, 6500],
  ];
  for (const [one, other, least, most] of known) {
    const { nearestKm = NaN } = distancesBetween(one, other) ?? {};
    t.ok(nearestKm >= least && nearestKm <= most, `${one} to ${other}: ${nearestKm} km`);
    t.equal(distancesBetween(other, one)?.nearestKm, nearestKm);
  }
  t.equal(distancesBetween("DE", "XX"), undefined);
  t.end();
});

test("an honest trip is never against the truth, nor for what is far from it", (t) => {
  const random = seededRandom(`places.honest/${seed}`);
  for (let trial = 0; trial < 20_000; trial++) {
    const [from, to] = [pick(random, peopled), pick(random, peopled)];
    const target = placeIn(to, random);
    // The best fibre there can be: as the crow flies, and no line at either end.
    const km = greatCircleKm(placeIn(from, random), target);
    const tripMs = km / limits.places.kmPerMs;
    const other = pick(random, peopled);
    if (opinionOf(to, { country: from, tripMs }) === "against") t.fail(`${from} ${to}; ${replay}`);
    const nearest = Math.min(...(circlesOf(other) ?? []).map((circle) => {
      return greatCircleKm(target, circle) - circle.radiusKm;
    }));
    if (nearest <= limits.places.supportKm) continue;
    if (opinionOf(other, { country: from, tripMs }) === "for") t.fail(`${other}; ${replay}`);
  }
  t.end();
});

test("three voices of different homes and networks are the least that upholds or refutes", (t) => {
  const near = [voice(1, "DE", 6), voice(2, "DE", 9), voice(3, "NL", 4)];
  t.equal(verdictOf("DE", near), "upheld");
  t.equal(verdictOf("DE", near.slice(1)), "open");
  t.equal(verdictOf("AU", near), "refuted");
  t.equal(verdictOf("AU", near.slice(1)), "open", "two may lie");
  const oneHome = near.map((one) => ({ ...one, household: "one" }));
  t.equal(verdictOf("DE", oneHome), "open");
  const oneNet = near.map((one) => ({ ...one, prefix: "one" }));
  t.equal(verdictOf("DE", oneNet), "open");
  t.equal(verdictOf("DE", near.map((one) => ({ ...one, tripMs: 25 }))), "open", "too far to say");
  t.equal(verdictOf("XX", near), "open", "no place on the map");
  t.equal(verdictOf("DE", []), "open");
  t.end();
});

test("one's own measurement alone refutes, and alone upholds nothing", (t) => {
  const own = voice(0, "DE", 8, { isOwn: true });
  t.equal(verdictOf("AU", [own]), "refuted");
  t.equal(verdictOf("DE", [own]), "open");
  const lies = [1, 2, 3, 4, 5].map((at) => voice(at, "AU", 1));
  t.equal(verdictOf("AU", [own, ...lies]), "refuted", "whatever others say");
  t.equal(verdictOf("DE", [own, voice(1, "DE", 5), voice(2, "CH", 3)]), "upheld");
  t.end();
});

test("of two that count as one, the one that is known for longer speaks", (t) => {
  const honest = [voice(1, "DE", 6), voice(2, "DE", 6), voice(3, "DE", 6)];
  // Newcomers that take the names of the honest, so as to silence them.
  const claiming = honest.map(({ household }, at) => {
    return voice(100 + at, "DE", 90, { household });
  });
  t.equal(verdictOf("DE", [...claiming, ...honest]), "upheld");
  t.end();
});

function rates(world: World, trials: number) {
  const wrong = { accepted: 0, refused: 0 };
  const right = { upheld: 0, refuted: 0 };
  for (let at = 0; at < trials; at++) {
    const random = seededRandom(`places.world/${seed}/${JSON.stringify(world)}/${at}`);
    const honest = trialOf(random, world, true);
    const verdict = verdictOf(honest.claimed, honest.voices);
    if (verdict === "refuted") wrong.refused++;
    if (verdict === "upheld") right.upheld++;
    const liar = trialOf(random, world, false);
    const other = verdictOf(liar.claimed, liar.voices);
    if (other === "upheld") wrong.accepted++;
    if (other === "refuted") right.refuted++;
  }
  return { wrong, right };
}

/** Of a hundred trials, so many may come out wrong. */
const wrongShareMax = 0.01;

test("with a third of liars under one acceptance and one refusal in a hundred is wrong", (t) => {
  for (const verifiers of [6, 12, 24]) {
    const world = { verifiers, liarsShare: limits.places.liarsShareMax, misplacedShare: 0 };
    const { wrong, right } = rates(world, 300);
    t.ok(wrong.accepted / 300 < wrongShareMax, `${wrong.accepted} of ${verifiers}; ${replay}`);
    t.ok(wrong.refused / 300 < wrongShareMax, `${wrong.refused} of ${verifiers}; ${replay}`);
    t.ok(right.upheld > 150, `${right.upheld} honest ones upheld; ${replay}`);
    t.comment(`${verifiers} verifiers: ${JSON.stringify({ wrong, right })} of 300`);
  }
  t.end();
});

test("and no more with a table that is wrong of every twentieth besides", (t) => {
  const world = { verifiers: 24, liarsShare: limits.places.liarsShareMax, misplacedShare: 0.05 };
  const { wrong, right } = rates(world, 300);
  t.ok(wrong.accepted / 300 < wrongShareMax, `${wrong.accepted}; ${replay}`);
  t.ok(wrong.refused / 300 < wrongShareMax, `${wrong.refused}; ${replay}`);
  t.comment(JSON.stringify({ wrong, right }));
  t.end();
});

test("without liars most of the honest are upheld, and liars far away are found out", (t) => {
  const { wrong, right } = rates({ verifiers: 24, liarsShare: 0, misplacedShare: 0 }, 300);
  t.strictSame(wrong, { accepted: 0, refused: 0 }, replay);
  t.ok(right.upheld > 150, `${right.upheld} of 300; ${replay}`);
  t.comment(JSON.stringify(right));
  t.end();
});

test("a majority of liars does deceive: that is what the share bounds", (t) => {
  const { wrong } = rates({ verifiers: 24, liarsShare: 0.6, misplacedShare: 0 }, 100);
  t.ok(wrong.accepted > 10, JSON.stringify(wrong));
  t.end();
});

test("a slow line can hide a place, and never move it", (t) => {
  const random = seededRandom(`places.slow/${seed}`);
  for (let trial = 0; trial < 300; trial++) {
    const to = pick(random, peopled);
    const target = placeIn(to, random);
    const voices = Array.from({ length: 12 }, (_, at) => {
      const from = pick(random, peopled);
      const tripMs = tripBetween(placeIn(from, random), target, random) + random.unit() * 200;
      return voice(at, from, tripMs);
    });
    if (verdictOf(to, voices) === "refuted") t.fail(`${to}; ${replay}`);
  }
  t.end();
});
