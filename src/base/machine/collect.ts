/**
 * Buffers that live for a moment are collected as young garbage, by the bytes that pass through a
 * thread. V8 by itself goes by the objects made, which are few, and then answers every 64 MiB of
 * buffers with a collection of the whole heap, on helping threads that give way to nobody. A
 * collection of the young part takes a millisecond. Where V8 has no such call, all is as before.
 */
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { limits } from "../limits.ts";

type Collect = (options: { readonly type: "minor" | "major" }) => void;

/** Of this thread: each has a heap, and this module, of its own. */
let passedBytes = 0;
let collect: Collect | "unavailable" | undefined;
let isGrowthBounded = false;

/** So many bytes came or went, in buffers that nobody needs any more. */
export function passed(bytes: number): void {
  passedBytes += bytes;
  if (passedBytes < limits.memory.passedBytesMax) return;
  passedBytes = 0;
  collectGarbage("minor");
}

/**
 * From now on a large heap grows by a part of what lives in it, and a small one as V8 likes: it is
 * no matter what that takes, and to collect it often would cost more than it holds. To be called
 * now and then, by one thread of the process.
 */
export function boundGrowth(): void {
  const isLarge = getHeapStatistics().used_heap_size > limits.memory.largeHeapBytes;
  if (isLarge === isGrowthBounded) return;
  isGrowthBounded = isLarge;
  const percent = isLarge ? limits.memory.heapGrowthPercent : 0;
  setFlagsFromString(`--heap-growing-percent=${percent}`);
}

/** All of this thread's heap; for one that nobody waits for, since it takes dozens of ms. */
export function collectAll(): void {
  collectGarbage("major");
}

function collectGarbage(type: "minor" | "major"): void {
  collect ??= findCollect();
  if (collect !== "unavailable") collect({ type });
}

/** Contexts made while the flag is set have the call; this thread's own stays without it. */
function findCollect(): Collect | "unavailable" {
  setFlagsFromString("--expose-gc");
  try {
    const found: unknown = runInNewContext("globalThis.gc");
    return typeof found === "function" ? (options) => void found(options) : "unavailable";
  } finally {
    setFlagsFromString("--no-expose-gc");
  }
}
