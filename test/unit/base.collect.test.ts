/** Buffers that live for a moment leave before V8 looks at the whole heap for them. */
import { PerformanceObserver, constants } from "node:perf_hooks";
import { setImmediate } from "node:timers/promises";
import { test } from "tap";
import { KiB, MiB } from "../../src/base/bytes.ts";
import { passed } from "../../src/base/collect.ts";

/** As node documents it; its types leave the detail out. */
interface GcEntry {
  readonly detail: { readonly kind: number };
}

interface Collections {
  readonly minor: number;
  readonly major: number;
}

test("what passes through is collected young", async (t) => {
  const silent = await collectionsDuring(() => {});
  const told = await collectionsDuring(passed);
  t.comment(`${silent.major} full collections untold, ${told.major} when told`);
  t.ok(told.minor > silent.minor);
  t.ok(told.major < silent.major);
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
