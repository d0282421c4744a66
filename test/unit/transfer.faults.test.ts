/** Crashes at every write, and holders that lie, keep silent or dawdle. */
import { test } from "tap";
import { silentLog } from "../../src/base/log.ts";
import { systemClock } from "../../src/base/clock.ts";
import { isFault } from "../../src/base/errors.ts";
import { cidOf } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { openCoder } from "../../src/erasure/erasure.ts";
import { openTransfer } from "../../src/transfer/transfer.ts";
import { Witness } from "../../src/transfer/witness.ts";
import { Crash, type World, makeBlocks, makeWorld as makeAnyWorld, missing, openWorld }
  from "../support/transfer-world.ts";
import { HonestHost } from "../support/honest-host.ts";
import type { Mood } from "../support/loopback-network.ts";
import { faultOf } from "../support/faults.ts";
import { OwnTime } from "../support/own-time.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
/** So that none of the figures below is this machine's, which may have much to do. */
const clock = new OwnTime(1);
const replay = `replay: HIVE_SEED=${seed} node test/unit/transfer.faults.test.ts`;

function makeWorld(peers: number, name: string): World {
  return makeAnyWorld(peers, name, undefined, clock);
}

test("a crash at any write of the books loses nothing and leaves no stray segment", async (t) => {
  const writes = await countWrites();
  t.ok(writes >= 7);
  for (let at = 0; at <= writes; at++) {
    const world = makeWorld(6, seed);
    const blocks = makeBlocks(world.random, { count: 30, bytesMax: 200_000 });
    world.source.commit("root", blocks);
    const before = await openWorld(world);
    world.books.crashAfter = at;
    const first = await before.flush(5_000).catch((error: unknown) => error);
    if (at < writes) t.ok(first instanceof Crash, `crash at write ${at}`);
    world.books.crashAfter = Infinity;

    const after = await openWorld(world);
    await after.flush(5_000);
    t.equal(world.source.dirty.size, 0);
    t.equal(world.source.published, world.source.newest);
    t.strictSame(await missing(after, blocks), [], `crash at write ${at}: ${replay}`);
    const { total, healthy, placing } = after.status().segments;
    t.strictSame([healthy, placing], [total, 0]);
  }
});

test("a half-placed segment whose blocks are gone is released everywhere", async (t) => {
  const world = makeWorld(6, seed);
  const old = makeBlocks(world.random, { count: 4, bytesMax: 1000 });
  world.source.commit("old", old);
  const before = await openWorld(world);
  // Written: the group, the segment as begun. The crash comes when its receipts are kept.
  world.books.crashAfter = 2;
  await before.flush(2_000).catch((error: unknown) => t.ok(error instanceof Crash));
  world.books.crashAfter = Infinity;
  t.ok(shardsKept(world) > 0, "shards are with the holders");
  world.source.dirty.clear();
  const next = makeBlocks(world.random, { count: 2, bytesMax: 1000 });
  world.source.commit("new", next);
  const after = await openWorld(world);
  await after.flush(5_000);
  t.equal(after.status().segments.total, 1);
  t.equal(shardsKept(world), 6, "only the new segment's shards are left");
  t.strictSame(await missing(after, next), []);
});

test("a half-placed segment of a dead group goes to the few who live", async (t) => {
  // Class small is drawn; four others are too few to fill its seats, and enough for another group.
  const world = makeWorld(12, seed);
  const blocks = makeBlocks(world.random, { count: 4, bytesMax: 1000 });
  world.source.commit("root", blocks);
  const before = await openWorld(world);
  world.books.crashAfter = 2;
  await before.flush(5_000).catch((error: unknown) => t.ok(error instanceof Crash));
  world.books.crashAfter = Infinity;
  for (const member of world.network.members.values()) member.mood = { is: "dead" };
  for (const name of ["a", "b", "c", "d"]) world.network.add(name, (keys) => new HonestHost(keys));
  const after = await openWorld(world);
  t.equal(after.status().segments.placing, 1, "the crash left one");
  await after.flush(5_000);
  t.equal(world.source.dirty.size, 0);
  t.strictSame(await missing(after, blocks), [], replay);
});

test("reads get past as many lying, silent and dead holders as the class allows", async (t) => {
  for (const mood of ["lying", "silent", "dead"] as const) {
    const world = makeWorld(12, `${seed}/${mood}`);
    const transfer = await openWorld(world, { readTimeoutMs: 8_000 });
    const blocks = makeBlocks(world.random, { count: 16, bytesMax: 200_000 });
    world.source.commit("root", blocks);
    await transfer.flush(10_000);
    const seen: string[] = [];
    transfer.health.watch(({ verdict, act }) => { if (act === "read") seen.push(verdict); });
    for (const member of [...world.network.members.values()].slice(0, 8)) {
      member.mood = { is: mood };
    }
    const start = clock.monotonicMs();
    t.strictSame(await missing(transfer, blocks), [], `${mood}: ${replay}`);
    const perBlockMs = (clock.monotonicMs() - start) / blocks.length;
    t.ok(perBlockMs < 1_500, `${mood}: ${Math.round(perBlockMs)} ms a block`);
    const expected = { lying: "wrong", silent: "late", dead: "offline" }[mood];
    t.ok(seen.includes(expected), `${mood} is reported as ${expected}`);
  }
});

test("a slow holder costs its own round trips and no more", async (t) => {
  const world = makeWorld(6, seed);
  const transfer = await openWorld(world);
  const blocks = makeBlocks(world.random, { count: 6, bytesMax: 100_000 });
  world.source.commit("root", blocks);
  await transfer.flush(5_000);
  for (const member of [...world.network.members.values()].slice(0, 3)) {
    member.mood = { is: "slow", delayMs: 3_000 };
  }
  const start = clock.monotonicMs();
  t.strictSame(await missing(transfer, blocks), [], replay);
  t.ok(clock.monotonicMs() - start < 6 * 1_000);
});

test("with all silent a read ends within its time", async (t) => {
  const world = makeWorld(3, seed);
  const transfer = await openWorld(world, { readTimeoutMs: 400 });
  const [block] = makeBlocks(world.random, { count: 1, bytesMax: 1000 });
  world.source.commit("root", [block as Uint8Array]);
  await transfer.flush(5_000);
  for (const member of world.network.members.values()) member.mood = { is: "silent" };
  const start = clock.monotonicMs();
  const error = await transfer.fetch(cidOf(block as Uint8Array), {}).catch((e: unknown) => e);
  t.ok(isFault(error, "Unavailable"));
  t.ok(clock.monotonicMs() - start < 1_500);
});

test("what this machine's own limit makes a read wait is not the peers' time", async (t) => {
  const world = makeWorld(3, seed);
  let isHeld = false;
  const held = { ...world, holdsReads: () => isHeld };
  const transfer = await openWorld(held, { readTimeoutMs: 300 });
  const [block] = makeBlocks(world.random, { count: 1, bytesMax: 1000 }) as [Uint8Array];
  world.source.commit("root", [block]);
  await transfer.flush(5_000);
  for (const member of world.network.members.values()) member.mood = { is: "slow", delayMs: 900 };
  isHeld = true;
  t.same(await transfer.fetch(cidOf(block), {}), block);
  isHeld = false;
  t.equal(await faultOf(transfer.fetch(cidOf(block), {})), "Unavailable");
});

test("who asks again right after a long vain wait does not wait again", async (t) => {
  const world = makeWorld(3, seed);
  const readTimeoutMs = limits.transfer.failureKeptMs + 200;
  const transfer = await openWorld(world, { readTimeoutMs });
  const [block] = makeBlocks(world.random, { count: 1, bytesMax: 1000 }) as [Uint8Array];
  world.source.commit("root", [block]);
  await transfer.flush(5_000);
  const moods = (mood: Mood): void => {
    for (const member of world.network.members.values()) member.mood = mood;
  };
  moods({ is: "silent" });
  const cid = cidOf(block);
  t.equal(await faultOf(transfer.fetch(cid, {})), "Unavailable");
  const start = clock.monotonicMs();
  t.equal(await faultOf(transfer.fetch(cid, {})), "Unavailable");
  t.ok(clock.monotonicMs() - start < readTimeoutMs / 2, "the same answer, at once");
  moods({ is: "honest" });
  await clock.delay(limits.transfer.failureKeptMs);
  t.same(await transfer.fetch(cid, {}), block, "and a new try soon after");
});

test("an aborted read ends at once, and others of the same block go on", async (t) => {
  const world = makeWorld(3, seed);
  const transfer = await openWorld(world);
  const [block] = makeBlocks(world.random, { count: 1, bytesMax: 1000 });
  const cid = cidOf(block as Uint8Array);
  world.source.commit("root", [block as Uint8Array]);
  await transfer.flush(5_000);
  for (const member of world.network.members.values()) member.mood = { is: "slow", delayMs: 50 };
  const stop = new AbortController();
  const first = transfer.fetch(cid, { signal: stop.signal }).catch((error: unknown) => error);
  const second = transfer.fetch(cid, {});
  stop.abort(new Error("enough"));
  t.match(await first, { message: "enough" });
  t.strictSame(Buffer.from(await second), Buffer.from(block as Uint8Array));
});

test("members that refuse or fall silent during an upload leave it degraded, not lost", async (t) => {
  const world = makeWorld(6, seed);
  const transfer = await openWorld(world);
  world.network.callTimeoutMs = 100;
  const blocks = makeBlocks(world.random, { count: 6, bytesMax: 20_000 });
  const [first, second] = [...world.network.members.values()];
  if (first !== undefined) first.mood = { is: "silent" };
  if (second !== undefined) second.mood = { is: "silent" };
  world.source.commit("root", blocks);
  await transfer.flush(10_000);
  const { total, degraded } = transfer.status().segments;
  t.strictSame([total, degraded], [1, 1]);
  t.equal(transfer.status().survives, 2);
  t.strictSame(await missing(transfer, blocks), [], replay);
});

test("a silent member slows the first segment and not all that follow", async (t) => {
  const world = makeWorld(6, seed);
  const transfer = await openWorld(world);
  world.network.callTimeoutMs = 400;
  const blocks = makeBlocks(world.random, { count: 200, bytesMax: 200_000 });
  const [silent] = [...world.network.members.values()];
  if (silent !== undefined) silent.mood = { is: "silent" };
  world.source.commit("root", blocks);
  const start = clock.monotonicMs();
  await transfer.flush(20_000);
  const segments = transfer.status().segments.total;
  t.ok(segments >= 8, `${segments} segments`);
  t.ok(clock.monotonicMs() - start < 400 * segments);
  t.equal(transfer.status().survives, 3);
});

test("after a hiccup a holder is asked first again, and a liar is not", async (t) => {
  const world = makeWorld(6, seed);
  let nowMs = 0;
  const witness = new Witness({ ...world, clock: { ...systemClock, monotonicMs: () => nowMs } });
  const [one, two] = [...world.network.members.keys()];
  if (one === undefined || two === undefined) return t.fail("two peers");
  witness.saw({ peer: one, verdict: "late", act: "read" });
  witness.saw({ peer: two, verdict: "wrong", act: "read" });
  t.strictSame([witness.doubts(one), witness.doubts(two)], [true, true]);
  witness.saw({ peer: two, verdict: "right", act: "read" });
  nowMs += limits.transfer.doubtMsMin;
  t.strictSame([witness.doubts(one), witness.doubts(two)], [false, true]);
  for (let times = 0; times < 4; times++) witness.saw({ peer: one, verdict: "offline", act: "read" });
  nowMs += 4 * limits.transfer.doubtMsMin;
  t.ok(witness.doubts(one), "failures in a row are doubted for longer");
  witness.saw({ peer: one, verdict: "right", act: "prove" });
  t.notOk(witness.doubts(one));
});

test("with fewer than r members nothing is published, and later it goes on", async (t) => {
  const world = makeWorld(6, seed);
  const transfer = await openWorld(world);
  world.network.callTimeoutMs = 50;
  const blocks = makeBlocks(world.random, { count: 6, bytesMax: 20_000 });
  const members = [...world.network.members.values()];
  for (const member of members.slice(0, 3)) member.mood = { is: "silent" };
  world.source.commit("root", blocks);
  const late = await transfer.flush(1_000).catch((error: unknown) => error);
  t.ok(isFault(late, "TimedOut"));
  t.equal(world.source.published, undefined);
  t.equal(world.source.dirty.size, 6, "no block counts as placed");
  t.equal(transfer.status().waiting.for, "members");
  for (const member of members) member.mood = { is: "honest" };
  await transfer.flush(10_000);
  t.equal(world.source.published, world.source.newest);
  t.strictSame(await missing(transfer, blocks), [], replay);
});

test("a block that no catalog knows is not found", async (t) => {
  const world = makeWorld(3, seed);
  const needs = { ...world, coder: openCoder(), clock, log: silentLog };
  const transfer = await openTransfer(needs);
  const error = await transfer.fetch(cidOf(Buffer.from("x")), {}).catch((e: unknown) => e);
  t.ok(isFault(error, "NotFound"));
});

async function countWrites(): Promise<number> {
  const world = makeWorld(6, seed);
  world.source.commit("root", makeBlocks(world.random, { count: 30, bytesMax: 200_000 }));
  world.books.crashAfter = 1_000_000;
  await (await openWorld(world)).flush(5_000);
  return 1_000_000 - world.books.crashAfter;
}

function shardsKept(world: ReturnType<typeof makeWorld>): number {
  const hosts = [...world.network.members.values()].map(({ host }) => host as HonestHost);
  return hosts.reduce((sum, { shards }) => sum + shards.size, 0);
}
