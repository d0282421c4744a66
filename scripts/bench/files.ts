/** Bytes and names: one large file, a folder of many small ones. */
import {
  closeSync, fdatasyncSync, fsyncSync, mkdirSync, openSync, readFileSync, readSync, readdirSync,
  renameSync, statSync, unlinkSync, writeFileSync, writeSync,
} from "node:fs";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { MiB, type Work, perSecond, rate } from "./work.ts";

const fileBytes = 256 * MiB;
const pageBytes = 4096;
const filesMany = 2000;
const accesses = 4000;
const syncs = 200;

export const fileWorks: readonly Work[] = [
  {
    metric: "seqwrite", unit: "MB/s", bytes: fileBytes,
    run: async (at) => rate(fileBytes, () => writeLarge(at)),
  },
  { metric: "seqread_cold", unit: "MB/s", cold: true, bytes: fileBytes, run: readLarge },
  { metric: "seqread_warm", unit: "MB/s", run: readLarge },
  { metric: "randread4k_cold", unit: "reads/s", cold: true, run: readRandom },
  { metric: "randwrite4k", unit: "writes/s", run: async (at) => writeRandom(at, accesses) },
  {
    metric: "randwrite4k_fdatasync", unit: "writes/s",
    run: async (at) => writeRandom(at, syncs, fdatasyncSync),
  },
  { metric: "create4k", unit: "files/s", run: async (at) => createMany(at) },
  { metric: "stat_warm", unit: "files/s", run: statMany },
  { metric: "stat_cold", unit: "files/s", cold: true, run: statMany },
  { metric: "readdirstat_cold", unit: "files/s", cold: true, run: listMany },
  { metric: "openread_cold", unit: "files/s", cold: true, run: readMany },
  { metric: "rename", unit: "files/s", run: renameMany },
  { metric: "unlink", unit: "files/s", run: unlinkMany },
  { metric: "fsynccreate", unit: "files/s", run: createSynced },
];

/** No two pages alike: a store that keeps equal blocks once must not gain by it. */
function writeLarge(directory: string): void {
  const block = randomBytes(MiB);
  const file = openSync(join(directory, "large"), "w");
  for (let done = 0; done < fileBytes; done += MiB) {
    for (let at = 0; at < MiB; at += pageBytes) block.writeDoubleLE(done + at + Math.PI, at);
    writeSync(file, block);
  }
  fsyncSync(file);
  closeSync(file);
}

async function readLarge(directory: string): Promise<number> {
  const block = Buffer.alloc(MiB);
  return withFile(directory, "r", (file) => rate(fileBytes, () => {
    while (readSync(file, block) > 0);
  }));
}

async function readRandom(directory: string): Promise<number> {
  const block = Buffer.alloc(pageBytes);
  return withFile(directory, "r", (file) => perSecond(accesses, () => {
    for (let n = 0; n < accesses; n++) readSync(file, block, 0, pageBytes, placeOf(n));
  }));
}

/** With one fsync at the end where there is none after each. */
function writeRandom(directory: string, count: number, sync?: (file: number) => void): number {
  const block = randomBytes(pageBytes);
  return withFile(directory, "r+", (file) => perSecond(count, () => {
    for (let n = 0; n < count; n++) {
      block.writeDoubleLE(n, 0);
      writeSync(file, block, 0, pageBytes, placeOf(n));
      sync?.(file);
    }
    if (sync === undefined) fsyncSync(file);
  }));
}

/** The same scattered pages in every place and round. */
function placeOf(n: number): number {
  const pages = fileBytes / pageBytes;
  return ((n * 40_503 + 12_345) % pages) * pageBytes;
}

function withFile(
  directory: string, flags: "r" | "r+", act: (file: number) => number,
): number {
  const file = openSync(join(directory, "large"), flags);
  try {
    return act(file);
  } finally {
    closeSync(file);
  }
}

function manyOf(directory: string): readonly string[] {
  return Array.from({ length: filesMany }, (_, n) => join(directory, "many", `file-${n}`));
}

function createMany(directory: string): number {
  const block = randomBytes(pageBytes);
  mkdirSync(join(directory, "many"));
  return perSecond(filesMany, () => {
    for (const [n, path] of manyOf(directory).entries()) {
      block.writeDoubleLE(n, 0);
      writeFileSync(path, block);
    }
  });
}

async function statMany(directory: string): Promise<number> {
  const paths = manyOf(directory);
  return perSecond(filesMany, () => paths.forEach((path) => statSync(path)));
}

async function listMany(directory: string): Promise<number> {
  const many = join(directory, "many");
  return perSecond(filesMany, () => {
    for (const name of readdirSync(many)) statSync(join(many, name));
  });
}

async function readMany(directory: string): Promise<number> {
  const paths = manyOf(directory);
  return perSecond(filesMany, () => paths.forEach((path) => readFileSync(path)));
}

async function renameMany(directory: string): Promise<number> {
  const paths = manyOf(directory);
  return perSecond(filesMany, () => paths.forEach((path) => renameSync(path, `${path}.moved`)));
}

async function unlinkMany(directory: string): Promise<number> {
  const paths = manyOf(directory);
  return perSecond(filesMany, () => paths.forEach((path) => unlinkSync(`${path}.moved`)));
}

async function createSynced(directory: string): Promise<number> {
  const block = randomBytes(pageBytes);
  return perSecond(syncs, () => {
    for (let n = 0; n < syncs; n++) {
      const file = openSync(join(directory, `synced-${n}`), "w");
      writeSync(file, block);
      fsyncSync(file);
      closeSync(file);
    }
  });
}
