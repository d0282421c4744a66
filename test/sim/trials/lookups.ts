/** How many hops a lookup takes, with three of ten entries of all tables stale. */
import { Dice } from "../dice.ts";
import type { Figure, Outcome, Scale, Series } from "../figure.ts";
import { LookupWorld, type Routing, type Walk, shippedRouting } from "../lookups.ts";
import { errorOf, meanOf, quantileOf } from "../statistics.ts";

const staleShare = 0.3;
const walksOfEach = 2000;
const hopsMax = 10;

export function lookups(scale: Scale): Outcome {
  scale.tell("lookups");
  // Enough bits to tell the twenty nearest of a million apart.
  const deep = walksIn(scale, { ...shippedRouting, prefixBits: 24 });
  const shipped = walksIn(scale, shippedRouting);
  const deepName = "tables of 24 bits";
  const shippedName = `tables of ${shippedRouting.prefixBits} bits, as kad-dht has them by default`;
  return {
    figures: [...figuresOf(deep, deepName), ...figuresOf(shipped, shippedName)],
    series: [seriesOf([[deepName, deep], ["tables of 6 bits", shipped]])],
  };
}

function walksIn({ nodes, seed }: Scale, routing: Routing): readonly Walk[] {
  const dice = new Dice(`${seed}/lookups/${routing.prefixBits}`);
  const world = new LookupWorld(nodes, { dice, routing, staleShare });
  return Array.from({ length: walksOfEach }, () => world.walk());
}

function figuresOf(walks: readonly Walk[], which: string): readonly Figure[] {
  const hops = walks.map((walk) => walk.hops).filter((count) => count > 0);
  const requests = meanOf(walks.map((walk) => walk.requests));
  return [{
    name: `lookups that find who keeps a record, ${which}`, unit: "of all",
    claimed: { is: "at least", value: 0.99 }, simulated: hops.length / walks.length,
    note: `${requests.toFixed(0)} requests on the average`,
  }, {
    name: `hops of those, mean, ${which}`, unit: "hops",
    claimed: { is: "at most", value: 3.8 }, simulated: meanOf(hops), error: errorOf(hops),
  }, {
    name: `hops of those, p95, ${which}`, unit: "hops",
    claimed: { is: "at most", value: 5 }, simulated: quantileOf(hops, 0.95),
  }];
}

function seriesOf(all: readonly (readonly [string, readonly Walk[]])[]): Series {
  const lines = all.map(([name, walks]) => ({
    name,
    points: Array.from({ length: hopsMax + 1 }, (_, hops) => {
      return [hops, walks.filter((walk) => walk.hops === hops).length / walks.length] as const;
    }),
  }));
  return { name: "hops", x: "hops (0: not found)", y: "share of lookups", lines };
}
