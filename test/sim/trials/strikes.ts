/**
 * Many at once: a network, a country, a version, a fifth of all. What would be lost is counted in a
 * world as it is after half a year, without touching it. What is done about it: tail.ts.
 */
import { lossAtOnce, yearDays } from "../closed-forms.ts";
import { Dice } from "../dice.ts";
import type { Figure, Outcome, Scale } from "../figure.ts";
import { codeOf, spreadPolicy } from "../places.ts";
import { nobody } from "../seats.ts";
import { errorOf, meanOf } from "../statistics.ts";
import type { World } from "../world.ts";
import { aged, plainWorld, standard } from "./worlds.ts";

/** What may fall as one: a network, a country, all that run one version. */
const struckDomains = ["asn", "country", "version"] as const;
/** Those that the policy with caps has caps on. */
const cappedDomains = ["asn", "country"] as const;
type StruckDomain = (typeof struckDomains)[number];
/** Groups of one owner. */
const ownedGroups = 10;
const fifth = 0.2;
const trials = 40;

export function strikes(scale: Scale): Outcome {
  scale.tell("networks, countries and versions");
  const spread = aged({ ...plainWorld(scale, yearDays), policy: spreadPolicy });
  const anywhere = aged(plainWorld(scale, yearDays));
  const domains = [
    ...cappedDomains.map((domain) => capped(worstDomain(spread, domain), domain)),
    ...struckDomains.map((domain) => loose(worstDomain(anywhere, domain), domain)),
  ];
  scale.tell("a fifth of all at once");
  return { figures: [...domains, ...fifthFigures(scale, anywhere)], series: [] };
}

function capped({ lost, note }: Worst, domain: StruckDomain): Figure {
  return {
    name: `segments lost with the worst ${domain}, policy with caps`, unit: "segments", note,
    claimed: { is: "at most", value: 0 }, simulated: lost,
  };
}

function loose({ lost, note, groups }: Worst, domain: StruckDomain): Figure {
  return {
    name: `segments lost with the worst ${domain}, default policy`, unit: "of all", note,
    claimed: { is: "at most", value: 0 }, simulated: lost / groups,
  };
}

interface Worst {
  readonly lost: number;
  readonly groups: number;
  readonly note: string;
}

function worstDomain(world: World, domain: StruckDomain): Worst {
  const domainOf = (peer: number): number => {
    return codeOf(world.places, world.peers.placeOf[peer] as number, domain);
  };
  const lostOf = new Map<number, number>();
  for (let group = 0; group < world.groups.count; group++) {
    const struck = new Map<number, number>();
    for (const peer of livingOf(world, group)) {
      struck.set(domainOf(peer), (struck.get(domainOf(peer)) ?? 0) + 1);
    }
    const living = world.groups.living[group] as number;
    for (const [one, count] of struck) {
      if (living - count < standard.k) lostOf.set(one, (lostOf.get(one) ?? 0) + 1);
    }
  }
  const sizes = new Map<number, number>();
  for (const peer of world.peers.occupants) {
    sizes.set(domainOf(peer), (sizes.get(domainOf(peer)) ?? 0) + 1);
  }
  const largest = Math.max(...sizes.values()) / world.places.count;
  const lost = Math.max(0, ...lostOf.values());
  const note = `the largest has ${(100 * largest).toFixed(1)} % of all peers`;
  return { lost, groups: world.groups.count, note };
}

/** Peers that have a shard of the group's segment. */
function livingOf(world: World, group: number): readonly number[] {
  const { seats } = world.groups;
  const first = group * seats.width;
  return [...seats.peersOf(group)].filter((peer, at) => {
    return peer !== nobody && seats.hasShard(first + at) && world.peers.isAlive(peer);
  });
}

function fifthFigures(scale: Scale, world: World): Outcome["figures"] {
  const dice = new Dice(`${scale.seed}/fifth`);
  const lost: number[] = [];
  const hit: number[] = [];
  for (let trial = 0; trial < trials; trial++) {
    const isLost = lossesOf(world, dice);
    const firsts = Array.from({ length: Math.floor(isLost.length / ownedGroups) }, (_, at) => {
      return Number(isLost.subarray(at * ownedGroups, (at + 1) * ownedGroups).includes(1));
    });
    lost.push(meanOf(isLost));
    hit.push(meanOf(firsts));
  }
  return [{
    name: "a segment lost when a fifth dies at once", unit: "of all", within: 0.15,
    claimed: { is: "about", value: lossAtOnce(standard, fifth) },
    simulated: meanOf(lost), error: errorOf(lost),
    note: "closed form: a group is anywhere between r + 1 and n; here some wait for repair as well",
  }, {
    name: "an owner of 10 groups loses anything then", unit: "of owners",
    claimed: { is: "at most", value: 0.005 }, simulated: meanOf(hit), error: errorOf(hit),
  }];
}

/** Of each group, 1 where it would be lost. */
export function lossesOf(world: World, dice: Dice): Uint8Array {
  const { k } = world.groups.class;
  const isStruck = Uint8Array.from({ length: world.peers.capacity }, () => {
    return Number(dice.unit() < fifth);
  });
  return Uint8Array.from({ length: world.groups.count }, (_, group) => {
    return Number(livingOf(world, group).filter((peer) => isStruck[peer] === 0).length < k);
  });
}
