/** How long names wait while a gigabyte goes up, and at rest. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { latencyText, sampleLatency } from "../../test/support/cli-latency.ts";
import { MiB, begin, fill, must, say, timed } from "./machine.ts";

/** A gigabyte goes up; names answer meanwhile as a local folder's do. */
export async function latency(): Promise<void> {
  await using machine = await begin("latency");
  await must(machine, ["mount", machine.mount]);
  const folder = join(machine.mount, "folder");
  mkdirSync(folder);
  for (let number = 0; number < 1000; number++) await fill(join(folder, `${number}`), 1);
  const idle = sampleLatency(folder);
  await sleep(10_000);
  say(`  at rest: ${latencyText(await idle.end())}`);
  const busy = sampleLatency(folder);
  await timed("write 1 GiB", () => fill(join(machine.mount, "large"), 1024 * MiB));
  await timed("flush", () => must(machine, ["flush", "--timeout", "1800"]));
  const figures = await busy.end();
  say(`  meanwhile: ${latencyText(figures)}`);
  if (figures.p99Ms > 100) throw new Error("names wait for the upload");
}
