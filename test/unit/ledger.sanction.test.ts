/**
 * What follows when a drive owes: slow, told first, undone at once, and never too much at a time.
 */
import { test } from "tap";
import type { OwnerId, SegmentId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import { type Account, type Arrears, arrearsOf, isTurn, mayGo, sanctionFor }
  from "../../src/ledger/sanction.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const owner = "ab".repeat(32) as OwnerId;
const startMs = 1_790_000_000_000;
const dayMs = 24 * 3_600_000;
const owing: Account = { isWelcome: false, dueBytes: 1e9, coveredBytes: 1e6 };
const even: Account = { ...owing, coveredBytes: 1e9 };

function stepAt(account: Account, arrears: Arrears | undefined, nowMs: number): string {
  return sanctionFor(account, arrears, nowMs).step;
}

test("who owes is told, then refused, and a week later loses one shard at a time", (t) => {
  let arrears = arrearsOf(owner, owing, undefined, startMs);
  t.equal(stepAt(owing, arrears, startMs), "tell");
  t.equal(stepAt(owing, arrears, startMs + 90 * dayMs), "tell", "untold, nothing ever goes");
  arrears = { ...arrears!, toldAtMs: startMs + dayMs };
  t.equal(stepAt(owing, arrears, startMs + 2 * dayMs), "refuse");
  t.equal(stepAt(owing, arrears, startMs + 8 * dayMs - 1), "refuse");
  t.equal(stepAt(owing, arrears, startMs + 8 * dayMs), "release");
  arrears = { ...arrears, releasedAtMs: startMs + 8 * dayMs };
  t.equal(stepAt(owing, arrears, startMs + 8 * dayMs + 60_000), "refuse", "one at a time");
  t.equal(stepAt(owing, arrears, startMs + 8 * dayMs + limits.ledger.releaseEveryMs), "release");
  t.end();
});

test("all of it is undone when the balance is back, and begins anew", (t) => {
  const told = { owner, sinceMs: startMs, toldAtMs: startMs, releasedAtMs: startMs + 7 * dayMs };
  t.equal(stepAt(even, told, startMs + 9 * dayMs), "even");
  t.equal(arrearsOf(owner, even, told, startMs + 9 * dayMs), undefined);
  const again = arrearsOf(owner, owing, undefined, startMs + 10 * dayMs);
  t.equal(stepAt(owing, again, startMs + 10 * dayMs), "tell");
  t.end();
});

test("a friend owes nothing", (t) => {
  const friend = { ...owing, isWelcome: true };
  t.equal(arrearsOf(owner, friend, undefined, startMs), undefined);
  t.equal(stepAt(friend, undefined, startMs), "even");
  t.end();
});

test(`holders that let go of one segment never leave it fewer than k + 4 (HIVE_SEED=${seed})`,
  (t) => {
    const random = seededRandom(`ledger.sanction/${seed}`);
    for (let round = 0; round < 8; round++) {
      const segment = random.bytes(32).toString("hex") as SegmentId;
      const [k, n] = [[4, 12], [16, 40], [2, 6], [1, 3]][round % 4] as [number, number];
      const living = new Set(Array.from({ length: n }, (_, index) => index));
      // All of them want to, look every quarter of an hour, and their clocks differ by minutes.
      const skews = Array.from({ length: n }, () => (random.unit() - 0.5) * 20 * 60_000);
      for (let quarter = 0; quarter < 4 * 24 * 7; quarter++) {
        const nowMs = startMs + quarter * 15 * 60_000;
        // They count at the same moment, and only then does each act.
        const going = [...living].filter((index) => mayGo(
          { segment, index, k, n }, { living: living.size - 1, nowMs: nowMs + skews[index]! },
        ));
        if (going.length > 1) t.fail(`round ${round}: ${going.length} at once`);
        for (const index of going) living.delete(index);
      }
      const least = Math.min(n, k + limits.ledger.spareShards);
      if (living.size < least) t.fail(`round ${round}: ${living.size} of k = ${k}`);
    }
    t.pass("8 segments, a week each");
    t.end();
  });

test("nothing goes while it is not known how many others live", (t) => {
  const segment = "cd".repeat(32) as SegmentId;
  const shard = { segment, index: 0, k: 4, n: 12 };
  let nowMs = startMs;
  while (!isTurn(shard, nowMs)) nowMs += 60_000;
  t.equal(mayGo(shard, { living: 8, nowMs }), true);
  t.equal(mayGo(shard, { living: 7, nowMs }), false, "k + 4 others, or none");
  t.equal(mayGo(shard, { living: undefined, nowMs }), false);
  t.end();
});
