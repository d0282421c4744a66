/** Garbage: what nothing refers to goes when the store fills, and nothing else ever does. */
import { createHash } from "node:crypto";
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import type { Handle, Ino } from "../../src/base/ids.ts";
import { parseName, rootIno } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { flags } from "../support/making.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { nobody, readFile } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/tree.garbage.test.ts`;
const { chunkBytes } = limits.tree;
const at = (name: string) => ({ parent: rootIno, name: parseName(name) });
const random = seededRandom(`garbage ${seed}`);

function bulk(outputLength: number): Buffer {
  return createHash("shake256", { outputLength }).update(random.bytes(16)).digest();
}

/** A store that is nearly full from 3 MiB on, and time enough between two searches. */
async function openOn(store: MemoryStore) {
  let skippedMs = 0;
  const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + skippedMs };
  const needs = { store, clock, random, log: silentLog };
  const tree = await openTree(needs, { treeSecret: Buffer.alloc(32, 5) });
  const collect = async (): Promise<void> => {
    skippedMs += 60_000;
    await tree.collector.step(new AbortController().signal);
  };
  return { tree, collect };
}

function newStore(): MemoryStore {
  return new MemoryStore({ late: seededRandom("late"), limitBytes: 4 * 2 ** 20 });
}

async function write(tree: Tree, name: string, bytes: Buffer): Promise<[Ino, Handle]> {
  const made = await tree.create(nobody, at(name), { mode: 0o644 }, flags);
  await tree.write(made.handle, 0, bytes);
  return [made.attributes.ino, made.handle];
}

async function remove(tree: Tree, name: string, ino: Ino): Promise<void> {
  await tree.unlink(nobody, at(name));
  tree.forget(ino, 1);
}

test("a removed file's blocks go, those that another file shares stay", async (t) => {
  const store = newStore();
  const { tree, collect } = await openOn(store);
  const shared = bulk(4 * chunkBytes);
  const own = bulk(12 * chunkBytes);
  const [kept, keptHandle] = await write(tree, "kept", shared);
  const [gone, goneHandle] = await write(tree, "gone", Buffer.concat([shared, own]));
  await tree.commit();
  const before = store.usage().dirtyBytes;
  await collect();
  t.equal(store.usage().dirtyBytes, before, "nothing is garbage yet");
  tree.release(keptHandle);
  tree.release(goneHandle);
  await remove(tree, "gone", gone);
  await collect();
  t.ok(before - store.usage().dirtyBytes >= own.length, "the room is there again");
  t.ok((await readFile(tree, kept)).equals(shared));
  await tree.close();
  const again = await openOn(store.crash());
  const { ino } = await again.tree.lookup(at("kept"));
  t.ok((await readFile(again.tree, ino)).equals(shared), "after a crash too");
});

test("a removed file that is open keeps its blocks until it is closed", async (t) => {
  const store = newStore();
  const { tree, collect } = await openOn(store);
  const bytes = bulk(14 * chunkBytes);
  const [ino, handle] = await write(tree, "open", bytes);
  await tree.fsync(handle);
  await tree.commit();
  await tree.unlink(nobody, at("open"));
  await collect();
  const read = await tree.read(handle, { offsetBytes: 0, lengthBytes: bytes.length });
  t.ok(Buffer.concat(read).equals(bytes));
  tree.release(handle);
  await tree.mkdir(nobody, at("d"), { mode: 0o755 });
  await collect();
  t.ok(store.usage().dirtyBytes < chunkBytes, "closed, though the kernel still knows it");
  tree.forget(ino, 1);
  await tree.commit();
  await tree.mkdir(nobody, at("e"), { mode: 0o755 });
  await tree.close();
  t.pass("its pages are given up in peace");
});

test("what is written while garbage is looked for is never taken for it", async (t) => {
  const store = newStore();
  const { tree, collect } = await openOn(store);
  const lost = bulk(13 * chunkBytes);
  const [ino, handle] = await write(tree, "first", lost);
  tree.release(handle);
  await tree.commit();
  await remove(tree, "first", ino);
  const collecting = collect();
  const [twin] = await write(tree, "twin", lost);
  await collecting;
  t.ok((await readFile(tree, twin)).equals(lost), "the same chunks, put again meanwhile");
  await tree.close();
  const again = await openOn(store.crash());
  t.ok((await readFile(again.tree, (await again.tree.lookup(at("twin"))).ino)).equals(lost));
});

test("whatever was removed, written over or copied, what is left is whole", async (t) => {
  let store = newStore();
  let { tree, collect } = await openOn(store);
  const files = new Map<string, Buffer>();
  for (let turn = 0; turn < 120; turn++) {
    const name = `f${random.below(6)}`;
    if (files.has(name) && random.below(3) > 0) {
      await remove(tree, name, (await tree.lookup(at(name))).ino);
      files.delete(name);
    } else if (!files.has(name)) {
      const others = [...files.values()];
      const fresh = bulk(1 + random.below(3 * chunkBytes));
      const copied = others[random.below(others.length + 1)] ?? Buffer.alloc(0);
      const bytes = Buffer.concat([copied.subarray(0, 8 * chunkBytes), fresh]);
      const [ino, handle] = await write(tree, name, bytes);
      await tree.setxattr(nobody, ino, "user.x", Buffer.alloc(2000, turn), "any");
      await tree.fsync(handle);
      tree.release(handle);
      files.set(name, bytes);
    }
    if (random.below(4) === 0) await collect();
    if (random.below(10) === 0) {
      await tree.commit();
      store = store.crash();
      ({ tree, collect } = await openOn(store));
    }
  }
  await collect();
  for (const [name, bytes] of files) {
    const { ino } = await tree.lookup(at(name));
    t.ok((await readFile(tree, ino)).equals(bytes), `${name}, ${replay}`);
    t.equal((await tree.getxattr(ino, "user.x")).length, 2000);
  }
  await tree.close();
});
