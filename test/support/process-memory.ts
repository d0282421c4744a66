/**
 * Looks for secrets in what other processes of this user have in memory: all that they may write
 * to, heaps, stacks and buffers, which is where a key would lie. Linux without swap, by /proc.
 */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";

const blockBytes = 4 * 1024 * 1024;
const pageBytes = 4096;

interface Region {
  readonly start: number;
  readonly end: number;
}

/** Whether the process has one of these in memory; false for one that has ended. */
export function hasInMemory(pid: number, secrets: readonly Buffer[]): boolean {
  const overlap = Math.max(...secrets.map(({ length }) => length));
  const isThere = finderOf(secrets);
  const memory = openSync(`/proc/${pid}/mem`, "r");
  try {
    const block = Buffer.alloc(blockBytes);
    return presentOf(pid, writableOf(pid)).some((region) => {
      return blocksOf(region, overlap).some(({ start, end }) => {
        const bytes = readAt(memory, block.subarray(0, end - start), start);
        return isThere(bytes);
      });
    });
  } finally {
    closeSync(memory);
  }
}

/** One pass for all of them: only where two bytes begin one is more compared. */
function finderOf(secrets: readonly Buffer[]): (bytes: Buffer) => boolean {
  const starts = new Uint8Array(2 ** 16);
  for (const secret of secrets) starts[secret.readUInt16BE(0)] = 1;
  return (bytes) => {
    let pair = 0;
    for (let at = 0; at < bytes.length; at++) {
      pair = (pair << 8 | (bytes[at] as number)) & 0xffff;
      if (starts[pair] === 0 || at === 0) continue;
      const rest = bytes.subarray(at - 1);
      if (secrets.some((secret) => rest.subarray(0, secret.length).equals(secret))) return true;
    }
    return false;
  };
}

function writableOf(pid: number): readonly Region[] {
  const lines = readFileSync(`/proc/${pid}/maps`, "utf8").split("\n");
  return lines.flatMap((line) => {
    const [, start, end] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
    if (start === undefined || end === undefined) return [];
    return [{ start: parseInt(start, 16), end: parseInt(end, 16) }];
  });
}

/** Of these, what was ever touched: most of what a process may write to is only promised to it. */
function presentOf(pid: number, regions: readonly Region[]): readonly Region[] {
  const pages = openSync(`/proc/${pid}/pagemap`, "r");
  try {
    return regions.flatMap(({ start, end }) => {
      const entries = Buffer.alloc((end - start) / pageBytes * 8);
      readSync(pages, entries, 0, entries.length, start / pageBytes * 8);
      return runsOf(entries).map(([first, last]) => {
        return { start: start + first * pageBytes, end: start + last * pageBytes };
      });
    });
  } finally {
    closeSync(pages);
  }
}

/** Pages in a row that are in memory, from the first to behind the last: bit 63 of each entry. */
function runsOf(entries: Buffer): readonly (readonly [number, number])[] {
  const runs: [number, number][] = [];
  for (let page = 0; page < entries.length / 8; page++) {
    if ((entries.readUInt8(page * 8 + 7) & 0x80) === 0) continue;
    const last = runs.at(-1);
    if (last?.[1] === page) last[1] = page + 1;
    else runs.push([page, page + 1]);
  }
  return runs;
}

function blocksOf({ start, end }: Region, overlap: number): readonly Region[] {
  const step = blockBytes - overlap;
  return Array.from({ length: Math.ceil((end - start) / step) }, (_, at) => {
    const from = start + at * step;
    return { start: from, end: Math.min(from + blockBytes, end) };
  });
}

/** What can be read of it: pages come and go while the process lives. */
function readAt(memory: number, into: Buffer, position: number): Buffer {
  try {
    return into.subarray(0, readSync(memory, into, 0, into.length, position));
  } catch {
    return into.subarray(0, 0);
  }
}
