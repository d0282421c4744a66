/**
 * The ledger by numbers: node test/bench/ledger.ts [--debts N] [--peers N] [--drives N] [--seed S]
 * How long a search takes that decides what a stranger may have, how long an entry takes to write,
 * sign and check, and what a question of the longest kind costs whoever answers it.
 */
import { parseArgs } from "node:util";
import type { PeerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { acceptAdmission, beforeFirst, parseEntry, signAdmission } from "../../src/ledger/entry.ts";
import { encodeQuestion, parseQuestion } from "../../src/ledger/message.ts";
import { type Debt, coveredBeside, withinReach } from "../../src/ledger/standing.ts";

const { values } = parseArgs({
  options: {
    debts: { type: "string", default: "60000" },
    peers: { type: "string", default: "5000" },
    drives: { type: "string", default: "500" },
    seed: { type: "string", default: "1" },
  },
});
const dice = seededRandom(`bench.ledger/${values.seed}`);
const us = "us" as PeerId;
const peer = (): PeerId => `peer-${dice.below(Number(values.peers))}` as PeerId;

function medianMs(rounds: number, act: () => void): string {
  const times = Array.from({ length: rounds }, () => {
    const startMs = performance.now();
    act();
    return performance.now() - startMs;
  }).sort((one, other) => one - other);
  return `${(times[rounds >> 1] as number).toFixed(2)} ms`;
}

const all: Debt[] = [
  ...Array.from({ length: 80 }, () => ({ client: us, server: peer(), amount: 1000 })),
  ...Array.from({ length: Number(values.debts) }, () => {
    return { client: peer(), server: peer(), amount: dice.below(1000) };
  }).filter(({ client, server }) => client !== server),
];
const debts = withinReach(us, all);
const others = Array.from({ length: Number(values.drives) }, () => {
  return { amount: dice.below(300), devices: [peer()] };
});
const trial = { each: 10, ofPrefix: 60, together: 500 };
const search = () => coveredBeside(
  { self: us, debts, trial, others }, { amount: 500, devices: [peer()] },
);
console.log(`what is looked at of ${all.length} debts: ${debts.length} (at most ` +
  `${limits.ledger.edgesMax}), found in ${medianMs(9, () => void withinReach(us, all))}`);
console.log(`a search beside ${others.length} drives: ${medianMs(9, search)}`);

const [server, client] = [peerKeysOf(dice.bytes(32)), peerKeysOf(dice.bytes(32))];
const told = {
  server: server.peer, book: "00".repeat(8), number: 1, last: beforeFirst, atMs: 1e12,
  kept: 1, watched: 1, repaired: 0, sent: 0,
};
const entry = acceptAdmission(server, signAdmission(client, told));
console.log(`an entry of ${entry.bytes.length} bytes: written and signed by both in ` +
  `${medianMs(99, () => void acceptAdmission(server, signAdmission(client, told)))}, ` +
  `checked in ${medianMs(99, () => void parseEntry(entry.bytes))}`);
const entries = new Array<typeof entry>(limits.ledger.entriesShown).fill(entry);
const question = encodeQuestion({ newest: entry, next: undefined, entries, frauds: [] });
console.log(`the longest question, ${question.length} bytes: checked in ` +
  medianMs(9, () => void parseQuestion(question)));
