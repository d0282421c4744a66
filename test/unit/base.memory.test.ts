/** When a process has come to rest, and that what it freed goes back then. */
import { setTimeout } from "node:timers/promises";
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { collectAll } from "../../src/base/collect.ts";
import { Rest, memoryStep } from "../../src/base/memory.ts";
import { limits } from "../../src/base/limits.ts";

const { restLookMs, restShareMax } = limits.memory;

test("rest comes once after each piece of work", (t) => {
  const rest = new Rest();
  let [atMs, cpuMs] = [0, 0];
  const after = (share: number): boolean => {
    atMs += restLookMs;
    cpuMs += restLookMs * share;
    return rest.hasCome(atMs, cpuMs);
  };
  const [busy, idle] = [restShareMax * 2, restShareMax / 2];
  t.strictSame([busy, busy, idle, idle, idle].map(after), [false, false, true, false, false]);
  t.strictSame([busy, idle, idle].map(after), [false, true, false]);
  t.notOk(rest.hasCome(atMs + restLookMs / 2, cpuMs), "too soon to tell");
  t.end();
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
