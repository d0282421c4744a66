/**
 * The mount beside ext4 and other encrypted or remote file systems: the same work in turns on the
 * same disk, medians of several rounds, and each as a ratio to ext4; and what processor time the
 * programs that serve them took for each GiB, their own work behind the answer included as far as
 * it was done by then.
 *
 *   npm run bench -- fs [--rounds=N] [--only=METRIC,...] [--places=NAME,...] [--json]
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { newMachine } from "../../test/support/cli.ts";
import { fileWorks } from "./files.ts";
import { type Place, closePlaces, openPlaces } from "./places.ts";
import { prepareSources, programWorks } from "./programs.ts";
import { type Work, cpuSecondsOf, dropCaches, gibibytes } from "./work.ts";

/** One row: rates by place, NaN where a place could not do the work, and Hive's ratio to ext4. */
interface Figure {
  readonly metric: string;
  readonly unit: string;
  readonly rates: Readonly<Record<string, number>>;
  readonly ratio: number;
}

interface Options {
  readonly rounds: number;
  readonly only: readonly string[];
  readonly places: readonly string[];
  readonly json: boolean;
}

/** Rates by metric and place. */
type Taken = Map<string, number[]>;

async function benchFs(options: Options): Promise<readonly Figure[]> {
  const machine = newMachine("bench");
  let places: readonly Place[] = [];
  const wanted = (name: string): boolean => {
    return options.places.length === 0 || options.places.includes(name);
  };
  try {
    await prepareSources(machine.directory);
    places = await openPlaces(machine, wanted);
    const taken: Taken = new Map();
    for (let round = 1; round <= options.rounds; round++) {
      for (const place of places) {
        process.stderr.write(`round ${round} of ${options.rounds}: ${place.name}\n`);
        await measure(place, taken, options.only);
      }
    }
    const shown = worksFor(options.only).filter(({ metric }) => isShown(metric, options.only));
    const costs = shown.filter(({ bytes }) => bytes !== undefined).map(({ metric }) => {
      return { metric: `cpu_${metric}`, unit: "s/GiB" };
    });
    return [...shown, ...costs].map((work) => figureOf(work, places, taken));
  } finally {
    await closePlaces(places);
    await machine.end();
  }
}

/** Works build upon each other within a family, so a family is done whole or not at all. */
function worksFor(only: readonly string[]): readonly Work[] {
  const families = [fileWorks, programWorks];
  return families.filter((works) => works.some(({ metric }) => isShown(metric, only))).flat();
}

function isShown(metric: string, only: readonly string[]): boolean {
  return only.length === 0 || only.includes(metric);
}

async function measure(place: Place, taken: Taken, only: readonly string[]): Promise<void> {
  const directory = join(place.directory, "bench");
  mkdirSync(directory);
  for (const work of worksFor(only)) {
    if (work.cold === true) await dropCaches();
    const before = cpuSecondsOf(place.directory);
    take(taken, work.metric, place, await rateOf(work, place, directory));
    const spent = (cpuSecondsOf(place.directory) - before) / gibibytes(work.bytes ?? 0);
    if (work.bytes !== undefined) take(taken, `cpu_${work.metric}`, place, spent);
  }
  rmSync(directory, { recursive: true, force: true });
}

function take(taken: Taken, metric: string, { name }: Place, value: number): void {
  const key = `${metric} ${name}`;
  taken.set(key, [...(taken.get(key) ?? []), value]);
}

/** Some of the others cannot do all that a program asks; ours and ext4 must. */
async function rateOf(work: Work, { name }: Place, directory: string): Promise<number> {
  try {
    return await work.run(directory);
  } catch (error) {
    if (name === "hive" || name === "ext4") throw error;
    process.stderr.write(`${name} cannot do ${work.metric}: ${String(error).slice(0, 200)}\n`);
    return Number.NaN;
  }
}

function figureOf(work: Pick<Work, "metric" | "unit">, places: readonly Place[], taken: Taken): Figure {
  const rateAt = (name: string): number => median(taken.get(`${work.metric} ${name}`));
  const rates = Object.fromEntries(places.map(({ name }) => [name, rateAt(name)]));
  // The kernel's own file system has no program that serves it.
  const ratio = rateAt("ext4") > 0 ? rateAt("hive") / rateAt("ext4") : Number.NaN;
  return { metric: work.metric, unit: work.unit, rates, ratio };
}

function median(values: readonly number[] = []): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function show(figures: readonly Figure[]): void {
  const names = Object.keys(figures[0]?.rates ?? {});
  const head = ["metric", "unit", ...names, "hive/ext4"];
  const rows = figures.map(({ metric, unit, rates, ratio }) => {
    return [metric, unit, ...names.map((name) => short(rates[name])), short(ratio)];
  });
  for (const row of [head, ...rows]) {
    const cells = row.map((cell, at) => cell.padEnd(at === 0 ? 23 : 11));
    process.stdout.write(`${cells.join("")}\n`);
  }
}

function short(rate: number | undefined): string {
  if (rate === undefined || Number.isNaN(rate)) return "-";
  return rate.toFixed(rate < 10 ? 2 : rate < 100 ? 1 : 0);
}

function rowOf({ metric, unit, rates, ratio }: Figure): Record<string, string | number | null> {
  const known = Object.entries(rates).map(([name, rate]) => {
    return [name, Number.isNaN(rate) ? null : rate] as const;
  });
  return { metric, unit, ...Object.fromEntries(known), ratio: Number.isNaN(ratio) ? null : ratio };
}

function optionsOf(words: readonly string[]): Options {
  const value = (name: string): string | undefined =>
    words.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3);
  const list = (name: string): string[] => value(name)?.split(",") ?? [];
  const places = list("places");
  return {
    rounds: Number(value("rounds") ?? 5),
    only: list("only"),
    places,
    json: words.includes("--json"),
  };
}

const options = optionsOf(process.argv.slice(2));
const figures = await benchFs(options);
if (options.json) process.stdout.write(`${JSON.stringify(figures.map(rowOf), undefined, 2)}\n`);
else show(figures);
