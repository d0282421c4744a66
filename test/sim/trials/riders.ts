/**
 * What those who only take can have. Three of ten peers keep nothing for anybody and would store
 * all they can with everybody else; they say that they keep much for each other, each under many
 * names. Whom a giver lends to, and how much, is for the product's ledger (ledger/standing.ts).
 */
import { GiB, KiB } from "../../../src/base/bytes.ts";
import type { PeerId } from "../../../src/base/ids.ts";
import { limits } from "../../../src/base/limits.ts";
import { type Debt, type Demand, Lending, withinReach } from "../../../src/ledger/standing.ts";
import { Dice } from "../dice.ts";
import type { Figure, Outcome, Scale } from "../figure.ts";
import { errorOf, meanOf } from "../statistics.ts";
import { standard } from "./worlds.ts";

const ridersShare = 0.3;
/** A giver's debts are followed through four steps: a small town is all within reach. */
const townMax = 200;
const namesOfEach = 10;
const quotaBytes = 50 * GiB;
/** A giver's shards with all holders together: as much as it gives, less some room. */
const keptBytes = 40 * GiB;
const boastBytes = 1024 * GiB;
const askedMax = 20;

interface Town {
  readonly givers: readonly PeerId[];
  /** All that each would have of one giver. */
  readonly riders: readonly Demand[];
  readonly debts: readonly Debt[];
}

export function riders(scale: Scale): Outcome {
  scale.tell("riders");
  const nodes = Math.min(scale.nodes, townMax);
  const figures = [1, namesOfEach].flatMap((names) => figuresOf(scale, nodes, names));
  return { figures, series: [] };
}

function figuresOf({ seed }: Scale, nodes: number, names: number): readonly Figure[] {
  const dice = new Dice(`${seed}/riders/${names}`);
  const town = makeTown(dice, nodes, names);
  const asked = town.givers.slice(0, askedMax);
  const lost = asked.map((self) => lentToRiders(town, self) / (quotaBytes / KiB));
  const covered = asked.map((self) => coveredShare(town, self));
  const room = meanOf(asked.map((self) => roomShare(town, self)));
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

function makeTown(dice: Dice, nodes: number, names: number): Town {
  const count = Math.round(nodes * ridersShare);
  const givers = namesFor("giver", nodes - count);
  const ring = namesFor("rider", count * names);
  const each = keptBytes / standard.n / KiB;
  const real = givers.flatMap((client) => {
    return pick(dice, givers.filter((one) => one !== client)).map((server): Debt => {
      return { client, server, amount: each };
    });
  });
  // Two who agree may sign whatever they like of each other.
  const boasts = ring.map((client, at): Debt => {
    const server = ring[(at + 1) % ring.length] as PeerId;
    return { client, server, amount: boastBytes / KiB };
  });
  // All names of one rider come from its own part of the internet.
  const riders = ring.map((peer, at): Demand => ({
    amount: boastBytes / KiB, devices: [peer], prefix: `${at % count}`,
  }));
  return { givers, riders, debts: [...real, ...boasts] };
}

function lentToRiders({ riders, debts }: Town, self: PeerId): number {
  return lendingOf(self, debts).serve(riders);
}

/** Of what other givers have here, the part that their merits cover: alone, as arrears are told. */
function coveredShare({ debts }: Town, self: PeerId): number {
  const here = debts.filter(({ server }) => server === self);
  return meanOf(here.map(({ client, amount }) => {
    return lendingOf(self, debts).serve([{ amount, devices: [client] }]) / amount;
  }));
}

/** The same, all of them at once and riders first: what could be taken in new. */
function roomShare({ riders, debts }: Town, self: PeerId): number {
  const here = debts.filter(({ server }) => server === self);
  const lending = lendingOf(self, debts);
  lending.serve(riders);
  const demands = here.map(({ client, amount }): Demand => ({ amount, devices: [client] }));
  return lending.serve(demands) / demands.reduce((sum, { amount }) => sum + amount, 0);
}

function lendingOf(self: PeerId, debts: readonly Debt[]): Lending {
  const { allowanceBytes, newcomersShare, newcomersPrefixShare } = limits.ledger;
  const together = (quotaBytes * newcomersShare) / KiB;
  return new Lending(self, withinReach(self, debts), {
    each: allowanceBytes / KiB, ofPrefix: together * newcomersPrefixShare, together,
  });
}

function namesFor(what: string, count: number): readonly PeerId[] {
  return Array.from({ length: count }, (_, at) => `${what} ${at}` as PeerId);
}

/** As many as a group has members. */
function pick(dice: Dice, from: readonly PeerId[]): readonly PeerId[] {
  const left = [...from];
  return Array.from({ length: Math.min(standard.n, from.length) }, () => {
    const [one] = left.splice(dice.below(left.length), 1);
    return one as PeerId;
  });
}
