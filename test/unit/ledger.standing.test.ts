/**
 * Who may have what: the flow is the largest there is, made-up peers get what flows into them and
 * no more, cheats that sign for each other gain nothing, and nobody honest is ever condemned.
 */
import { test } from "tap";
import type { PeerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { FlowGraph } from "../../src/ledger/flow.ts";
import { type Debt, type Demand, Lending, coveredBeside, noTrial, withinReach }
  from "../../src/ledger/standing.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `(HIVE_SEED=${seed})`;
const random = seededRandom(`ledger.standing/${seed}`);
const us = "us" as PeerId;
const named = (name: string | number): PeerId => `peer-${name}` as PeerId;

/** Ford and Fulkerson's, one path at a time over a matrix: slow, and as plain as can be. */
function plainFlow(nodes: number, edges: readonly (readonly [number, number, number])[]): number {
  const room = Array.from({ length: nodes }, () => new Array<number>(nodes).fill(0));
  for (const [from, to, amount] of edges) room[from]![to]! += amount;
  const push = (node: number, most: number, seen: Set<number>): number => {
    if (node === 1) return most;
    seen.add(node);
    for (let to = 0; to < nodes; to++) {
      const left = room[node]![to]!;
      if (left < 1e-9 || seen.has(to)) continue;
      const got = push(to, Math.min(most, left), seen);
      if (got === 0) continue;
      room[node]![to]! -= got;
      room[to]![node]! += got;
      return got;
    }
    return 0;
  };
  let sum = 0;
  for (let got = push(0, Infinity, new Set()); got > 0; got = push(0, Infinity, new Set())) sum += got;
  return sum;
}

test(`the flow is the largest there is, in one go or bit by bit ${replay}`, (t) => {
  for (let round = 0; round < 300; round++) {
    const nodes = 3 + random.below(9);
    const edges = Array.from({ length: random.below(40) }, () => {
      return [random.below(nodes), random.below(nodes), random.below(20)] as const;
    }).filter(([from, to]) => from !== to);
    const graph = new FlowGraph();
    for (let node = 0; node < nodes; node++) graph.node();
    let sum = 0;
    for (const [at, [from, to, amount]] of edges.entries()) {
      graph.edge(from, to, amount);
      if (at % 7 === round % 7) sum += graph.send(0, 1);
    }
    sum += graph.send(0, 1);
    if (Math.abs(sum - plainFlow(nodes, edges)) > 1e-6) t.fail(`round ${round}`);
  }
  t.pass("300 graphs");
  t.end();
});

/** Honest peers in debt to each other, as chance will have it. */
function honestDebts(peers: number, dice: Random): Debt[] {
  const all = [us, ...Array.from({ length: peers }, (_, at) => named(at))];
  return Array.from({ length: peers * 4 }, () => {
    const [client, server] = [all[dice.below(all.length)]!, all[dice.below(all.length)]!];
    return { client, server, amount: dice.below(1000) };
  }).filter(({ client, server }) => client !== server && server !== us);
}

/** A ring of made-up peers, each owing all others more than there is. */
function ring(size: number, dice: Random): Debt[] {
  const debts: Debt[] = [];
  for (let at = 0; at < size; at++) {
    for (const step of [1, 2, 1 + dice.below(size - 1)]) {
      const [client, server] = [named(`sybil-${at}`), named(`sybil-${(at + step) % size}`)];
      if (client !== server) debts.push({ client, server, amount: 1e12 });
    }
  }
  return debts;
}

test(`a ring of any size gets no more than the cut of honest debts into it ${replay}`, (t) => {
  for (let round = 0; round < 40; round++) {
    const dice = seededRandom(`sybil/${seed}/${round}`);
    const size = 2 + dice.below(300);
    const honest = honestDebts(3 + dice.below(20), dice);
    const cut: Debt[] = Array.from({ length: 1 + dice.below(6) }, () => ({
      client: dice.below(4) === 0 ? us : named(dice.below(20)),
      server: named(`sybil-${dice.below(size)}`), amount: dice.below(500),
    }));
    const debts = withinReach(us, [...honest, ...ring(size, dice), ...cut]);
    const lending = new Lending(us, debts, noTrial);
    let lent = 0;
    // Each made-up drive in turn asks for all it can get; some share devices.
    for (let at = 0; at < size; at++) {
      const devices = [named(`sybil-${at}`), named(`sybil-${dice.below(size)}`)];
      lent += lending.serve([{ amount: 1e9, devices }]);
    }
    const most = cut.reduce((sum, { amount }) => sum + amount, 0);
    if (lent > most + 1e-6) t.fail(`round ${round}: ${lent} of ${most}`);
    const devices = [named("sybil-0"), named("sybil-1")];
    const fresh = new Lending(us, debts, noTrial);
    const alone = fresh.standing(devices);
    if (fresh.standing(devices) !== alone) t.fail(`round ${round}: asking changes something`);
    if (alone > most + 1e-6) t.fail(`round ${round}: alone ${alone} of ${most}`);
  }
  t.pass("40 rings");
  t.end();
});

test("two cheats that sign each other terabytes gain nothing", (t) => {
  const [one, two] = [named("one"), named("two")];
  const real: Debt[] = [
    { client: us, server: named("honest"), amount: 900 },
    { client: us, server: one, amount: 100 }, { client: named("honest"), server: two, amount: 50 },
  ];
  const signed = [{ client: one, server: two, amount: 1e15 }, { client: two, server: one, amount: 1e15 }];
  const together = (debts: readonly Debt[]): number =>
    new Lending(us, withinReach(us, debts), noTrial).serve(
      [one, two].map((peer) => ({ amount: 1e9, devices: [peer] })),
    );
  t.equal(together(real), 150);
  t.equal(together([...real, ...signed]), 150);
  t.end();
});

test("half of what a peer earned is its own; its creditors may draw on the rest", (t) => {
  const [giver, creditor] = [named("giver"), named("creditor")];
  const debts = withinReach(us, [
    { client: us, server: giver, amount: 100 }, { client: giver, server: creditor, amount: 1e9 },
  ]);
  const drawn = { amount: 1e9, devices: [creditor] };
  const asked = { amount: 100, devices: [giver] };
  const us100 = { self: us, debts, trial: noTrial };
  t.equal(coveredBeside({ ...us100, others: [] }, drawn), 50);
  t.equal(coveredBeside({ ...us100, others: [drawn] }, asked), 50, "the giver keeps its own half");
  t.equal(coveredBeside({ ...us100, others: [asked] }, drawn), 0, "and no KiB is lent twice");
  t.end();
});

test(`who gives as much as it takes is good for it, whatever others sign ${replay}`, (t) => {
  for (let round = 0; round < 100; round++) {
    const dice = seededRandom(`honest/${seed}/${round}`);
    const kept = dice.below(1000);
    const debts = [
      { client: us, server: named("honest"), amount: kept },
      ...honestDebts(10, dice), ...ring(2 + dice.below(40), dice),
      { client: named("honest"), server: named("sybil-0"), amount: 1e12 },
    ];
    const covered = coveredBeside(
      { self: us, debts: withinReach(us, debts), trial: noTrial, others: [] },
      { amount: kept, devices: [named("honest")] },
    );
    if (Math.abs(covered - kept) > 1e-6) t.fail(`round ${round}: ${covered} of ${kept}`);
  }
  t.pass("100 rounds");
  t.end();
});

test("newcomers have a trial each, and one bound together", (t) => {
  const lending = new Lending(us, [], { each: 10, ofPrefix: 5, together: 35 });
  const asks: Demand[] = Array.from({ length: 5 }, (_, at) => ({ amount: 12, devices: [named(at)] }));
  t.strictSame(asks.map((ask) => lending.serve([ask])), [10, 10, 10, 5, 0]);
  const near = new Lending(us, [], { each: 10, ofPrefix: 15, together: 35 });
  const ofOne = asks.map((ask) => near.serve([{ ...ask, prefix: "192.0.2.0/24" }]));
  t.strictSame(ofOne, [10, 5, 0, 0, 0], "those of one prefix together");
  t.equal(near.serve([{ ...asks[0]!, prefix: "198.51.100.0/24" }]), 10);
  t.end();
});

test(`a graph of ${limits.ledger.edgesMax} debts is searched in well under a second`, (t) => {
  const dice = seededRandom(`large/${seed}`);
  const debts = withinReach(us, [
    ...Array.from({ length: 80 }, (_, at) => ({ client: us, server: named(at), amount: 1000 })),
    ...Array.from({ length: 60_000 }, () => ({
      client: named(dice.below(5000)), server: named(dice.below(5000)), amount: dice.below(1000),
    })).filter(({ client, server }) => client !== server),
  ]);
  const others = Array.from({ length: 500 }, () => {
    return { amount: dice.below(300), devices: [named(dice.below(5000))] };
  });
  const asked = { amount: 500, devices: [named(4999)] };
  const start = process.threadCpuUsage();
  coveredBeside({ self: us, debts, trial: { each: 10, ofPrefix: 60, together: 500 }, others }, asked);
  // Of the processor, which others may want as well.
  const ms = process.threadCpuUsage(start).user / 1000;
  t.ok(debts.length <= limits.ledger.edgesMax);
  t.ok(ms < 1000, `${ms.toFixed(0)} ms`);
  t.comment(`${debts.length} debts, ${others.length} drives: ${ms.toFixed(0)} ms`);
  t.end();
});
