/**
 * What those who only take can have. Three of ten peers keep nothing for anybody and would store
 * all they can with everybody else; they say that they keep much for each other, each under many
 * names. Whom a giver lends to, and how much, is for the product's ledger (ledger/standing.ts),
 * which sees of a large town what lies within its reach.
 */
import { GiB, KiB } from "../../../src/base/bytes.ts";
import type { PeerId } from "../../../src/base/ids.ts";
import { limits } from "../../../src/base/limits.ts";
import { type Debt, type Demand, Lending, withinReach } from "../../../src/ledger/standing.ts";
import { Dice } from "../dice.ts";
import type { Figure, Outcome, Scale } from "../figure.ts";
import { errorOf, meanOf } from "../statistics.ts";
import { Town } from "../town.ts";
import { standard } from "./worlds.ts";

const ridersShare = 0.3;
/** What three of them may have by themselves is all that newcomers may have together. */
const ridersMax = 1000;
const namesOfEach = 10;
const quotaBytes = 50 * GiB;
/** A giver's shards with all holders together: as much as it gives, less some room. */
const keptBytes = 40 * GiB;
const boastBytes = 1024 * GiB;
const askedMax = 20;
/** Of a giver's clients, so many are looked at one by one. */
const clientsMax = 10;
/** What a giver has with one server. */
const each = keptBytes / standard.n / KiB;

/** Those who ask, all that each would have of one giver, and what they say of each other. */
interface Riders {
  readonly demands: readonly Demand[];
  readonly boasts: readonly Debt[];
}

export function riders(scale: Scale): Outcome {
  scale.tell("riders");
  return { figures: [1, namesOfEach].flatMap((names) => figuresOf(scale, names)), series: [] };
}

function figuresOf({ seed, nodes }: Scale, names: number): readonly Figure[] {
  const dice = new Dice(`${seed}/riders/${names}`);
  const giversMax = Math.round(nodes * (1 - ridersShare));
  const town = new Town(dice, { giversMax, turns: standard.n });
  const ring = ridersOf(Math.min(ridersMax, nodes - giversMax), names);
  const asked = Array.from({ length: Math.min(askedMax, town.givers) }, (_, at) => {
    const debts = withinReach(nameOf(at), [...debtsAround(town, at), ...ring.boasts]);
    return { self: at, debts };
  });
  const lost = asked.map((one) => lentToRiders(ring, one) / (quotaBytes / KiB));
  const covered = asked.map((one) => coveredShare(town, one));
  const room = meanOf(asked.map((one) => roomShare(town, ring, one)));
  const who = names === 1 ? "30 % that only take" : `the same under ${names} names each`;
  return [{
    name: `a giver's quota that goes to ${who}`, unit: "of its quota",
    claimed: { is: "at most", value: 0.05 },
    // What is summed in another order may differ in its last bit.
    simulated: Number(meanOf(lost).toPrecision(9)), error: errorOf(lost),
  }, {
    name: `what givers have with each other that their merits cover, beside ${who}`,
    unit: "of it", claimed: { is: "at least", value: 0.99 },
    simulated: meanOf(covered), error: errorOf(covered),
    note: `each alone, as arrears are told; all at once, after the riders: ${room.toFixed(2)}`,
  }];
}

function ridersOf(count: number, names: number): Riders {
  const ring = Array.from({ length: count * names }, (_, at) => `rider ${at}` as PeerId);
  // Two who agree may sign whatever they like of each other.
  const boasts = ring.map((client, at): Debt => {
    const server = ring[(at + 1) % ring.length] as PeerId;
    return { client, server, amount: boastBytes / KiB };
  });
  // All names of one rider come from its own part of the internet.
  const demands = ring.map((peer, at): Demand => ({
    amount: boastBytes / KiB, devices: [peer], prefix: `${at % count}`,
  }));
  return { demands, boasts };
}

/** Whoever is in debt to somebody, ring by ring, as far as the ledger looks at anybody. */
function debtsAround(town: Town, self: number): readonly Debt[] {
  const { depthMax, peersMax } = limits.ledger;
  const debts: Debt[] = [];
  const seen = new Set([self]);
  let ring: readonly number[] = [self];
  for (let depth = 0; depth < depthMax; depth++) {
    const next: number[] = [];
    for (const client of ring) {
      for (const server of town.serversOf(client)) {
        debts.push({ client: nameOf(client), server: nameOf(server), amount: each });
        if (seen.has(server) || seen.size >= peersMax) continue;
        seen.add(server);
        next.push(server);
      }
    }
    ring = next;
  }
  return debts;
}

interface Asked {
  readonly self: number;
  readonly debts: readonly Debt[];
}

function lentToRiders({ demands }: Riders, asked: Asked): number {
  return lendingOf(asked).serve(demands);
}

/** Of what other givers have here, the part that their merits cover: alone, as arrears are told. */
function coveredShare(town: Town, asked: Asked): number {
  const clients = town.clientsOf(asked.self).slice(0, clientsMax);
  return meanOf(clients.map((client) => {
    return lendingOf(asked).serve([{ amount: each, devices: [nameOf(client)] }]) / each;
  }));
}

/** The same, all of them at once and riders first: what could be taken in new. */
function roomShare(town: Town, { demands }: Riders, asked: Asked): number {
  const lending = lendingOf(asked);
  lending.serve(demands);
  const others = town.clientsOf(asked.self).map((client): Demand => {
    return { amount: each, devices: [nameOf(client)] };
  });
  return lending.serve(others) / others.reduce((sum, { amount }) => sum + amount, 0);
}

function lendingOf({ self, debts }: Asked): Lending {
  const { allowanceBytes, newcomersShare, newcomersPrefixShare } = limits.ledger;
  const together = (quotaBytes * newcomersShare) / KiB;
  return new Lending(nameOf(self), debts, {
    each: allowanceBytes / KiB, ofPrefix: together * newcomersPrefixShare, together,
  });
}

function nameOf(giver: number): PeerId {
  return `giver ${giver}` as PeerId;
}
