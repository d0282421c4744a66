/**
 * What a drive was: which moments are kept, that each stays whole, and what it takes to be back.
 */
import { createHash } from "node:crypto";
import { type Test, test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { HiveError } from "../../src/base/errors.ts";
import type { FileSystem } from "../../src/base/filesystem.ts";
import { type Cid, type Ino, parseName, rootIno } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { KeepRule } from "../../src/base/snapshots.ts";
import { treeKeys } from "../../src/dag/keys.ts";
import { openRoot } from "../../src/dag/root.ts";
import { isKept } from "../../src/tree/commit/keeping.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { faultOf } from "../support/faults.ts";
import { fileIn, flags, place } from "../support/making.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { nobody, readFile, walkTree } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/tree.snapshots.test.ts`;
const { chunkBytes } = limits.tree;
const minute = 60_000;
const rule: KeepRule = [{ everyMs: minute, forMs: 60 * minute }];
const changed = async (): Promise<void> => undefined;

/** A drive whose wall clock stands still until it is told to go on. */
class World {
  nowMs = Date.UTC(2026, 10, 22, 10, 0, 1);
  store = new MemoryStore();
  readonly #random = seededRandom(`snapshots ${seed}`);

  async open(store = this.store, keep = rule): Promise<Tree> {
    this.store = store;
    const clock = {
      ...systemClock, now: () => this.nowMs, nowNs: () => BigInt(this.nowMs) * 1_000_000n,
    };
    const needs = { store, clock, random: this.#random, log: silentLog };
    return await openTree(needs, { treeSecret: Buffer.alloc(32, 9), keep });
  }

  bytes(outputLength: number): Buffer {
    return createHash("shake256", { outputLength }).update(this.#random.bytes(16)).digest();
  }
}

async function write(fs: FileSystem, parent: Ino, name: string, bytes: Buffer): Promise<Ino> {
  const ino = await fileIn(fs, parent, name, bytes);
  fs.forget(ino, 1);
  return ino;
}

async function inoOf(fs: FileSystem, ...names: readonly string[]): Promise<Ino> {
  let ino = rootIno;
  for (const name of names) ino = (await fs.lookup(place(ino, name))).ino;
  return ino;
}

/** Something of every sort. */
async function furnish(tree: Tree, world: World): Promise<void> {
  const folder = (await tree.mkdir(nobody, place(rootIno, "folder"), { mode: 0o750 })).ino;
  await write(tree, folder, "small", Buffer.from("small as it was"));
  const large = await write(tree, folder, "large", world.bytes(5 * chunkBytes + 1000));
  await tree.lookup(place(folder, "large"));
  await tree.link(nobody, large, place(rootIno, "also large"));
  await tree.symlink(nobody, place(folder, "link"), Buffer.from("large"));
  await tree.setxattr(nobody, large, "user.note", Buffer.from("kept"), "any");
  await tree.setxattr(nobody, folder, "user.wide", world.bytes(3000), "any");
  for (let at = 0; at < 200; at++) await write(tree, folder, `file ${at}`, world.bytes(at * 20));
  tree.forget(large, 2);
  tree.forget(await inoOf(tree, "folder", "link"), 2);
  tree.forget(folder, 2);
}

/** Without what reading and other names change. */
async function picture(fs: FileSystem): Promise<ReadonlyMap<string, unknown>> {
  const seen = await walkTree(fs);
  return new Map([...seen].map(([path, { attributes, xattrs, content }]) => {
    const { ino, mode, links, uid, gid, sizeBytes, mtime } = attributes;
    return [path, { ino, mode, links, uid, gid, sizeBytes, mtime, xattrs, content }];
  }));
}

async function spoil(tree: Tree, world: World): Promise<void> {
  const folder = await inoOf(tree, "folder");
  await tree.unlink(nobody, place(folder, "small"));
  await tree.unlink(nobody, place(rootIno, "also large"));
  const large = await inoOf(tree, "folder", "large");
  const handle = await tree.open(nobody, large, { ...flags, read: true });
  await tree.write(handle, chunkBytes, world.bytes(2 * chunkBytes));
  await tree.release(handle);
  for (let at = 0; at < 200; at += 2) await tree.unlink(nobody, place(folder, `file ${at}`));
  await tree.rename(nobody, place(folder, "file 1"), place(rootIno, "moved"), "replace");
  await write(tree, folder, "new", Buffer.from("came since"));
}

test("kept is the state at each full minute, and for its time alone", (t) => {
  const random = seededRandom(`rule ${seed}`);
  for (let round = 0; round < 2000; round++) {
    const fromMs = random.below(10 * minute);
    const untilMs = fromMs + 1 + random.below(3 * minute);
    const nowMs = untilMs + random.below(90 * minute);
    let isExpected = false;
    for (let at = 0; at < untilMs; at += minute) {
      isExpected ||= at >= fromMs && at > nowMs - 60 * minute;
    }
    const is = isKept({ fromMs, untilMs }, nowMs, rule);
    if (is !== isExpected) t.fail(`${fromMs} to ${untilMs} at ${nowMs}: ${is}; ${replay}`);
  }
  t.pass();
  t.end();
});

test("many commits keep few, a state that stood long stays, and time thins them", async (t) => {
  const world = new World();
  const tree = await world.open(world.store, [...rule, { everyMs: 60 * minute, forMs: 86_400_000 }]);
  for (let second = 0; second < 600; second += 5) {
    world.nowMs += 5000;
    await write(tree, rootIno, `at ${second}`, Buffer.from("x"));
    await tree.commit();
  }
  const kept = await tree.past.list();
  t.equal(kept.length, 10, "of 120 commits in ten minutes");
  t.ok(kept.every(({ name }) => /^2026-11-22T10:\d\d:(01|56)Z$/.test(name)));
  world.nowMs += 7 * 60 * minute;
  await write(tree, rootIno, "much later", Buffer.from("x"));
  await tree.commit();
  const later = await tree.past.list();
  t.strictSame(later.map(({ files }) => files), [121], "only what stood at the full hours");
  world.nowMs += 25 * 60 * minute;
  await write(tree, rootIno, "next day", Buffer.from("x"));
  await tree.commit();
  t.equal((await tree.past.list()).length, 1);
});

test("a store full of what no peer has gets its room back from what is deleted", async (t) => {
  const world = new World();
  const tree = await world.open(new MemoryStore({ limitBytes: 32 * chunkBytes }));
  await write(tree, rootIno, "old", world.bytes(chunkBytes));
  await tree.commit();
  world.nowMs += 70 * minute;
  await write(tree, rootIno, "large", world.bytes(26 * chunkBytes));
  await tree.commit();
  const hourAgo = (await tree.past.list()).map(({ name }) => name);
  t.equal(hourAgo.length, 1, "what stood until now was made long ago");
  world.nowMs += 2 * minute;
  await tree.unlink(nobody, place(rootIno, "old"));
  await tree.commit();
  t.strictSame((await tree.past.list()).map(({ name }) => name), hourAgo, "none of the last hour");
  await tree.unlink(nobody, place(rootIno, "large"));
  await tree.collector.step(new AbortController().signal);
  t.ok(world.store.usage().dirtyBytes < 4 * chunkBytes, `${world.store.usage().dirtyBytes} left`);
  world.nowMs += 2 * minute;
  await write(tree, rootIno, "new", Buffer.from("x"));
  await tree.commit();
  t.equal((await tree.past.list()).length, hourAgo.length + 1, "with room all is kept again");
});

test("a snapshot stays as it was, through changes, censuses and a crash", async (t) => {
  const world = new World();
  const tree = await world.open();
  await furnish(tree, world);
  world.nowMs += 5000;
  await tree.commit();
  const before = await picture(tree);
  const name = await tree.past.create();
  t.equal(name, "2026-11-22T10:00:06Z");
  world.nowMs += 5 * minute;
  await write(tree, rootIno, "new", Buffer.from("x"));
  await tree.commit();
  t.equal((await tree.past.list()).length, 1, "what is the same is not kept twice");
  t.equal(await tree.past.create(), "2026-11-22T10:05:06Z");
  const second = await tree.past.create();
  t.match(second, /^2026-11-22T10:05:06Z\.\d$/, "a name of its own in one second");
  await tree.past.remove("2026-11-22T10:05:06Z");
  t.strictSame((await tree.past.list()).map((one) => one.name), [name, second]);
  for (let round = 0; round < 3; round++) {
    world.nowMs += 5 * minute;
    if (round === 0) await spoil(tree, world);
    await write(tree, rootIno, `round ${round}`, world.bytes(chunkBytes));
    await tree.commit();
    t.ok(await tree.census(10_000), "and the rest is given back");
    t.strictSame(await picture((await tree.past.open(name)).files), before, `round ${round}`);
  }
  const again = await world.open(world.store.crash());
  t.strictSame(await picture((await again.past.open(name)).files), before, "after a crash");
  const { files } = await again.past.open(name);
  const small = await inoOf(files, "folder", "small");
  t.equal(await faultOf(() => files.unlink(nobody, place(rootIno, "folder"))), "ReadOnly");
  t.equal(await faultOf(() => files.setattr(nobody, small, { mode: 0 })), "ReadOnly");
});

test("what a snapshot alone refers to goes with it", async (t) => {
  const world = new World();
  const tree = await world.open();
  await tree.commit();
  await tree.census(10_000);
  const empty = world.store.usage().usedBytes;
  await furnish(tree, world);
  const name = await tree.past.create();
  for (const entry of ["folder", "also large"]) await removeAll(tree, rootIno, entry);
  await tree.commit();
  await tree.census(10_000);
  t.ok(world.store.usage().usedBytes > empty + 5 * chunkBytes, "it is held");
  await tree.past.remove(name);
  // The pages of the folder itself, which has just left memory, go with the next one.
  for (let turn = 0; turn < 2; turn++) await tree.census(10_000);
  t.ok(world.store.usage().usedBytes < empty + 8192, `${world.store.usage().usedBytes}`);
  t.equal(await faultOf(() => tree.past.open(name)), "NotFound");
});

async function removeAll(fs: FileSystem, parent: Ino, name: string): Promise<void> {
  const { ino, mode } = await fs.lookup(place(parent, name));
  if ((mode & 0o170000) === 0o040000) {
    const names: string[] = [];
    const handle = await fs.opendir(ino);
    await fs.readdir(handle, { afterCookie: 0, plus: false }, (item) => names.push(item.name) > 0);
    await fs.releasedir(handle);
    for (const below of names.filter((one) => !/^\.\.?$/.test(one))) await removeAll(fs, ino, below);
    await fs.rmdir(nobody, place(parent, name));
  } else await fs.unlink(nobody, place(parent, name));
  fs.forget(ino, 1);
}

test("an exact restore brings all back, shares its blocks, and can be undone", async (t) => {
  const world = new World();
  const tree = await world.open();
  await furnish(tree, world);
  await tree.commit();
  const before = withoutNumbers(await picture(tree));
  const name = await tree.past.create();
  world.nowMs += minute;
  await spoil(tree, world);
  await tree.commit();
  const spoilt = withoutNumbers(await picture(tree));
  const put = world.store.putBytes;
  const told = new Set<string>();
  const report = await tree.past.restore(name, [], {
    exact: true, changed: async (parent, what) => void told.add(`${parent} ${what ?? ""}`),
  });
  t.strictSame(withoutNumbers(await picture(tree)), before);
  t.ok(world.store.putBytes - put < 2 * chunkBytes, `${world.store.putBytes - put} bytes were put`);
  t.match(report, { restored: 104, removed: 2, same: 100 });
  for (const what of ["moved", "also large", ""]) t.ok(told.has(`${rootIno} ${what}`), what);
  const again = await world.open(world.store.crash());
  t.strictSame(withoutNumbers(await picture(again)), before, "after a crash");
  await again.past.restore(report.before, [], { exact: true, changed });
  t.strictSame(withoutNumbers(await picture(again)), spoilt);
});

/** What comes back is another inode, in a folder that counts its names. */
function withoutNumbers(seen: ReadonlyMap<string, unknown>): ReadonlyMap<string, unknown> {
  return new Map([...seen].map(([path, one]) => [path, { ...(one as object), ino: 0 }]));
}

test("one file, or one folder, comes back, elsewhere too, and the rest stays", async (t) => {
  const world = new World();
  const tree = await world.open();
  await furnish(tree, world);
  const name = await tree.past.create();
  world.nowMs += minute;
  await spoil(tree, world);
  await tree.past.restore(name, ["folder", "small"], { exact: false, changed });
  t.equal(String(await readFile(tree, await inoOf(tree, "folder", "small"))), "small as it was");
  await tree.past.restore(name, ["folder"], { exact: false, to: ["copy"], changed });
  const { files } = await tree.past.open(name);
  const then = await readFile(files, await inoOf(files, "folder", "large"));
  t.ok(then.equals(await readFile(tree, await inoOf(tree, "copy", "large"))));
  t.notOk(then.equals(await readFile(tree, await inoOf(tree, "folder", "large"))));
  await tree.past.restore(name, ["folder"], { exact: false, changed });
  t.ok(then.equals(await readFile(tree, await inoOf(tree, "folder", "large"))));
  t.equal(String(await readFile(tree, await inoOf(tree, "folder", "new"))), "came since");
  t.equal(await faultOf(() => tree.past.restore(name, ["none"], { exact: false, changed })),
    "NotFound");
});

test("a comparison tells what is new, gone and other, and nothing else", async (t) => {
  const world = new World();
  const tree = await world.open();
  await furnish(tree, world);
  const name = await tree.past.create();
  const nothing = await tree.past.compare([], { from: name });
  t.strictSame(nothing, { differences: [], isCut: false });
  world.nowMs += minute;
  await spoil(tree, world);
  const { differences } = await tree.past.compare([], { from: name });
  const told = new Set(differences.map(({ kind, path }) => `${kind} ${path}`));
  const expected = [
    "gone also large", "gone folder/small", "changed folder/large", "gone folder/file 1",
    "made moved", "made folder/new",
    ...Array.from({ length: 100 }, (_, at) => `gone folder/file ${2 * at}`),
  ];
  t.strictSame([...told].sort(), expected.sort());
  const below = await tree.past.compare(["folder"], { from: name });
  t.equal(below.differences.length, expected.length - 2);
});

test("a folder's past is what stood at its path", async (t) => {
  const world = new World();
  const tree = await world.open();
  const first = await tree.past.create();
  world.nowMs += minute;
  await furnish(tree, world);
  const second = await tree.past.create();
  const folder = await inoOf(tree, "folder");
  t.strictSame((await tree.past.list(["folder"])).map((one) => one.name), [second]);
  const point = tree.past.pointAt(folder);
  t.match(await point.items(), [{ name: second }]);
  const graft = await point.open(parseName(second));
  t.equal((await graft.files.getattr(graft.root)).ino, folder);
  t.equal(await faultOf(() => point.open(parseName(first))), "NotFound");
});

test("a folder's trash has what snapshots of 30 days have and the folder has not", async (t) => {
  const world = new World();
  const day = 1440 * minute;
  const tree = await world.open(world.store, [{ everyMs: minute, forMs: 60 * day }]);
  await furnish(tree, world);
  const folder = await inoOf(tree, "folder");
  const handle = await tree.open(nobody, await inoOf(tree, "folder", "small"), flags);
  await tree.past.create();
  world.nowMs += minute;
  await tree.write(handle, 0, Buffer.from("newer"));
  await tree.release(handle);
  await tree.past.create();
  world.nowMs += minute;
  const trash = tree.trash.pointAt(folder);
  t.strictSame(await trash.items(), [], "nothing is gone yet");
  t.equal(await faultOf(() => trash.open(parseName("small"))), "NotFound");

  await spoil(tree, world);
  await tree.rename(nobody, place(rootIno, "folder"), place(rootIno, "elsewhere"), "replace");
  await tree.rename(nobody, place(rootIno, "elsewhere"), place(rootIno, "folder"), "replace");
  const gone = ["small", "file 1", ...Array.from({ length: 100 }, (_, at) => `file ${2 * at}`)];
  t.strictSame((await trash.items()).map(({ name }) => name).sort(), gone.sort());
  const { files, root } = await trash.open(parseName("small"));
  t.equal((await readFile(files, root)).toString(), "newer as it was", "as it was last");
  t.equal(await faultOf(() => trash.open(parseName("new"))), "NotFound", "that is there");
  await write(tree, folder, "small", Buffer.from("again"));
  t.equal(await faultOf(() => trash.open(parseName("small"))), "NotFound", "it came back");
  t.notOk((await trash.items()).some(({ name }) => name === "small"));

  world.nowMs += 31 * day;
  await tree.past.create();
  await tree.unlink(nobody, place(folder, "new"));
  world.nowMs += minute;
  await tree.past.create();
  t.match(await trash.items(), [{ name: "new", type: 0o100000 }], "older ones show no more");
});

test("a restore has all that it needs, though its snapshot is removed meanwhile", async (t) => {
  const world = new World();
  const tree = await world.open();
  await furnish(tree, world);
  const before = await picture(tree);
  const name = await tree.past.create();
  await spoil(tree, world);
  await tree.commit();
  let isRemoved = false;
  await tree.past.restore(name, [], { exact: true, changed: async () => {
    if (isRemoved) return;
    isRemoved = true;
    await tree.past.remove(name);
    t.ok(await tree.census(1000), "what nothing refers to is gone");
  } });
  t.ok(isRemoved);
  const now = await picture(tree);
  const contents = (some: ReadonlyMap<string, unknown>) => [...some].map(([path, one]) => {
    return [path, (one as { readonly content: string }).content];
  });
  t.strictSame(contents(now), contents(before));
});

test("a machine that has the newest root alone has the snapshots too", async (t: Test) => {
  const world = new World();
  const tree = await world.open();
  await furnish(tree, world);
  const before = await picture(tree);
  const name = await tree.past.create();
  world.nowMs += minute;
  await spoil(tree, world);
  await tree.close();
  const old = world.store;
  const store = new MemoryStore();
  const root = old.root() as Uint8Array;
  await store.commit(root, 0);
  const list = openRoot(treeKeys(Buffer.alloc(32, 9)), root).kept?.cid;
  let isOnline = false;
  const get = store.get.bind(store);
  store.get = async (cid) => {
    if (store.has(cid)) return get(cid);
    if (isOnline || cid !== list) return old.get(cid);
    throw new HiveError("Unavailable", "test.get", "nobody who has the list is there");
  };
  const recovered = await world.open(store);
  await write(recovered, rootIno, "made before anybody was there", Buffer.from("x"));
  world.nowMs += minute;
  await recovered.commit();
  isOnline = true;
  const [first] = await recovered.past.list();
  t.equal(first?.name, name);
  t.strictSame(await picture((await recovered.past.open(name)).files), before);
});

test("the blocks of a path are those of its files and of the pages that lead there", async (t) => {
  const world = new World();
  const tree = await world.open();
  await furnish(tree, world);
  const folder = await inoOf(tree, "folder");
  const other = await fileIn(tree, rootIno, "other", world.bytes(2 * chunkBytes));
  const told = async (path: readonly string[]): Promise<ReadonlySet<Cid>> => {
    const cids = new Set<Cid>();
    t.equal(await tree.past.tellBlocks(path, (cid) => void cids.add(cid)), 0, "none is gone");
    return cids;
  };
  const [all, below] = [await told([]), await told(["folder"])];
  const small = await told(["folder", "small"]);
  for await (const cid of tree.cidsBelow(folder)) t.ok(below.has(cid));
  for await (const cid of tree.cidsOf(other)) t.ok(all.has(cid) && !below.has(cid));
  t.ok(small.size > 0, "what is short lies in the pages of its folder");
  t.ok([...below].every((cid) => all.has(cid)) && [...small].every((cid) => below.has(cid)));
  t.equal(await faultOf(told(["folder", "nothing"])), "NotFound");
});

test("what is written meanwhile takes no block from whoever goes through a path", async (t) => {
  const world = new World();
  // Nothing but the newest root is kept.
  const tree = await world.open(new MemoryStore(), []);
  await furnish(tree, world);
  await tree.commit();
  const folder = await inoOf(tree, "folder");
  await write(tree, folder, "fresh", world.bytes(chunkBytes));
  let blocks = 0;
  const gone = await tree.past.tellBlocks(["folder"], async () => {
    if (blocks++ % 3 !== 0) return;
    await write(tree, folder, `meanwhile ${blocks}`, world.bytes(100));
    await tree.commit();
  });
  t.ok(blocks > 5, `${blocks} blocks`);
  t.equal(gone, 0, replay);
});
