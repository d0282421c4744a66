/**
 * A log to which lines are appended, each made durable before the next: by fsync, by fdatasync and
 * by O_DSYNC, three writers at once. Every acknowledged line must be there, in order; behind them
 * may be what was on its way, and nothing else.
 *
 * Run: append.ts write DIRECTORY GENERATION | append.ts check DIRECTORY NAME LINES
 */
import { constants, existsSync, mkdirSync, readFileSync, readdirSync, writeSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Place, type Workload, checkProgram, numberOf, startProgram } from "./workload.ts";
import { textOf } from "./workload.ts";

const self = fileURLToPath(import.meta.url);
const ways = ["fsync", "fdatasync", "dsync"] as const;
type Way = (typeof ways)[number];
/** Now and then a new log begins, and the older ones stay as they are. */
const roundsPerLog = 12;
const lineBytesMax = 6000;

export function appendWorkload({ mount }: Place): Workload {
  const directory = join(mount, "append");
  /** Of each file, how many lines it must have. */
  const promised = new Map<string, number>();
  let started = 0;
  return {
    name: "append",
    async start() {
      const generation = Math.floor(started++ / roundsPerLog);
      return [startProgram(self, ["write", directory, String(generation)])];
    },
    acknowledge(lines) {
      for (const line of lines) {
        const [name = "", number] = line.split(" ");
        promised.set(name, Math.max(promised.get(name) ?? 0, Number(number)));
      }
    },
    async check() {
      const pairs = [...promised].flatMap(([name, lines]) => [name, String(lines)]);
      return checkProgram(self, ["check", directory, ...pairs]);
    },
  };
}

async function write(directory: string, generation: string): Promise<void> {
  mkdirSync(directory, { recursive: true });
  await Promise.all(ways.map((way) => writeOne(directory, `${way}-${generation}`, way)));
}

/** Goes on behind the last whole line, as a program does that finds its log after a crash. */
async function writeOne(directory: string, name: string, way: Way): Promise<void> {
  const path = join(directory, name);
  const found = existsSync(path) ? readLog(path) : { lines: 0, wholeBytes: 0 };
  const { O_CREAT, O_WRONLY, O_APPEND, O_DSYNC } = constants;
  const flags = O_CREAT | O_WRONLY | O_APPEND | (way === "dsync" ? O_DSYNC : 0);
  const file = await open(path, flags, 0o600);
  await file.truncate(found.wholeBytes);
  await file.sync();
  for (let number = found.lines + 1; ; number++) {
    const line = Buffer.from(lineOf(name, number));
    await writeWhole(file, line);
    if (way === "fsync") await file.sync();
    if (way === "fdatasync") await file.datasync();
    writeSync(1, `${name} ${number}\n`);
  }
}

async function writeWhole(file: FileHandle, bytes: Buffer): Promise<void> {
  const { bytesWritten } = await file.write(bytes);
  if (bytesWritten !== bytes.length) throw new Error("written in part");
}

function lineOf(name: string, number: number): string {
  const length = 1 + numberOf(`length/${name}/${number}`, lineBytesMax);
  return `${number} ${textOf(`${name}/${number}`, length)}\n`;
}

interface Found {
  readonly lines: number;
  readonly wholeBytes: number;
  readonly wrong?: string;
}

/** Lines 1, 2, 3 and so on as they were written; then at most a part of the next one. */
function readLog(path: string): Found {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const bytes = readFileSync(path);
  let [lines, wholeBytes] = [0, 0];
  for (;;) {
    const next = Buffer.from(lineOf(name, lines + 1));
    const there = bytes.subarray(wholeBytes, wholeBytes + next.length);
    const isWhole = there.equals(next);
    if (isWhole) [lines, wholeBytes] = [lines + 1, wholeBytes + next.length];
    if (isWhole) continue;
    const tail = bytes.subarray(wholeBytes);
    if (next.subarray(0, tail.length).equals(tail)) return { lines, wholeBytes };
    return { lines, wholeBytes, wrong: `garbage behind line ${lines} of ${name}` };
  }
}

function check(directory: string, pairs: readonly string[]): readonly string[] {
  const wrong: string[] = [];
  const least = new Map<string, number>();
  for (let index = 0; index < pairs.length; index += 2) {
    least.set(pairs[index] as string, Number(pairs[index + 1]));
  }
  const names = existsSync(directory) ? readdirSync(directory) : [];
  for (const name of new Set([...names, ...least.keys()])) {
    const path = join(directory, name);
    const promised = least.get(name) ?? 0;
    const found: Found = existsSync(path) ? readLog(path) : { lines: 0, wholeBytes: 0 };
    if (found.wrong !== undefined) wrong.push(found.wrong);
    if (found.lines < promised) wrong.push(`${name}: ${found.lines} of ${promised} lines`);
  }
  return wrong;
}

if (process.argv[1] === self) {
  const [act, directory = "", ...rest] = process.argv.slice(2);
  if (act === "write") await write(directory, rest[0] as string);
  else process.stdout.write(JSON.stringify(check(directory, rest)));
}
