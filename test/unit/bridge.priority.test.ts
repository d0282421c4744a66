/** Work that nobody waits for is behind what somebody looks at, where the system knows of that. */
import { readlinkSync } from "node:fs";
import { getPriority } from "node:os";
import { basename } from "node:path";
import { Worker, isMainThread, parentPort } from "node:worker_threads";
import { test } from "tap";
import { giveWay } from "../../src/base/priority.ts";

if (isMainThread) {
  test("a thread gives way without taking the others along", async (t) => {
    const before = getPriority();
    const worker = new Worker(new URL(import.meta.url));
    const [own, after] = await new Promise<[number, number]>((resolve, reject) => {
      worker.once("message", resolve).once("error", reject);
    });
    t.ok(after > own, `${own} became ${after}`);
    t.equal(getPriority(), before, "the main thread is as it was");
  });
} else {
  const thread = Number(basename(readlinkSync("/proc/thread-self")));
  const own = getPriority(thread);
  giveWay("thread");
  parentPort?.postMessage([own, getPriority(thread)]);
}
