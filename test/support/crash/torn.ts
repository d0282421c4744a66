/**
 * What a power cut does to the local store and a kill does not: bytes behind the last flush may be
 * gone, altered or zero. It never touches a byte that was flushed before the places were taken.
 *
 * They are taken from outside when an acknowledgement has arrived: all that it promised lies before
 * them. Journal first, then the index's log, then block files: what lies before its place in the
 * first never names a block behind the others. A journal file is written over in place, so that its
 * size tells nothing: its end is where whole records of its generation end.
 */
import { closeSync, ftruncateSync, openSync, readSync, readdirSync, statSync } from "node:fs";
import { writeSync } from "node:fs";
import { join } from "node:path";
import { MiB } from "../../../src/base/bytes.ts";
import type { Random } from "../../../src/base/random.ts";
import {
  fileHeaderBytes, parseFileHeader, parseRecordHeader, recordBehind, recordHeaderBytes,
} from "../../../src/cache/journal/journal-frame.ts";

interface JournalEnd {
  readonly generation: number;
  readonly endBytes: number;
}

/** Of the newest files of the local store, by path. */
export interface Flushed {
  readonly journal: ReadonlyMap<string, JournalEnd>;
  readonly logs: ReadonlyMap<string, number>;
  readonly blocks: ReadonlyMap<string, number>;
}

/** What `tear` says when nothing was written since. */
export const noTail = "no tail";
/** The smallest piece that a disk writes. */
const sectorBytes = 512;

/** With what was found before, only what came since is read. */
export function flushedNow(cache: string, before?: Flushed): Flushed {
  const journal = journalEnds(join(cache, "journal"), before?.journal ?? new Map());
  const logs = sizesIn(join(cache, "index"), /^\d+\.log$/);
  return { journal, logs, blocks: sizesIn(join(cache, "blocks"), /./) };
}

/** Nothing that was there has been given back since: only what was added is in question. */
export function stillThere(cache: string, flushed: Flushed): boolean {
  const now = flushedNow(cache);
  const held = (one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>): boolean =>
    [...one].every(([path, size]) => (other.get(path) ?? -1) >= size);
  const same = [...flushed.journal].every(([path, { generation }]) => {
    return now.journal.get(path)?.generation === generation;
  });
  return same && held(flushed.logs, now.logs) && held(flushed.blocks, now.blocks);
}

/** Damages what came later; says what it did. The daemon is dead. */
export function tear(cache: string, flushed: Flushed, random: Random): string {
  const now = flushedNow(cache);
  const tails = [...journalTails(now, flushed), ...logTail(now, flushed)];
  if (tails.length === 0) return noTail;
  const all = random.below(3) === 0;
  const hurt = tails.filter(() => all || random.below(2) === 0);
  const chosen = hurt.length > 0 ? hurt : tails.slice(-1);
  const words = chosen.map((tail) => {
    const how = all ? lose(tail, tail.from) : damage(tail, random);
    return `${how} of ${tail.size - tail.from} bytes`;
  });
  // With nothing left of what named them, blocks behind the last flush are anybody's guess too.
  const blocks = all ? [...now.blocks].map((file) => tearBlocks(file, flushed, random)) : [];
  return [...words, ...blocks.filter((word) => word !== "")].join(", ");
}

interface Tail {
  readonly path: string;
  readonly from: number;
  readonly size: number;
  /** The file keeps its size: what is lost there is what was never written. */
  readonly inPlace: boolean;
}

function journalTails(now: Flushed, flushed: Flushed): Tail[] {
  const newest = [...flushed.journal.values()].reduce((most, { generation }) => {
    return Math.max(most, generation);
  }, 0);
  return [...now.journal].flatMap(([path, { generation, endBytes }]) => {
    const known = flushed.journal.get(path);
    const from = known?.generation === generation ? known.endBytes : 0;
    const isNew = generation >= newest && endBytes > from;
    return isNew ? [{ path, from, size: endBytes, inPlace: true }] : [];
  });
}

function logTail(now: Flushed, flushed: Flushed): Tail[] {
  const path = [...now.logs.keys()].sort(byNumber).at(-1);
  if (path === undefined) throw new Error("no log of the index");
  const from = flushed.logs.get(path) ?? 0;
  const size = now.logs.get(path) as number;
  return size > from ? [{ path, from, size, inPlace: false }] : [];
}

function tearBlocks([path, size]: [string, number], flushed: Flushed, random: Random): string {
  const from = flushed.blocks.get(path) ?? 0;
  if (size <= from || random.below(3) === 0) return "";
  return `${damage({ path, from, size, inPlace: false }, random)} of ${size - from} bytes of blocks`;
}

function damage(tail: Tail, random: Random): string {
  const { path, from, size } = tail;
  const at = from + random.below(size - from);
  const ways = [
    () => lose(tail, at),
    () => alter(path, at, (byte) => byte ^ (1 << random.below(8)), 1),
    () => alter(path, at, () => random.below(256), Math.min(size - at, 1 + random.below(4000))),
    () => alter(path, at, () => 0, Math.min(size - at, sectorBytes * (1 + random.below(16)))),
  ];
  return (ways[random.below(ways.length)] as () => string)();
}

function lose({ path, size, inPlace }: Tail, at: number): string {
  if (inPlace) return alter(path, at, () => 0, size - at);
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

/** Of each file that was ever begun; a file that goes meanwhile is not missed. */
function journalEnds(
  directory: string,
  before: ReadonlyMap<string, JournalEnd>,
): ReadonlyMap<string, JournalEnd> {
  const ends = new Map<string, JournalEnd>();
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) continue;
    const file = openSync(path, "r");
    const generation = parseFileHeader(readAt(file, 0, fileHeaderBytes))?.generation;
    const known = before.get(path);
    const from = known?.generation === generation ? known?.endBytes : undefined;
    if (generation !== undefined) {
      const endBytes = endOf(file, { generation, from: from ?? fileHeaderBytes });
      ends.set(path, { generation, endBytes });
    }
    closeSync(file);
  }
  return ends;
}

/** Where the unbroken run of whole records ends. */
function endOf(file: number, { generation, from }: { generation: number; from: number }): number {
  let start = from;
  // Mostly nothing has come: no megabytes need be read to see that.
  if (parseRecordHeader(readAt(file, from, recordHeaderBytes), 0) === undefined) return from;
  let bytes = readAt(file, start, 4 * MiB);
  let at = 0;
  for (;;) {
    const header = parseRecordHeader(bytes, at);
    if (header === undefined || header.generation !== generation) return start + at;
    const needBytes = recordHeaderBytes + header.lengthBytes;
    if (at + needBytes + recordHeaderBytes > bytes.length && at > 0) {
      start += at;
      at = 0;
      bytes = readAt(file, start, 4 * MiB);
    }
    if (recordBehind(bytes, at, header) === undefined) return start + at;
    at += needBytes;
  }
}

function readAt(file: number, at: number, lengthBytes: number): Buffer {
  const bytes = Buffer.alloc(lengthBytes);
  return bytes.subarray(0, readSync(file, bytes, 0, lengthBytes, at));
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
