/** Peers that sign for each other what never was, and one that signs two things at one place. */
import type { PeerId } from "../../src/base/ids.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { replyTo } from "../../src/ledger/chain.ts";
import { acceptAdmission, beforeFirst, hashOf, parseFraud, signAdmission }
  from "../../src/ledger/entry.ts";
import { type Debt, Lending, noTrial, withinReach } from "../../src/ledger/standing.ts";
import type { Cheat, Played } from "./cheats.ts";

const atOnce = { withinHours: 0, atLeast: 1 };
const us = "us" as PeerId;
const honestPeers = 12;
const nowMs = 1_790_000_000_000;

export const ledgerCheats: readonly Cheat[] = [
  { name: "signs terabytes in a ring", by: "the flow", ...atOnce, play: ring },
  { name: "signs two records of one place", by: "its server", ...atOnce, play: doubleRecord },
];

/** Found: all of it has no more than honest peers owe it. Condemned: who has less for it. */
async function ring(seed: string): Promise<Played> {
  const dice = seededRandom(`ring/${seed}`);
  const size = 2 + dice.below(40);
  const honest = debtsAmong([us, ...named("honest", honestPeers)], dice);
  const liars = named("liar", size);
  const real: Debt[] = [
    { client: us, server: pick(liars, dice), amount: dice.below(500) },
    { client: pick(named("honest", honestPeers), dice), server: pick(liars, dice), amount: 200 },
  ];
  const made = liars.flatMap((client, at) => {
    return [1, 2].map((step) => {
      return { client, server: liars[(at + step) % size] as PeerId, amount: 1e12 };
    });
  }).filter(({ client, server }) => client !== server);
  const debts = withinReach(us, [...honest, ...real, ...made]);
  const lending = new Lending(us, debts, noTrial);
  const lent = liars.reduce((sum, peer) => {
    return sum + lending.serve([{ amount: 1e9, devices: [peer] }]);
  }, 0);
  const most = real.reduce((sum, { amount }) => sum + amount, 0);
  const before = new Lending(us, withinReach(us, [...honest, ...real]), noTrial);
  const after = new Lending(us, debts, noTrial);
  const condemned = named("honest", honestPeers).filter((peer) => {
    return after.standing([peer]) < before.standing([peer]) - 1e-6;
  }).length;
  return { foundHours: lent <= most + 1e-6 ? 0 : undefined, condemned };
}

function debtsAmong(all: readonly PeerId[], dice: Random): readonly Debt[] {
  return Array.from({ length: all.length * 4 }, () => {
    return { client: pick(all, dice), server: pick(all, dice), amount: dice.below(1000) };
  }).filter(({ client, server }) => client !== server && server !== us);
}

function named(kind: string, count: number): readonly PeerId[] {
  return Array.from({ length: count }, (_, at) => `${kind}-${at}` as PeerId);
}

function pick(peers: readonly PeerId[], dice: Random): PeerId {
  return peers[dice.below(peers.length)] as PeerId;
}

/** The proof is read by somebody who has heard of neither; a word said twice is none. */
async function doubleRecord(seed: string): Promise<Played> {
  const random = seededRandom(`double/${seed}`);
  const [server, client] = [peerKeysOf(random.bytes(32)), peerKeysOf(random.bytes(32))];
  const counts = { kept: 1 + random.below(1e9), watched: 86_400, repaired: 0, sent: 9 };
  const place = { server: server.peer, book: random.bytes(8).toString("hex"), number: 1 };
  const first = signAdmission(client, { ...place, last: beforeFirst, atMs: nowMs, ...counts });
  const entry = acceptAdmission(server, first);
  const where = { self: server.peer, from: client.peer, nowMs: nowMs + 3_600_000 };
  const lie = signAdmission(client, { ...first, kept: random.below(counts.kept) });
  const reply = replyTo(lie, entry, where);
  const isFound = reply.do === "expose" && parseFraud(reply.fraud.bytes).peer === client.peer;
  const next = signAdmission(client, {
    ...first, number: 2, last: hashOf(first), kept: first.kept + 1,
  });
  const honest = [replyTo(first, entry, where), replyTo(next, entry, where)];
  const condemned = honest.filter((one) => one.do === "expose").length;
  return { foundHours: isFound ? 0 : undefined, condemned };
}
