/** Work that nobody waits for is behind what somebody looks at, where the system knows of that. */
import { getPriority } from "node:os";
import { Worker } from "node:worker_threads";
import { test } from "tap";

const room = new URL("../../src/base/machine/priority.ts", import.meta.url).href;
const worker = `
  const { getPriority } = require("node:os");
  const thread = Number(require("node:fs").readlinkSync("/proc/thread-self").split("/").pop());
  const own = getPriority(thread);
  import(${JSON.stringify(room)}).then(({ giveWay }) => {
    giveWay("thread");
    require("node:worker_threads").parentPort.postMessage([own, getPriority(thread)]);
  });
`;

test("a thread gives way without taking the others along", async (t) => {
  const before = getPriority();
  const [own, after] = await new Promise<[number, number]>((resolve, reject) => {
    new Worker(worker, { eval: true }).once("message", resolve).once("error", reject);
  });
  t.ok(after > own || (own >= 7 && after === own), `${own} became ${after}`);
  t.equal(getPriority(), before, "the main thread is as it was");
});
