/** What proofs earn and what that is worth: silence earns nothing, and old merits pass. */
import { test } from "tap";
import { GiB, KiB, MiB } from "../../src/base/bytes.ts";
import type { PeerId, SegmentId } from "../../src/base/ids.ts";
import type { Proved } from "../../src/base/ledger.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { type Credit, credited, keptKiB } from "../../src/ledger/credit.ts";
import { type Marks, type Tally, countsOf, decodeMarks, decodeTally, earned, encodeMarks,
  earnedBySample, encodeTally, noTally, watched, without } from "../../src/ledger/earning.ts";
import { acceptAdmission, beforeFirst, signAdmission } from "../../src/ledger/entry.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const hourMs = 3_600_000;
const startMs = 1_790_000_000_000;
const server = peerKeysOf(Buffer.alloc(32, 1));
const client = peerKeysOf(Buffer.alloc(32, 2));
type Outcome = Proved["answers"][number]["outcome"];

function unsampled(nowMs: number) {
  return { nowMs, sampledAtMs: () => 0 };
}

function proved(peer: PeerId, outcome: Outcome, index = 0): Proved {
  const segment = "ab".repeat(32) as SegmentId;
  return { segment, shardBytes: MiB, answers: [{ peer, index, outcome }] };
}

/** What one shard earns by these outcomes, in MiB hours, when each comes so many hours later. */
function run(days: readonly (readonly [hours: number, outcome: Outcome])[]): number {
  let marks: Marks = new Map();
  let [nowMs, sum] = [startMs, 0];
  for (const [hours, outcome] of days) {
    nowMs += hours * hourMs;
    const found = earned(marks, proved(server.peer, outcome), unsampled(nowMs));
    marks = decodeMarks(encodeMarks(found.marks));
    sum += (found.kept.get(server.peer) ?? 0) / KiB / 3600;
  }
  return sum;
}

test("a shard earns by the time between two right proofs of it", (t) => {
  t.equal(run([[0, "right"]]), 0, "the first proof earns nothing");
  t.equal(run([[0, "right"], [1, "right"], [2, "right"]]), 3);
  t.equal(run([[0, "right"], [1, "late"], [1, "right"]]), 2, "a late answer breaks nothing");
  t.equal(run([[0, "right"], [1, "offline"], [1, "right"], [1, "right"]]), 1, "silence does");
  t.equal(run([[0, "right"], [1, "wrong"], [1, "right"]]), 0, "and so does a wrong answer");
  const most = limits.ledger.intervalMsMax / hourMs;
  t.equal(run([[0, "right"], [10_000, "right"]]), most, "nobody looked: a day and no more");
  t.equal(run([[5, "right"], [-3, "right"]]), 0, "a clock that is set back earns nothing");
  t.end();
});

test("a holder's time is its own: another that takes its seat begins anew", (t) => {
  const before = earned(new Map(), proved(server.peer, "right"), unsampled(startMs)).marks;
  const other = peerKeysOf(Buffer.alloc(32, 9)).peer;
  const after = earned(before, proved(other, "right"), unsampled(startMs + hourMs));
  t.equal(after.kept.get(other), 0);
  t.end();
});

test("a tally is admitted in whole units, and the rest is left", (t) => {
  let tally: Tally = watched(noTally, 0, startMs);
  tally = watched(tally, 3600 * 1000 + 7, startMs + hourMs);
  tally = decodeTally(encodeTally({ ...tally, sent: 5 }));
  t.strictSame(countsOf(tally), { kept: 1000, watched: 3600, repaired: 0, sent: 5 });
  const rest = without(tally, countsOf(tally));
  t.strictSame(rest, { ...noTally, kept: 7, lookedAtMs: startMs + hourMs });
  t.end();
});

/** The tally after samples with these outcomes, each an hour after the last one. */
function sampledHours(
  outcomes: readonly Outcome[], keptBytes: (at: number) => number = () => GiB,
): Tally {
  return outcomes.reduce((tally, outcome, at) => {
    const told = { peer: server.peer, keptBytes: keptBytes(at), outcome };
    const after = earnedBySample(tally, told, startMs + at * hourMs);
    return decodeTally(encodeTally(after));
  }, noTally);
}

test("a right sample earns for all that it was drawn from, since the last right one", (t) => {
  const gibHours = (...how: Parameters<typeof sampledHours>): number => {
    return sampledHours(...how).kept / (GiB / KiB) / 3600;
  };
  t.equal(gibHours(["right"]), 0, "the first one earns nothing");
  t.equal(gibHours(["right", "right", "right"]), 2);
  t.equal(gibHours(["right", "late", "right"]), 2, "a late one breaks nothing");
  t.equal(gibHours(["right", "offline", "right", "right"]), 1, "silence does");
  t.equal(gibHours(["right", "right", "wrong", "right"]), 1);
  t.equal(gibHours(["right", "right"], (at) => (1 + at) * GiB), 1, "what came since is worth later");
  t.equal(sampledHours(["right", "right"]).watchedMs, hourMs);
  t.end();
});

test("nobody gains by dropping a part, and a shard is not paid for twice", (t) => {
  const random = seededRandom(`ledger.samples/${seed}`);
  const hours = 5000;
  for (const lost of [0.01, 0.1, 0.5]) {
    const outcomes = Array.from({ length: hours }, (): Outcome => {
      return random.below(1000) < lost * 1000 ? "wrong" : "right";
    });
    const share = sampledHours(outcomes).kept / (GiB / KiB) / 3600 / hours;
    t.ok(share <= 1 - lost + 0.02, `${share} of it, by one leaf an hour, with ${lost} gone`);
  }
  const marks = earned(new Map(), proved(server.peer, "right"), unsampled(startMs)).marks;
  const sampledAtMs = (): number => startMs + 2 * hourMs;
  const found = earned(marks, proved(server.peer, "right"), {
    nowMs: startMs + 3 * hourMs, sampledAtMs,
  });
  t.equal((found.kept.get(server.peer) ?? 0) / KiB / 3600, 1, "a MiB hour since the sample");
  t.end();
});

test("a tally of before there were samples is read", (t) => {
  const old = Buffer.from("0107080900" + "0a", "hex");
  t.strictSame(decodeTally(old), { ...noTally, kept: 7, watchedMs: 8, lookedAtMs: 10 });
  t.end();
});

/** The credit of a server that kept so many KiB on each of these days, with an entry a day. */
function history(kibByDay: readonly number[]): Credit {
  let [kept, days] = [0, 0];
  let credit: Credit | undefined;
  for (const kib of kibByDay) {
    kept += kib * 24;
    days++;
    credit = credited(credit, entryOf({ number: days, kept, days }));
  }
  return credit!;
}

function entryOf({ number, kept, days }: { number: number; kept: number; days: number }) {
  return acceptAdmission(server, signAdmission(client, {
    server: server.peer, book: "00".repeat(8), number, last: beforeFirst,
    atMs: startMs + days * 24 * hourMs, kept, watched: days * 86_400, repaired: 0, sent: 0,
  }));
}

function near(actual: number, expected: number): boolean {
  return Math.abs(actual - expected) <= expected * 0.01;
}

test("credit is what is kept of late: it comes in a day, halves in two, and forgets", (t) => {
  const atMs = (days: number): number => startMs + days * 24 * hourMs;
  t.ok(near(keptKiB(history([1000, 1000]), atMs(2)), 1000), "two days of it");
  t.ok(near(keptKiB(history(new Array<number>(400).fill(1000)), atMs(400)), 1000), "a year of it");
  const all = history([...new Array<number>(60).fill(1000), 0, 0]);
  t.ok(near(keptKiB(all, atMs(62)), 500), "two days of nothing halve it");
  const told = credited(undefined, entryOf({ number: 400, kept: 400 * 24_000, days: 400 }));
  t.ok(near(keptKiB(told, atMs(400)), 1000), "who hears of it late is told the same");
  const hour = credited(undefined, acceptAdmission(server, signAdmission(client, {
    ...entryOf({ number: 1, kept: 24_000_000, days: 0 }), watched: 3600,
  })));
  t.ok(keptKiB(hour, startMs) <= 1_000_000, "an hour of plenty counts as a day's share of it");
  const month = limits.ledger.staleMs;
  t.ok(near(keptKiB(history([1000, 1000]), atMs(2) + month), 500), "unheard of for a month: half");
  t.equal(keptKiB(history([1000]), atMs(1) + limits.ledger.entryAgeMsMax + 1), 0, "and then none");
  t.equal(keptKiB(history([1000]), 0), 0, "an entry from the future is worth nothing");
  t.end();
});

test(`a holder of many restless shards is paid its availability (HIVE_SEED=${seed})`, (t) => {
  const random = seededRandom(`ledger.earning/${seed}`);
  let [marks, tally]: [Marks, Tally] = [new Map(), noTally];
  for (let hour = 0; hour < 24 * 30; hour++) {
    // Away in one hour of four: both intervals beside it are lost.
    const outcome = random.below(4) === 0 ? "offline" : "right";
    const answers = Array.from({ length: 5 }, (_, index) => {
      return { peer: server.peer, index, outcome } as const;
    });
    const asked = { ...proved(server.peer, outcome), answers };
    const found = earned(marks, asked, unsampled(startMs + hour * hourMs));
    marks = found.marks;
    tally = watched(tally, found.kept.get(server.peer) ?? 0, startMs + hour * hourMs);
  }
  const share = tally.kept / KiB / (tally.watchedMs / 1000) / 5;
  t.ok(share > 0.48 && share < 0.64, `${share} of it: 9/16 on average`);
  t.end();
});
