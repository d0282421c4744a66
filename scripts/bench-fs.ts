/**
 * The mount beside ext4 and gocryptfs: the same work in turns on the same disk, medians of several
 * rounds, ratios to ext4 in the same round. `npm run bench -- fs [--rounds=N] [--json]`.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  readdirSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { newMachine, root, run } from "../test/support/cli.ts";

const MiB = 1024 * 1024;
const fileBytes = 256 * MiB;
const fileCount = 1000;

interface Work {
  readonly metric: string;
  readonly unit: string;
  /** Larger is better; prepared before and not measured. */
  readonly prepare?: (directory: string) => Promise<void>;
  readonly run: (directory: string) => Promise<number>;
}

const works: readonly Work[] = [
  { metric: "seqwrite", unit: "MB/s", run: async (dir) => rate(fileBytes, () => writeFile(dir)) },
  { metric: "seqread_cold", unit: "MB/s", prepare: dropCaches, run: async (dir) => readFile(dir) },
  { metric: "seqread_warm", unit: "MB/s", run: async (dir) => readFile(dir) },
  { metric: "create4k", unit: "files/s", run: async (dir) => perSecond(() => createAll(dir)) },
  { metric: "stat_cold", unit: "files/s", prepare: dropCaches, run: statAll },
  { metric: "stat_warm", unit: "files/s", run: statAll },
  { metric: "unlink", unit: "files/s", run: async (dir) => perSecond(() => unlinkAll(dir)) },
  { metric: "untar", unit: "files/s", run: untar },
];

interface Place {
  readonly name: string;
  readonly directory: string;
}

export interface FsFigure {
  readonly metric: string;
  readonly unit: string;
  readonly [place: string]: string | number;
}

export async function benchFs(rounds: number): Promise<readonly FsFigure[]> {
  const machine = newMachine("bench");
  try {
    const places = await openPlaces(machine);
    await makeArchive(machine.directory);
    const taken = new Map<string, number[]>();
    for (let round = 0; round < rounds; round++) {
      for (const place of places) await measure(place, taken);
    }
    return works.map((work) => figureOf(work, places, taken));
  } finally {
    await run("umount", ["-l", join(machine.directory, "gocryptfs")], {});
    await machine.end();
  }
}

async function openPlaces(machine: ReturnType<typeof newMachine>): Promise<readonly Place[]> {
  const ran = await machine.hive(["mount", machine.mount, "--swarm", "8"]);
  if (ran.code !== 0) throw new Error(ran.error);
  const ext4 = join(machine.directory, "ext4");
  mkdirSync(ext4);
  const places = [
    { name: "hive", directory: machine.mount },
    { name: "ext4", directory: ext4 },
  ];
  const peer = await openGocryptfs(machine.directory);
  return peer === undefined ? places : [...places, peer];
}

async function openGocryptfs(directory: string): Promise<Place | undefined> {
  const cipher = join(directory, "cipher");
  const plain = join(directory, "gocryptfs");
  const extra = ["-q", "-extpass", "echo", "-extpass", "bench"];
  for (const made of [cipher, plain]) mkdirSync(made);
  try {
    const init = await run("gocryptfs", ["-init", ...extra, cipher], {});
    const mounted = await run("gocryptfs", [...extra, cipher, plain], {});
    if (init.code === 0 && mounted.code === 0) return { name: "gocryptfs", directory: plain };
  } catch {
    // Not installed here: the table has a column less.
  }
  return undefined;
}

async function measure(place: Place, taken: Map<string, number[]>): Promise<void> {
  const directory = join(place.directory, "bench");
  mkdirSync(directory);
  for (const work of works) {
    await work.prepare?.(directory);
    const figure = await work.run(directory);
    const key = `${work.metric} ${place.name}`;
    taken.set(key, [...(taken.get(key) ?? []), figure]);
  }
  rmSync(directory, { recursive: true });
}

function figureOf(
  work: Work,
  places: readonly Place[],
  taken: ReadonlyMap<string, readonly number[]>,
): FsFigure {
  const medians = places.map(({ name }) => [name, median(taken.get(`${work.metric} ${name}`))]);
  const figures = Object.fromEntries(medians) as Record<string, number>;
  const ratio = (figures["hive"] ?? 0) / (figures["ext4"] ?? 1);
  return { metric: work.metric, unit: work.unit, ...figures, ratio };
}

function writeFile(directory: string): void {
  const block = randomBytes(MiB);
  const file = openSync(join(directory, "large"), "w");
  for (let done = 0; done < fileBytes; done += MiB) writeSync(file, block);
  fsyncSync(file);
  closeSync(file);
}

function readFile(directory: string): number {
  const block = Buffer.alloc(MiB);
  return rate(fileBytes, () => {
    const file = openSync(join(directory, "large"), "r");
    while (readSync(file, block) > 0);
    closeSync(file);
  });
}

function createAll(directory: string): void {
  const block = randomBytes(4096);
  const many = join(directory, "many");
  mkdirSync(many);
  for (let index = 0; index < fileCount; index++) writeFileSync(join(many, `f${index}`), block);
}

async function statAll(directory: string): Promise<number> {
  const many = join(directory, "many");
  return perSecond(() => {
    for (let index = 0; index < fileCount; index++) statSync(join(many, `f${index}`));
  });
}

function unlinkAll(directory: string): void {
  const many = join(directory, "many");
  for (const name of readdirSync(many)) unlinkSync(join(many, name));
}

/** Our own sources and those of one dependency: small files, as in any project. */
async function makeArchive(directory: string): Promise<void> {
  const parts = ["src", "test", "node_modules/libp2p", "node_modules/helia", "node_modules/tap"];
  const tar = await run("tar", ["-cf", join(directory, "archive.tar"), "-C", root, ...parts], {});
  if (tar.code !== 0) throw new Error(tar.error);
}

async function untar(directory: string): Promise<number> {
  const archive = join(directory, "..", "..", "archive.tar");
  const listed = await run("tar", ["-tf", archive], {});
  const count = listed.out.split("\n").length;
  const start = performance.now();
  const ran = await run("tar", ["-xf", archive, "-C", directory], {});
  if (ran.code !== 0) throw new Error(ran.error);
  return (count * 1000) / (performance.now() - start);
}

async function dropCaches(): Promise<void> {
  await run("sh", ["-c", "sync; echo 3 > /proc/sys/vm/drop_caches"], {});
}

function rate(bytes: number, act: () => void): number {
  const start = performance.now();
  act();
  return bytes / 1e3 / (performance.now() - start);
}

function perSecond(act: () => void): number {
  const start = performance.now();
  act();
  return (fileCount * 1000) / (performance.now() - start);
}

function median(values: readonly number[] = []): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function show(figures: readonly FsFigure[]): void {
  const columns = Object.keys(figures[0] ?? {});
  const cells = figures.map((figure) =>
    columns.map((column) => {
      const value = figure[column];
      if (typeof value !== "number") return String(value);
      return value.toFixed(column === "ratio" ? 2 : 0);
    }),
  );
  const rows = [columns.map((column) => (column === "ratio" ? "hive/ext4" : column)), ...cells];
  for (const row of rows) process.stdout.write(`${row.map((c) => c.padEnd(14)).join("")}\n`);
}

if (import.meta.main) {
  const words = process.argv.slice(2);
  const rounds = Number(words.find((word) => word.startsWith("--rounds="))?.slice(9) ?? 3);
  const figures = await benchFs(rounds);
  if (words.includes("--json")) process.stdout.write(`${JSON.stringify(figures, undefined, 2)}\n`);
  else show(figures);
}
