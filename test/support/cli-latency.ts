/**
 * How long a folder's names keep a program waiting, measured by a process of its own: run as
 * `cli-latency.ts DIRECTORY`, it looks until its input ends, and prints one JSON object. Every
 * sample asks the file system anew: a listing, a name that is there, and one that never was.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface LatencyFigures {
  readonly samples: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly worstMs: number;
}

export interface Sampler {
  /** Ends the process; what it saw. */
  end(): Promise<LatencyFigures>;
}

/** Between samples, so that looking is not itself the load. */
const pauseMs = 10;
/** Ten minutes of samples. */
const samplesMax = 60_000;

export function sampleLatency(directory: string): Sampler {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), directory], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  return { end: () => figuresOf(child) };
}

export function latencyText(figures: LatencyFigures): string {
  const { samples, medianMs, p99Ms, worstMs } = figures;
  return `${samples} samples: median ${medianMs} ms, p99 ${p99Ms} ms, worst ${worstMs} ms`;
}

async function figuresOf(child: ChildProcess): Promise<LatencyFigures> {
  const parts: Buffer[] = [];
  child.stdout?.on("data", (part: Buffer) => parts.push(part));
  const closed = new Promise((resolve) => child.once("close", resolve));
  child.stdin?.end();
  await closed;
  return JSON.parse(Buffer.concat(parts).toString()) as LatencyFigures;
}

function sample(directory: string, number: number): number {
  const start = performance.now();
  const names = readdirSync(directory);
  const name = names[number % names.length];
  if (name !== undefined) statSync(join(directory, name));
  statSync(join(directory, `never-${number}`), { throwIfNoEntry: false });
  return performance.now() - start;
}

async function main(directory: string): Promise<void> {
  let open = true;
  process.stdin.once("end", () => void (open = false)).resume();
  const tookMs: number[] = [];
  while (open && tookMs.length < samplesMax) {
    tookMs.push(sample(directory, tookMs.length));
    await new Promise((later) => setTimeout(later, pauseMs));
  }
  tookMs.sort((one, other) => one - other);
  const at = (share: number): number =>
    Number((tookMs[Math.floor((tookMs.length - 1) * share)] ?? 0).toFixed(2));
  const figures = { samples: tookMs.length, medianMs: at(0.5), p99Ms: at(0.99), worstMs: at(1) };
  process.stdout.write(JSON.stringify(figures satisfies LatencyFigures));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv[2] as string);
