/**
 * Where the time of a write, an fsync and a read goes below the mount: each stage by itself, on one
 * thread, in microseconds; medians. The table of src/README.md is made of it.
 *
 *   node test/bench/stages.ts
 */
import { mkdtempSync, rmSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock as clock } from "../../src/base/clock.ts";
import type { Ino } from "../../src/base/ids.ts";
import { silentLog as log } from "../../src/base/log.ts";
import { systemRandom as random } from "../../src/base/random.ts";
import { openCache } from "../../src/cache/cache.ts";
import { chunkSealer } from "../../src/crypt/blocks/chunk-seal.ts";
import { openChunk, sealChunks } from "../../src/dag/chunks.ts";
import { openJournal, sealJournal, treeKeys } from "../../src/dag/keys.ts";
import { encodeChanges } from "../../src/tree/state/journal.ts";

const times = 200;
const chunkBytes = 256 * 1024;
const keys = treeKeys(randomBytes(32));

async function take(what: string, act: (n: number) => unknown): Promise<void> {
  const took: number[] = [];
  for (let n = 0; n < times; n++) {
    const start = performance.now();
    const work = act(n);
    if (work instanceof Promise) await work;
    took.push((performance.now() - start) * 1000);
  }
  took.sort((one, other) => one - other);
  process.stdout.write(`${String(Math.round(took[times / 2] ?? 0)).padStart(6)}  ${what}\n`);
}

const directory = mkdtempSync(join(tmpdir(), "hive-stages-"));
const store = await openCache({ directory, clock, log, fetcher: undefined }, { limitBytes: 2 ** 31 });
const plains = Array.from({ length: 4 }, () => randomBytes(chunkBytes));
const fresh = (n: number): Buffer[] => plains.map((plain, at) => {
  plain.writeDoubleLE(n + at * 1e6, 0);
  return plain;
});
process.stdout.write(`sealing by ${chunkSealer().engine}\n`);
await take("key, seal and name 1 MiB, four chunks in one call", (n) => sealChunks(keys.chunks, fresh(n)));
await take("put four sealed chunks, written to the block file", async (n) => {
  for (const { link, sealed } of sealChunks(keys.chunks, fresh(1e9 + n))) {
    await store.put(link.cid, sealed);
  }
});
await store.sync();
const [one] = sealChunks(keys.chunks, fresh(-1));
if (one === undefined) throw new Error("nothing was sealed");
await store.put(one.link.cid, one.sealed);
await store.sync();
await take("read a sealed chunk from the block file, warm", () =>
  store.get(one.link.cid, { unchecked: true }));
await take("open a chunk by its key and tag", () => openChunk(one.link, one.sealed, { by: "key" }));
await take("the same, its name checked too (what peers sent)", () => openChunk(one.link, one.sealed));
const bytes = randomBytes(4096);
const change = { kind: "data", ino: 2 as Ino, offsetBytes: 0, bytes } as const;
const record = encodeChanges([change]);
await take("encode and seal a journal record of 4 KiB", () =>
  sealJournal(keys, encodeChanges([change]), random));
const sealed = sealJournal(keys, record, random);
await take("open it", () => openJournal(keys, sealed));
await take("make a record of 4 KiB durable", async () => {
  store.append(sealed, { namesDurableOnly: true });
  await store.syncRecords();
});
await store.close();
rmSync(directory, { recursive: true });
