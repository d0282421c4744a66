/**
 * What a trial tells: lookups in networks whose answer is known, and when a figure says anything.
 */
import { test } from "tap";
import { Dice } from "../sim/dice.ts";
import { type Figure, verdictOf } from "../sim/figure.ts";
import { LookupWorld, shippedRouting } from "../sim/lookups.ts";
import { svgOf } from "../sim/plot.ts";
import { jsonOf, outcomeIn, tableOf } from "../sim/report.ts";
import { meanOf, quantileOf } from "../sim/statistics.ts";
import { lookups } from "../sim/trials/lookups.ts";

const routing = { ...shippedRouting, prefixBits: 24 };
const seed = "trials";

function hopsIn(nodes: number, staleShare: number, walks = 60): readonly number[] {
  const world = new LookupWorld(nodes, { dice: new Dice(seed), routing, staleShare });
  return Array.from({ length: walks }, () => world.walk().hops);
}

test("a network of one bucket takes one hop, and a larger one not many more", (t) => {
  t.ok(hopsIn(20, 0).every((hops) => hops === 1), "everybody knows everybody");
  t.ok(hopsIn(20, 1).every((hops) => hops === 0), "nobody answers, nothing is found");
  const [few, many] = [hopsIn(500, 0), hopsIn(20_000, 0)];
  t.ok([...few, ...many].every((hops) => hops > 0), "each is found where all answer");
  t.ok(meanOf(few) < meanOf(many), `${meanOf(few)} below ${meanOf(many)}`);
  // A hop brings the 20 nearest of what a peer tells: four bits and more of the fifteen.
  t.ok(quantileOf(many, 0.95) <= Math.ceil(Math.log2(20_000 / 20) / 4) + 1);
  t.end();
});

test("a miss that chance explains proves nothing, nor does a hit by chance", (t) => {
  const figure: Figure = {
    name: "losses", claimed: { is: "at most", value: 1 }, simulated: 1.5, unit: "a year",
  };
  t.equal(verdictOf(figure), "DOES NOT HOLD");
  t.equal(verdictOf({ ...figure, error: 0.3 }), "too few to tell");
  t.equal(verdictOf({ ...figure, simulated: 0.9 }), "holds");
  const about: Figure = { ...figure, claimed: { is: "about", value: 1 }, within: 0.1 };
  t.equal(verdictOf({ ...about, simulated: 1.05, error: 0.01 }), "holds");
  t.equal(verdictOf({ ...about, simulated: 1.05, error: 0.5 }), "too few to tell");
  t.equal(verdictOf({ ...about, simulated: 1.2, error: 0.01 }), "DOES NOT HOLD");
  t.equal(verdictOf({ ...about, simulated: Infinity, error: Infinity }), "too few to tell");
  t.end();
});

test("the same seed tells the same bytes, as a table, as JSON and as a picture", (t) => {
  const scale = { nodes: 30, years: 1, seed, tell: () => {} };
  const [one, other] = [lookups(scale), lookups(scale)];
  t.equal(jsonOf(scale, one), jsonOf(scale, other));
  const told = JSON.parse(jsonOf(scale, one)) as { figures: { verdict: string }[] };
  t.equal(told.figures.length, one.figures.length);
  const endless = { ...one, figures: one.figures.map((figure) => ({ ...figure, error: Infinity })) };
  const read = outcomeIn(jsonOf(scale, endless), scale);
  t.equal(jsonOf(scale, read ?? one), jsonOf(scale, endless), "what was written down goes on");
  t.equal(outcomeIn(jsonOf(scale, one), { ...scale, seed: "another" }), undefined);
  t.match(tableOf(one.figures), /hops of those, mean/);
  const [series] = one.series;
  t.match(series === undefined ? "" : svgOf(series), /^<svg [^]*<path d="M[^]*<\/svg>\n$/);
  t.notMatch(series === undefined ? "NaN" : svgOf(series), /NaN|Infinity/);
  t.end();
});
