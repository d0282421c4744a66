/** One measured piece of work of the file system's bench, and how its rate is taken. */
import { readFileSync, readdirSync } from "node:fs";
import { run } from "../../test/support/cli.ts";

export interface Work {
  readonly metric: string;
  readonly unit: string;
  /** The kernel's caches are dropped before; a store's own files are not. */
  readonly cold?: true;
  /** How many bytes it moves, where the processor time for each is of interest. */
  readonly bytes?: number;
  /** A rate: more is better. It works in this folder, and finds there what came before. */
  readonly run: (directory: string) => Promise<number>;
}

export const MiB = 1024 * 1024;
/** Linux's USER_HZ, on every machine that runs Node. */
const ticksPerSecond = 100;

export async function dropCaches(): Promise<void> {
  await run("sh", ["-c", "sync; echo 3 > /proc/sys/vm/drop_caches"], {});
}

export function gibibytes(bytes: number): number {
  return bytes / 2 ** 30;
}

/** Processor seconds so far of the programs whose command line names this folder. */
export function cpuSecondsOf(directory: string): number {
  let ticks = 0;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0");
      if (Number(pid) === process.pid || !words.includes(directory)) continue;
      const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? [];
      ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // It has ended since the folder was listed.
    }
  }
  return ticks / ticksPerSecond;
}

/** MB of 10^6 bytes a second. */
export function rate(bytes: number, act: () => void): number {
  const start = performance.now();
  act();
  return bytes / 1e3 / (performance.now() - start);
}

export function perSecond(count: number, act: () => void): number {
  const start = performance.now();
  act();
  return (count * 1000) / (performance.now() - start);
}

/** How often a minute the command could run. */
export async function perMinute(program: string, words: readonly string[], cwd?: string) {
  const start = performance.now();
  await must(program, words, cwd);
  return 60_000 / (performance.now() - start);
}

export async function must(program: string, words: readonly string[], cwd?: string) {
  const shell = ["-c", 'cd "$1" && shift && exec "$@"', "sh", cwd ?? ".", program, ...words];
  const ran = await run("sh", shell, {});
  if (ran.code === 0) return;
  throw new Error(`${program} ${words.join(" ")} ended with ${ran.code}: ${ran.error}`);
}
