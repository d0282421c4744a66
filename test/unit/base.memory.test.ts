/** When a process has come to rest, and that what it freed goes back then. */
import { setTimeout } from "node:timers/promises";
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { limits } from "../../src/base/limits.ts";
import { collectAll } from "../../src/base/machine/collect.ts";
import { Rest, memoryStep } from "../../src/base/machine/memory.ts";
import { BufferPool } from "../../src/base/machine/pool.ts";

const { restLookMs, restShareMax } = limits.memory;

test("rest is counted in looks, and ends with work", (t) => {
  const rest = new Rest();
  let [atMs, cpuMs] = [0, 0];
  const after = (share: number): number | undefined => {
    atMs += restLookMs;
    cpuMs += restLookMs * share;
    return rest.look(atMs, cpuMs);
  };
  const [busy, idle] = [restShareMax * 2, restShareMax / 2];
  t.strictSame([busy, busy, idle, idle, idle].map(after), [0, 0, 1, 2, 3]);
  t.strictSame([busy, idle, idle].map(after), [0, 1, 2]);
  t.equal(rest.look(atMs + restLookMs / 2, cpuMs), undefined, "too soon to tell");
  t.end();
});

test("what is kept for speed alone goes at rest, and not what somebody has taken", async (t) => {
  let nowMs = 0;
  const clock = { ...systemClock, monotonicMs: () => (nowMs += 3_600_000) };
  const pool = new BufferPool({ lengthBytes: 10_000, countMax: 4 });
  const [first, second] = [pool.take(), pool.take()];
  pool.give(first);
  t.equal(pool.take(), first, "used again");
  pool.give(first);
  await memoryStep({ clock }).step(new AbortController().signal);
  t.not(pool.take(), first, "gone");
  pool.give(second);
  t.equal(pool.take(), second);
});

test("a process at rest gives back what a burst of work has freed", async (t) => {
  let nowMs = 0;
  const clock = { ...systemClock, monotonicMs: () => (nowMs += 3_600_000) };
  let burst: Buffer[] | undefined = Array.from({ length: 2000 }, () => {
    return Buffer.allocUnsafeSlow(100_000).fill(1);
  });
  // One in 20 stays, and keeps the allocator from seeing one large free piece.
  const kept = burst.filter((_, at) => at % 20 === 0);
  let forgotten = 0;
  const step = memoryStep({ clock, forget: () => void forgotten++ });
  const before = process.memoryUsage.rss();
  burst = undefined;
  collectAll();
  // V8 gives buffers to the allocator on a thread of its own.
  for (let turn = 0; turn < 500 && process.memoryUsage().arrayBuffers > 30e6; turn++) {
    await setTimeout(10);
  }
  t.equal(await step.step(new AbortController().signal), "idle");
  t.equal(forgotten, 1, "asked first to let go of what is kept for speed");
  const freed = before - process.memoryUsage.rss();
  t.ok(freed > 100e6, `${freed} of 190,000,000 bytes are the machine's again`);
  t.equal(kept.length, 100);
});
