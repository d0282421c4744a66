/**
 * Simulates a network of many peers over years with the product's own placement, judge, repair
 * planner, audits and routing, and prints what was claimed beside what came out. The same seed
 * gives the same JSON; how long it took, and the memory, is told on stderr alone.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Outcome, Scale } from "../test/sim/figure.ts";
import { svgOf } from "../test/sim/plot.ts";
import { jsonOf, notesOf, tableOf } from "../test/sim/report.ts";
import { audits } from "../test/sim/trials/audits.ts";
import { durability } from "../test/sim/trials/durability.ts";
import { lookups } from "../test/sim/trials/lookups.ts";
import { outages } from "../test/sim/trials/outages.ts";
import { riders } from "../test/sim/trials/riders.ts";
import { strikes } from "../test/sim/trials/strikes.ts";
import { mixedTraffic, traffic } from "../test/sim/trials/traffic.ts";

const trials: Readonly<Record<string, (scale: Scale) => Outcome | Promise<Outcome>>> = {
  traffic, mixed: mixedTraffic, durability, strikes, outages, audits, lookups, riders,
};

const { values } = parseArgs({
  options: {
    nodes: { type: "string", default: "10000" },
    years: { type: "string", default: "1" },
    seed: { type: "string", default: "1" },
    only: { type: "string", default: Object.keys(trials).join(",") },
    out: { type: "string" },
  },
});

const began = performance.now();
const scale: Scale = {
  nodes: countIn("nodes", values.nodes), years: countIn("years", values.years), seed: values.seed,
  tell: (what) => say(`${seconds()} ${what}`),
};
const outcome = await runAll(values.only.split(","));
console.log(tableOf(outcome.figures));
console.log(`\n${notesOf(outcome.figures)}`);
if (values.out !== undefined) writeAll(values.out);
const memory = process.resourceUsage().maxRSS / 1024;
say(`${seconds()} done, ${Math.round(memory)} MiB at the most`);

async function runAll(names: readonly string[]): Promise<Outcome> {
  const outcomes: Outcome[] = [];
  for (const name of names) {
    const trial = trials[name];
    if (trial === undefined) throw new Error(`no trial ${name}: ${Object.keys(trials).join(" ")}`);
    outcomes.push(await trial(scale));
  }
  return {
    figures: outcomes.flatMap(({ figures }) => figures),
    series: outcomes.flatMap(({ series }) => series),
  };
}

function writeAll(directory: string): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "figures.json"), jsonOf(scale, outcome));
  for (const series of outcome.series) {
    writeFileSync(join(directory, `${series.name}.svg`), svgOf(series));
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
