/** Memory of the tree: it is bounded, and what gives way to a bound goes where it should. */
import { setTimeout as wait } from "node:timers/promises";
import { test } from "tap";
import { MiB } from "../../src/base/bytes.ts";
import { systemClock as clock } from "../../src/base/clock.ts";
import { cidOf } from "../../src/base/ids.ts";
import { parseName, rootIno } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog as log } from "../../src/base/log.ts";
import { collectAll } from "../../src/base/machine/collect.ts";
import { systemRandom as random } from "../../src/base/random.ts";
import { Parts } from "../../src/tree/state/parts.ts";
import { openTree } from "../../src/tree/tree.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { nobody } from "../support/walk.ts";

test("the keys and tags of a thousand chunks leave the pages that they came from", async (t) => {
  const parts = new Parts();
  const before = await settledBytes();
  for (let i = 0; i < 1000; i++) {
    const page = Buffer.alloc(65536, i);
    const key = page.subarray(100, 132);
    const cid = cidOf(Buffer.from(`chunk ${i}`));
    parts.remember({ cid, key, lengthBytes: 65536 }, page.subarray(1000, 1000 + 64 * 16));
  }
  const after = await settledBytes();
  const link = {
    cid: cidOf(Buffer.from("chunk 999")), key: Buffer.alloc(32, 999), lengthBytes: 65536,
  };
  t.ok(parts.partFor(link, [4096, 8192]) !== undefined, "they are remembered");
  t.ok(after - before < 8 * MiB, `${after - before} bytes of buffers`);
});

test("more short files than may wait unsealed take no blocks of their own", async (t) => {
  const store = new MemoryStore();
  const needs = { store, clock, random, log };
  const tree = await openTree(needs, { treeSecret: Buffer.alloc(32, 1) });
  // The least that written bytes take in memory is a page.
  const count = limits.tree.dirtyBytesMax / 4096 + 500;
  const before = store.putBytes;
  const flags = { read: true, write: true, append: false, truncate: false };
  for (let i = 0; i < count; i++) {
    const at = { parent: rootIno, name: parseName(`file-${i}`) };
    const made = await tree.create(nobody, at, { mode: 0o644 }, { ...flags, exclusive: true });
    const { handle } = made;
    await tree.write(handle, 0, Buffer.from(`number ${i}`));
    await tree.release(handle);
  }
  t.equal(store.putBytes, before, "none is sealed");
  await tree.close();
  const again = await openTree(needs, { treeSecret: Buffer.alloc(32, 1) });
  for (const i of [0, 499, count - 1]) {
    const { ino } = await again.lookup({ parent: rootIno, name: parseName(`file-${i}`) });
    const handle = await again.open(nobody, ino, flags);
    const pieces = await again.read(handle, { offsetBytes: 0, lengthBytes: 100 });
    t.equal(Buffer.concat(pieces).toString(), `number ${i}`);
  }
});

async function settledBytes(): Promise<number> {
  collectAll();
  await wait(50);
  collectAll();
  return process.memoryUsage().arrayBuffers;
}
