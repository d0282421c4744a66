/** Buffers that live for a moment leave before V8 looks at the whole heap for them. */
import { PerformanceObserver, constants } from "node:perf_hooks";
import { setImmediate } from "node:timers/promises";
import { test } from "tap";
import { KiB, MiB } from "../../src/base/bytes.ts";
import { passed } from "../../src/base/machine/collect.ts";

/** As node documents it; its types leave the detail out. */
interface GcEntry {
  readonly detail: { readonly kind: number };
}

interface Collections {
  readonly minor: number;
  readonly major: number;
}

/** Where helping threads get no turn, marking is under way all the time, and a young one ends it. */
const triesMax = 20;

test("what passes through is collected young", async (t) => {
  for (let tries = 1; tries <= triesMax; tries++) {
    const silent = await collectionsDuring(() => {});
    const told = await collectionsDuring(passed);
    t.comment(`${silent.major} full collections untold, ${told.major} when told`);
    t.ok(told.minor > silent.minor);
    if (2 * told.major < silent.major) return;
  }
  t.fail(`not once in ${triesMax} tries half as many full collections`);
});

async function collectionsDuring(tell: (bytes: number) => void): Promise<Collections> {
  const kinds: number[] = [];
  const observer = new PerformanceObserver((list) => {
    const entries = list.getEntries() as readonly unknown[] as readonly GcEntry[];
    for (const { detail } of entries) kinds.push(detail.kind);
  });
  observer.observe({ entryTypes: ["gc"] });
  for (let bytes = 0; bytes < 1024 * MiB; bytes += 64 * KiB) {
    Buffer.allocUnsafeSlow(64 * KiB);
    tell(64 * KiB);
    if (bytes % MiB === 0) await setImmediate();
  }
  await setImmediate();
  observer.disconnect();
  const count = (kind: number): number => kinds.filter((each) => each === kind).length;
  const { NODE_PERFORMANCE_GC_MINOR: minor, NODE_PERFORMANCE_GC_MAJOR: major } = constants;
  return { minor: count(minor), major: count(major) };
}
