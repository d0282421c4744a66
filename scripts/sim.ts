/**
 * Simulates a network of many peers over years with the product's own placement, judge, repair
 * planner, audits and routing, and prints what was claimed beside what came out. The same seed
 * gives the same JSON; how long it took, and the memory, is told on stderr alone. The parts run side
 * by side, each in a world of its own: as many at a time as there are processors.
 *
 * A part that is over is written down at once, if anywhere: with `--resume` it is read from there,
 * where it was of the same size and seed. Whoever changed the code since must not ask for that.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import type { Outcome, Size } from "../test/sim/figure.ts";
import { svgOf } from "../test/sim/plot.ts";
import { jsonOf, notesOf, outcomeIn, tableOf } from "../test/sim/report.ts";
import { trials } from "../test/sim/trials/all.ts";
import type { PartTold } from "./sim-part.ts";

/** What takes longest begins first. */
const longest = ["durability", "losses"];

const { values } = parseArgs({
  options: {
    nodes: { type: "string", default: "10000" },
    years: { type: "string", default: "1" },
    seed: { type: "string", default: "1" },
    only: { type: "string", default: Object.keys(trials).join(",") },
    out: { type: "string" },
    resume: { type: "boolean", default: false },
  },
});

const began = performance.now();
const size: Size = {
  nodes: countIn("nodes", values.nodes), years: countIn("years", values.years), seed: values.seed,
};
const outcome = await runAll(values.only.split(","));
console.log(tableOf(outcome.figures));
console.log(`\n${notesOf(outcome.figures)}`);
write("figures", outcome);
const memory = process.resourceUsage().maxRSS / 1024;
say(`${seconds()} done, ${Math.round(memory)} MiB at the most`);

async function runAll(names: readonly string[]): Promise<Outcome> {
  const strange = names.find((name) => trials[name] === undefined);
  if (strange !== undefined) throw new Error(`no trial ${strange}: ${Object.keys(trials).join(" ")}`);
  const isLong = (name: string): number => Number(longest.includes(name));
  const waiting = names.toSorted((a, b) => isLong(b) - isLong(a)).values();
  const outcomes = new Map<string, Outcome>();
  const lane = async (): Promise<void> => {
    for (const name of waiting) outcomes.set(name, await outcomeOf(name));
  };
  await Promise.all(Array.from({ length: availableParallelism() }, lane));
  const inOrder = names.map((name) => outcomes.get(name) as Outcome);
  return {
    figures: inOrder.flatMap(({ figures }) => figures),
    series: inOrder.flatMap(({ series }) => series),
  };
}

async function outcomeOf(name: string): Promise<Outcome> {
  const known = knownOf(name);
  if (known !== undefined) say(`${seconds()} ${name}: as it was written down`);
  const found = known ?? await run(name);
  if (known === undefined) write(name, found);
  return found;
}

function run(name: string): Promise<Outcome> {
  const file = new URL("./sim-part.ts", import.meta.url);
  const part = new Worker(file, { workerData: { name, size } });
  return new Promise((resolve, reject) => {
    part.on("message", (told: PartTold) => {
      if ("does" in told) say(`${seconds()} ${told.does}`);
      else resolve(told.outcome);
    });
    part.once("error", reject);
    part.once("exit", (code) => reject(new Error(`${name} ended with ${code}`)));
  });
}

function knownOf(name: string): Outcome | undefined {
  const path = join(values.out ?? "", `${name}.json`);
  if (!values.resume || !existsSync(path)) return undefined;
  return outcomeIn(readFileSync(path, "utf8"), size);
}

function write(name: string, written: Outcome): void {
  if (values.out === undefined) return;
  mkdirSync(values.out, { recursive: true });
  writeFileSync(join(values.out, `${name}.json`), jsonOf(size, written));
  for (const series of written.series) {
    writeFileSync(join(values.out, `${series.name}.svg`), svgOf(series));
  }
}

function countIn(name: string, text: string): number {
  const count = Number(text);
  if (!(count > 0)) throw new Error(`--${name} ${text}: not a number above 0`);
  return count;
}

function seconds(): string {
  return `${((performance.now() - began) / 1000).toFixed(1).padStart(7)} s`;
}

function say(words: string): void {
  process.stderr.write(`${words}\n`);
}
