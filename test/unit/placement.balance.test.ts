/** Peers that join an old network empty: how much is moved to them, and that it comes to rest. */
import { test } from "tap";
import type { PeerId } from "../../src/base/ids.ts";
import { parseGroupId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import type { Offer } from "../../src/base/records.ts";
import { planShift } from "../../src/placement/standing/balance.ts";
import { Levelling } from "../support/levelling.ts";

const first = Number(process.env["HIVE_SEED"] ?? 1);
const [seeds, calmSeeds] = [9, 3];
const replay = (seed: number) => {
  return `replay: HIVE_SEED=${seed} node test/unit/placement.balance.test.ts`;
};
const { levelBand } = limits.placement;

test("newcomers are filled, no more bytes move than it takes, and then there is rest", (t) => {
  for (let seed = first; seed < first + seeds; seed++) {
    const options = { peers: 27, newcomers: 1 + (seed % 9), owners: 12, turns: 160 };
    const levelled = new Levelling(String(seed), options).run();
    const { movedBytes, leastBytes, fullness, level, newcomers, barred, wrong } = levelled;
    const factor = movedBytes / leastBytes;
    if (factor > 1.05) t.fail(`${factor} times the least; ${replay(seed)}`);
    if (wrong.length > 0) t.fail(`${wrong[0]}; ${replay(seed)}`);
    if (levelled.lateMoves > 0) t.fail(`${levelled.lateMoves} moves at the end; ${replay(seed)}`);
    for (const peer of newcomers) {
      const full = fullness.get(peer) as number;
      if (barred.includes(peer) ? full > 0 : level - full > 2 * levelBand) {
        t.fail(`a newcomer is ${full} full, all are ${level}; ${replay(seed)}`);
      }
    }
  }
  t.pass(`${seeds} networks`);
  t.end();
});

test("in a network that nobody joins next to nothing moves", (t) => {
  for (let seed = first; seed < first + calmSeeds; seed++) {
    const options = { peers: 27, newcomers: 0, owners: 12, turns: 60 };
    const { movedBytes, leastBytes, lateMoves } = new Levelling(String(seed), options).run();
    if (movedBytes > leastBytes || lateMoves > 0) t.fail(`${movedBytes} bytes; ${replay(seed)}`);
  }
  t.pass(`${calmSeeds} networks`);
  t.end();
});

test("nothing moves that would leave its giver too empty, or its taker too full", (t) => {
  const offers = [offerOf("full", 0.8), offerOf("half", 0.5), offerOf("empty", 0)];
  const group = parseGroupId("ab".repeat(16));
  const shifted = (bytes: number): number => Array.from({ length: 400 }, (_, turn) => {
    return planShift(offers, [{ group, peer: "full" as PeerId, bytes }], turn);
  }).filter((shift) => shift !== undefined && shift.takers[0] === "empty").length;
  // The level is 13 of 30; 11 of 30 are too much.
  t.equal(shifted(37), 0);
  const often = shifted(36);
  t.ok(often > 5 && often < 60, `${often} of 400 turns: an eighth of 11 of 24`);
  t.equal(shifted(0), 0, "where nothing lies nothing is to be moved");
  t.end();
});

test("who claims more than all others together is not given all", (t) => {
  const claims = { ...offerOf("liar", 0), quotaBytes: 2 ** 60, freeBytes: 2 ** 60 };
  const many = Array.from({ length: 20 }, (_, at) => ({
    ...offerOf(`peer ${at}`, 0.6), quotaBytes: 2 ** 40, freeBytes: 0.4 * 2 ** 40,
  }));
  const group = parseGroupId("ab".repeat(16));
  const seats = many.slice(0, 6).map(({ peer }) => ({ group, peer, bytes: 2 ** 30 }));
  const all = [...many, claims];
  const shifts = Array.from({ length: 200 }, (_, turn) => planShift(all, seats, turn));
  t.ok(shifts.every((shift) => shift === undefined), "it weighs as much as a peer of a TiB");
  t.end();
});

function offerOf(peer: string, fullness: number): Offer {
  return {
    peer: peer as PeerId, atMs: 0, household: peer, country: "DE", addresses: [],
    quotaBytes: 100, freeBytes: 100 * (1 - fullness), bytes: new Uint8Array(),
  };
}
