/**
 * What a power cut does to the local store and a kill does not: bytes behind the last flush may be
 * cut off, altered or zero. It never touches a byte that was flushed before the sizes were taken.
 *
 * The sizes are taken from outside when an acknowledgement has arrived: all that it promised lies
 * below them. Index log first, then block files: a record in the log below its size never names a
 * block above the others.
 */
import { closeSync, ftruncateSync, openSync, readSync, readdirSync, statSync } from "node:fs";
import { writeSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "../../../src/base/random.ts";

/** Of the newest files of the local store, by path. */
export interface Flushed {
  readonly logs: ReadonlyMap<string, number>;
  readonly blocks: ReadonlyMap<string, number>;
}

/** What `tear` says when nothing was written since. */
export const noTail = "no tail";
/** The smallest piece that a disk writes. */
const sectorBytes = 512;

export function flushedNow(cache: string): Flushed {
  const logs = sizesIn(join(cache, "index"), /^\d+\.log$/);
  return { logs, blocks: sizesIn(join(cache, "blocks"), /./) };
}

/** Nothing that was there has been given back since: only what was added is in question. */
export function stillThere(cache: string, flushed: Flushed): boolean {
  const now = flushedNow(cache);
  const held = (one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>): boolean =>
    [...one].every(([path, size]) => (other.get(path) ?? -1) >= size);
  return held(flushed.logs, now.logs) && held(flushed.blocks, now.blocks);
}

/** Damages what came later; says what it did. The daemon is dead. */
export function tear(cache: string, flushed: Flushed, random: Random): string {
  const now = flushedNow(cache);
  const newest = [...now.logs.keys()].sort(byNumber).at(-1);
  if (newest === undefined) throw new Error(`no log in ${cache}`);
  const from = flushed.logs.get(newest) ?? 0;
  const size = now.logs.get(newest) as number;
  if (size <= from) return noTail;
  const all = random.below(3) === 0;
  const how = all ? cut(newest, from) : damage(newest, { from, size }, random);
  // With nothing left of what named them, blocks behind the last flush are anybody's guess too.
  const blocks = all ? [...now.blocks].map((file) => tearBlocks(file, flushed, random)) : [];
  return [`${how} of ${size - from} bytes`, ...blocks.filter((words) => words !== "")].join(", ");
}

interface Tail {
  readonly from: number;
  readonly size: number;
}

function tearBlocks([path, size]: [string, number], flushed: Flushed, random: Random): string {
  const from = flushed.blocks.get(path) ?? 0;
  if (size <= from || random.below(3) === 0) return "";
  return `${damage(path, { from, size }, random)} of ${size - from} bytes of blocks`;
}

function damage(path: string, tail: Tail, random: Random): string {
  const { from, size } = tail;
  const at = from + random.below(size - from);
  const ways = [
    () => cut(path, at),
    () => alter(path, at, (byte) => byte ^ (1 << random.below(8)), 1),
    () => alter(path, at, () => random.below(256), Math.min(size - at, 1 + random.below(4000))),
    () => alter(path, at, () => 0, Math.min(size - at, sectorBytes * (1 + random.below(16)))),
  ];
  return (ways[random.below(ways.length)] as () => string)();
}

function cut(path: string, at: number): string {
  const file = openSync(path, "r+");
  ftruncateSync(file, at);
  closeSync(file);
  return `cut at ${at}`;
}

function alter(path: string, at: number, byteOf: (was: number) => number, length: number): string {
  const file = openSync(path, "r+");
  const bytes = Buffer.alloc(length);
  readSync(file, bytes, 0, length, at);
  writeSync(file, bytes.map(byteOf), 0, length, at);
  closeSync(file);
  return `${length} bytes altered at ${at}`;
}

function sizesIn(directory: string, wanted: RegExp): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const name of readdirSync(directory).filter((one) => wanted.test(one))) {
    const path = join(directory, name);
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats !== undefined) sizes.set(path, stats.size);
  }
  return sizes;
}

function byNumber(one: string, other: string): number {
  const numberIn = (path: string): number => Number(/(\d+)\.log$/.exec(path)?.[1]);
  return numberIn(one) - numberIn(other);
}
