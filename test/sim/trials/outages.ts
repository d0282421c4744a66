/**
 * Many away at once who all come back: what is repaired in vain meanwhile. A network or a country
 * that is cut off is a cohort, which the product waits for (proofs/cohort.ts); peers here and there
 * that are away together are not, and only the judge of each keeps their seats for them: all of
 * them for half a night, and for a day those of segments that have enough without them.
 */
import type { PeerId } from "../../../src/base/ids.ts";
import { limits } from "../../../src/base/limits.ts";
import { thinFrom } from "../../../src/placement/draws/classes.ts";
import { type Silence, frozenOf } from "../../../src/proofs/cohort.ts";
import { dayMs, thinAtOnce, yearDays } from "../closed-forms.ts";
import { Dice } from "../dice.ts";
import type { Figure, Outcome, Scale } from "../figure.ts";
import { hourMs, mixedLives } from "../lives.ts";
import { codeOf } from "../places.ts";
import { nobody } from "../seats.ts";
import { meanOf } from "../statistics.ts";
import { World, type WorldPlan } from "../world.ts";
import { plainWorld, standard } from "./worlds.ts";

const [many, some] = [0.3, 0.1];
/** So long before, nothing happens but life. */
const learnDays = 45;
const inVainMax = 0.03;
/** Groups of one owner, whose members it knows. */
const ownedGroups = 10;
const ownersAsked = 200;

export function outages(scale: Scale): Outcome {
  const few = { claimed: { is: "at most", value: inVainMax } } as const;
  const value = thinAtOnce(standard, { share: many, thin: thinFrom(standard) });
  const thin = { claimed: { is: "about", value }, within: 0.15 } as const;
  const blips = [
    blip(scale, { share: many, hours: 10, lives: "always" }, few),
    blip(scale, { share: some, hours: 24, lives: "always" }, few),
    blip(scale, { share: many, hours: 24, lives: "always" }, thin),
    blip(scale, { share: many, hours: 24, lives: "mixed" }, few),
  ];
  const world = new World(plainWorld(scale, yearDays));
  const cut = (["asn", "country"] as const).map((domain) => cutOff(world, domain));
  return { figures: [...blips, ...cut], series: [] };
}

interface Blip {
  readonly share: number;
  readonly hours: number;
  readonly lives: "always" | "mixed";
}

/** So many are away for some hours. */
function blip(
  scale: Scale, { share, hours, lives }: Blip, claim: Pick<Figure, "claimed" | "within">,
): Figure {
  const who = `${100 * share} % are gone for ${hours} hours, ${lives} lives`;
  scale.tell(`outages, ${who}`);
  const plan: WorldPlan = { ...plainWorld(scale, yearDays), verdict: "judge" };
  const world = new World(lives === "always" ? plan : {
    ...plan, kinds: mixedLives, learnMs: learnDays * dayMs,
  });
  world.run(learnDays * dayMs);
  const dice = new Dice(`${scale.seed}/blip`);
  const isAway = Uint8Array.from({ length: world.places.count }, () => {
    return Number(dice.unit() < share);
  });
  const affected = seatsAt(world, (place) => isAway[place] === 1);
  world.beginCounting();
  world.hush((place) => isAway[place] === 1, hours * hourMs);
  world.run(world.nowMs + (hours + 24) * hourMs);
  return {
    name: `seats given away while ${who}`,
    unit: "of theirs",
    ...claim, simulated: world.tally.replacedInVain / affected,
    ...(lives === "always" ? { note: "peers that were always there before" } : {}),
  };
}

function seatsAt(world: World, isThere: (place: number) => boolean): number {
  let seats = 0;
  for (const [place, peer] of world.peers.occupants.entries()) {
    if (isThere(place)) seats += world.groups.seats.countOf(peer);
  }
  return seats;
}

/** The largest network or country is gone: of an owner's members there, who is not waited for. */
function cutOff(world: World, domain: "asn" | "country"): Figure {
  // Zipf's first is the largest network, and its country is, if not the largest, a large one.
  const codes = world.peers.occupants.map((_, place) => codeOf(world.places, place, "asn"));
  const struck = codeOf(world.places, codes.indexOf(1), domain);
  const shares: number[] = [];
  for (let owner = 0; owner < ownersAsked; owner++) {
    const silences = silencesOf(world, owner, (place) => {
      return codeOf(world.places, place, domain) === struck;
    });
    const silent = silences.filter(({ sinceMs }) => sinceMs !== undefined);
    if (silent.length === 0) continue;
    shares.push(1 - frozenOf(silences, world.nowMs).size / silent.length);
  }
  return {
    name: `members in a ${domain} that is cut off, who are not waited for`, unit: "of all there",
    claimed: { is: "at most", value: inVainMax }, simulated: meanOf(shares),
    note: `after ${limits.proofs.silenceMsMin / hourMs} hours they may be taken for dead`,
  };
}

/** Of all members of an owner's groups, as its node would tell. */
function silencesOf(
  world: World, owner: number, isSilent: (place: number) => boolean,
): readonly Silence[] {
  const groups = Array.from({ length: ownedGroups }, (_, at) => {
    return (owner * ownedGroups + at) % world.groups.count;
  });
  const members = new Set(groups.flatMap((group) => [...world.groups.seats.peersOf(group)]));
  members.delete(nobody);
  return [...members].map((peer) => {
    const place = world.peers.placeOf[peer] as number;
    return {
      peer: `${peer}` as PeerId, sinceMs: isSilent(place) ? world.nowMs : undefined,
      domains: (["asn", "prefix"] as const).map((word) => {
        return `${word} ${codeOf(world.places, place, word)}`;
      }),
    };
  });
}
