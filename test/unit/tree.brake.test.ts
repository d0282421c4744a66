/** The brake: what a program that holds files to ransom does is held back, and undone whole. */
import { createHash } from "node:crypto";
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { type Ino, rootIno } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { BrakeRule, KeepRule } from "../../src/base/snapshots.ts";
import { MassChangeWatch } from "../../src/tree/past/mass-change.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { fileIn, flags, place } from "../support/making.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { nobody, readFile, walkTree } from "../support/walk.ts";

const minute = 60_000;
const rule: BrakeRule = { share: 0.3, withinMs: 10 * minute, filesMin: 50 };
const keep: KeepRule = [{ everyMs: minute, forMs: 60 * minute }];
const changed = async (): Promise<void> => undefined;
const random = seededRandom("brake");
const noise = (outputLength: number): Buffer =>
  createHash("shake256", { outputLength }).update(random.bytes(16)).digest();

class World {
  nowMs = Date.UTC(2026, 10, 22, 10, 0, 1);
  store = new MemoryStore();

  async open(kept = keep, brake: BrakeRule = rule): Promise<Tree> {
    const clock = {
      ...systemClock, now: () => this.nowMs, nowNs: () => BigInt(this.nowMs) * 1_000_000n,
    };
    const needs = { store: this.store, clock, random, log: silentLog };
    return await openTree(needs, { treeSecret: Buffer.alloc(32, 3), keep: kept, brake });
  }
}

async function write(tree: Tree, name: string, bytes: Buffer): Promise<void> {
  tree.forget(await fileIn(tree, rootIno, name, bytes), 1);
}

async function fill(tree: Tree, count: number): Promise<void> {
  for (let at = 0; at < count; at++) await write(tree, `file ${at}`, noise(100 + (at % 7) * 1000));
  await tree.commit();
}

/** Reads a file, writes noise over it, and gives it another name. */
async function ransom(tree: Tree, name: string): Promise<void> {
  const { ino } = await tree.lookup(place(rootIno, name));
  const { length } = await readFile(tree, ino);
  const handle = await tree.open(nobody, ino, flags);
  await tree.write(handle, 0, noise(length));
  await tree.fsync(handle);
  await tree.release(handle);
  await tree.rename(nobody, place(rootIno, name), place(rootIno, `${name}.locked`), "replace");
  tree.forget(ino, 1);
}

async function contents(tree: Tree): Promise<ReadonlyMap<string, string>> {
  return new Map([...await walkTree(tree)].map(([path, { content }]) => [path, content]));
}

/** Until what was begun in the background has ended. */
async function settled(tree: Tree): Promise<void> {
  for (let turn = 0; turn < 50 && tree.brake.status()?.before === null; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    await tree.commit();
  }
}

test("files written over are counted, each once, old ones alone, and undone whole", async (t) => {
  const world = new World();
  const tree = await world.open();
  await fill(tree, 200);
  world.nowMs += 20 * minute;
  await write(tree, "the day's work", Buffer.from("done"));
  await tree.commit();
  const before = await contents(tree);
  world.nowMs += 2 * minute;
  for (let at = 0; at < 60; at++) await ransom(tree, `file ${at}`);
  t.notOk(tree.brake.isOn, "60 of 202 are not 30 %");
  for (let at = 60; at < 100; at++) await ransom(tree, `file ${at}`);
  t.ok(tree.brake.isOn);
  await settled(tree);
  t.match(tree.brake.status(), { change: { overwritten: 61, deleted: 0, files: 202 } });
  await write(tree, "HOW TO GET YOUR FILES BACK", Buffer.from("pay"));
  const report = await tree.brake.undo(tree.past, changed);
  t.strictSame(await contents(tree), before);
  t.match(report, { restored: 100, removed: 101 });
  t.notOk(tree.brake.isOn, "the undoing itself is no loss");
  const after = await tree.past.open(report.before);
  t.equal((await contents(after.files as Tree)).size, before.size + 1, "what was undone is kept");
});

test("a brake outlives a crash, and is released by who says that it was meant", async (t) => {
  const world = new World();
  const tree = await world.open();
  await fill(tree, 200);
  world.nowMs += 20 * minute;
  for (let at = 0; at < 100; at++) await tree.unlink(nobody, place(rootIno, `file ${at}`));
  t.ok(tree.brake.isOn);
  await settled(tree);
  world.store = world.store.crash();
  const again = await world.open();
  t.match(again.brake.status(), { change: null, before: "2026-11-22T10:00:01Z" });
  await again.brake.goOn();
  t.notOk(again.brake.isOn);
  world.store = world.store.crash();
  t.notOk((await world.open()).brake.isOn);
});

test("without a rule that keeps anything, the moment before is there all the same", async (t) => {
  const world = new World();
  const tree = await world.open([]);
  await fill(tree, 200);
  world.nowMs += 20 * minute;
  const before = await contents(tree);
  for (let at = 0; at < 100; at++) {
    await ransom(tree, `file ${at}`);
    if (at % 10 === 0) await tree.commit();
    world.nowMs += 1000;
  }
  await settled(tree);
  await tree.brake.undo(tree.past, changed);
  t.strictSame(await contents(tree), before);
});

test("what is made and thrown away, and what takes its time, is nobody's loss", async (t) => {
  const world = new World();
  const tree = await world.open();
  await fill(tree, 200);
  for (let at = 0; at < 200; at++) await tree.unlink(nobody, place(rootIno, `file ${at}`));
  t.notOk(tree.brake.isOn, "files that are younger than the while");
  await fill(tree, 200);
  world.nowMs += 20 * minute;
  for (let at = 0; at < 200; at++) {
    world.nowMs += 15_000;
    await tree.unlink(nobody, place(rootIno, `file ${at}`));
  }
  t.notOk(tree.brake.isOn, "forty in ten minutes");
  t.end();
});

test("each file counts once, and no longer than its while", (t) => {
  let nowMs = 0;
  const watch = new MassChangeWatch(() => nowMs, { share: 0.5, withinMs: 100, filesMin: 2 });
  const see = (ino: number, kind: "deleted" | "overwritten", filesNow: number) =>
    watch.see({ ino: ino as Ino, kind, madeAtMs: -1000, filesNow });
  for (let turn = 0; turn < 10; turn++) t.equal(see(1, "overwritten", 4), undefined);
  nowMs = 60;
  t.equal(see(2, "deleted", 3), undefined);
  t.strictSame(see(3, "overwritten", 3), { sinceMs: 0, deleted: 1, overwritten: 2, files: 4 });
  nowMs = 100;
  t.equal(see(3, "overwritten", 3), undefined, "the first is too long ago");
  t.ok(watch.isCounting);
  t.end();
});
