/** How much of a processor another process takes, as Linux counts it. */
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { Machine } from "./cli.ts";

const watchedSeconds = 4;

/** The share of one processor that a machine's daemon takes while nobody asks anything of it. */
export async function shareAtRest(machine: Machine): Promise<number> {
  const { pid } = await machine.status();
  const before = cpuSeconds(pid);
  await delay(watchedSeconds * 1000);
  return (cpuSeconds(pid) - before) / watchedSeconds;
}

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
