/**
 * Simulates a network of many peers over years with the product's own placement, judge, repair
 * planner, audits and routing, and prints what was claimed beside what came out. The same seed
 * gives the same JSON; how long it took, and the memory, is told on stderr alone.
 *
 * A part that is over is written down at once, if anywhere: with `--resume` it is read from there,
 * where it was of the same size and seed. Whoever changed the code since must not ask for that.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Outcome, Scale } from "../test/sim/figure.ts";
import { svgOf } from "../test/sim/plot.ts";
import { jsonOf, notesOf, outcomeIn, tableOf } from "../test/sim/report.ts";
import { audits } from "../test/sim/trials/audits.ts";
import { durability, losses } from "../test/sim/trials/durability.ts";
import { lookups } from "../test/sim/trials/lookups.ts";
import { outages } from "../test/sim/trials/outages.ts";
import { riders } from "../test/sim/trials/riders.ts";
import { strikes } from "../test/sim/trials/strikes.ts";
import { tail } from "../test/sim/trials/tail.ts";
import { mixedTraffic, traffic } from "../test/sim/trials/traffic.ts";

const trials: Readonly<Record<string, (scale: Scale) => Outcome | Promise<Outcome>>> = {
  traffic, mixed: mixedTraffic, durability, losses, strikes, tail, outages, audits, lookups, riders,
};

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
const scale: Scale = {
  nodes: countIn("nodes", values.nodes), years: countIn("years", values.years), seed: values.seed,
  tell: (what) => say(`${seconds()} ${what}`),
};
const outcome = await runAll(values.only.split(","));
console.log(tableOf(outcome.figures));
console.log(`\n${notesOf(outcome.figures)}`);
write("figures", outcome);
const memory = process.resourceUsage().maxRSS / 1024;
say(`${seconds()} done, ${Math.round(memory)} MiB at the most`);

async function runAll(names: readonly string[]): Promise<Outcome> {
  const outcomes: Outcome[] = [];
  for (const name of names) outcomes.push(await outcomeOf(name));
  return {
    figures: outcomes.flatMap(({ figures }) => figures),
    series: outcomes.flatMap(({ series }) => series),
  };
}

async function outcomeOf(name: string): Promise<Outcome> {
  const trial = trials[name];
  if (trial === undefined) throw new Error(`no trial ${name}: ${Object.keys(trials).join(" ")}`);
  const known = knownOf(name);
  if (known !== undefined) scale.tell(`${name}: as it was written down`);
  const found = known ?? await trial(scale);
  if (known === undefined) write(name, found);
  return found;
}

function knownOf(name: string): Outcome | undefined {
  const path = join(values.out ?? "", `${name}.json`);
  if (!values.resume || !existsSync(path)) return undefined;
  return outcomeIn(readFileSync(path, "utf8"), scale);
}

function write(name: string, written: Outcome): void {
  if (values.out === undefined) return;
  mkdirSync(values.out, { recursive: true });
  writeFileSync(join(values.out, `${name}.json`), jsonOf(scale, written));
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
