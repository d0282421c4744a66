/**
 * Is the tree whole? Walks all of it, reading every name, attribute, link and, if asked to, every
 * byte: no name twice, no name without a file, and as many names of a file as it says.
 *
 * Run: walk.ts DIRECTORY [bytes]
 */
import { type BigIntStats, closeSync, lstatSync, openSync, readSync, readdirSync } from "node:fs";
import { readlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { limited } from "./workload.ts";

const self = fileURLToPath(import.meta.url);

export interface Walked {
  readonly names: number;
  readonly bytes: number;
  readonly wrong: readonly string[];
}

export async function walkTree(
  directory: string,
  { bytes }: { readonly bytes: boolean },
): Promise<Walked> {
  const ran = await limited(process.execPath, [self, directory, ...(bytes ? ["bytes"] : [])]);
  const nothing = { names: 0, bytes: 0 };
  if (ran.code !== 0) return { ...nothing, wrong: [`walk ended with ${ran.code}: ${ran.error}`] };
  const xattrs = await limited("getfattr", ["-R", "-h", "-d", "-m", "-", directory]);
  const walked = JSON.parse(ran.out) as Walked;
  if (xattrs.code === 0) return walked;
  return { ...walked, wrong: [...walked.wrong, `getfattr: ${xattrs.error.slice(0, 1000)}`] };
}

interface Counts {
  names: number;
  bytes: number;
  readonly wrong: string[];
  /** Of each file: its names that were found, and how many it says it has. */
  readonly links: Map<bigint, { found: number; readonly said: bigint; readonly path: string }>;
}

function walk(directory: string, counts: Counts, withBytes: boolean): void {
  const names = readdirSync(directory);
  if (new Set(names).size !== names.length) counts.wrong.push(`${directory}: a name twice`);
  let folders = 0n;
  for (const name of names) {
    const path = join(directory, name);
    counts.names++;
    try {
      const stats = lstatSync(path, { bigint: true });
      if (stats.isDirectory()) folders++;
      look(path, stats, counts, withBytes);
    } catch (error) {
      counts.wrong.push(`${path}: ${String(error)}`);
    }
  }
  const { nlink } = lstatSync(directory, { bigint: true });
  if (nlink !== folders + 2n) counts.wrong.push(`${directory}: ${nlink} links, ${folders} folders`);
}

function look(path: string, stats: BigIntStats, counts: Counts, withBytes: boolean): void {
  if (stats.isDirectory()) return walk(path, counts, withBytes);
  if (stats.isSymbolicLink()) readlinkSync(path);
  const known = counts.links.get(stats.ino) ?? { found: 0, said: stats.nlink, path };
  known.found++;
  counts.links.set(stats.ino, known);
  if (withBytes && stats.isFile()) readAll(path, Number(stats.size), counts);
}

function readAll(path: string, sizeBytes: number, counts: Counts): void {
  const file = openSync(path, "r");
  try {
    const buffer = Buffer.allocUnsafe(1024 * 1024);
    let done = 0;
    for (let got = 1; got > 0; done += got) got = readSync(file, buffer);
    counts.bytes += done;
    if (done !== sizeBytes) counts.wrong.push(`${path}: ${done} of ${sizeBytes} bytes`);
  } finally {
    closeSync(file);
  }
}

function walkAll(directory: string, withBytes: boolean): Walked {
  const counts: Counts = { names: 0, bytes: 0, wrong: [], links: new Map() };
  walk(directory, counts, withBytes);
  for (const { found, said, path } of counts.links.values()) {
    if (BigInt(found) !== said) counts.wrong.push(`${path}: ${found} of ${said} names`);
  }
  const { names, bytes, wrong } = counts;
  return { names, bytes, wrong: wrong.slice(0, 20) };
}

if (process.argv[1] === self) {
  const [directory = "", withBytes] = process.argv.slice(2);
  process.stdout.write(JSON.stringify(walkAll(directory, withBytes === "bytes")));
}
