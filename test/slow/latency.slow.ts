/** While much is uploaded, names answer at once: nothing before the kernel waits for a network. */
import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import { newMachine } from "../support/cli.ts";
import { latencyText, sampleLatency } from "../support/cli-latency.ts";

const MiB = 1024 * 1024;
const uploadedBytes = 256 * MiB;

test("names answer within 100 ms while 256 MiB go up", { timeout: 200_000 }, async (t) => {
  const machine = newMachine("latency");
  t.teardown(() => machine.end());
  await machine.must(t, ["mount", machine.mount, "--swarm", "8"]);
  const folder = join(machine.mount, "folder");
  mkdirSync(folder);
  for (let number = 0; number < 100; number++) writeFileSync(join(folder, `${number}`), "small");

  const start = performance.now();
  const sampler = sampleLatency(folder);
  const file = openSync(join(machine.mount, "large"), "w");
  for (let done = 0; done < uploadedBytes; done += MiB) {
    writeSync(file, randomBytes(MiB));
    // The samples are another process's: here only this one's turn is given up.
    await new Promise((later) => setImmediate(later));
  }
  closeSync(file);
  await machine.must(t, ["flush", "--timeout", "150"]);
  const figures = await sampler.end();
  const seconds = (performance.now() - start) / 1000;
  t.comment(`256 MiB written and uploaded in ${seconds.toFixed(1)} s; ${latencyText(figures)}`);
  t.ok(figures.samples > 200, `${figures.samples} samples`);
  t.ok(figures.p99Ms < 100, `p99 ${figures.p99Ms} ms`);
  t.equal((await machine.status()).dirtyBytes, 0);
});
