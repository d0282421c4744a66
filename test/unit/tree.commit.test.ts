/** Durability: what fsync costs, what a commit keeps, what a full or failing store does. */
import { readFileSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { isFault } from "../../src/base/errors.ts";
import { rootIno } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { openJournal, treeKeys } from "../../src/dag/keys.ts";
import { checkTree } from "../../src/tree/check/check.ts";
import { encodeChanges, parseChanges } from "../../src/tree/state/journal.ts";
import { openTree } from "../../src/tree/tree.ts";
import { flags, place } from "../support/making.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { listDirectory, nobody, readFile, walkTree } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/tree.commit.test.ts`;
const treeSecret = Buffer.alloc(32, 5);
const { chunkBytes } = limits.tree;


async function openOn(store: MemoryStore, options: { readOnly?: boolean } = {}) {
  const random = seededRandom(`commit ${seed}`);
  const needs = { store, clock: systemClock, random, log: silentLog };
  return await openTree(needs, { treeSecret, ...options });
}

test("an fsync of 4 KiB in a large file journals about 4 KiB and seals nothing", async (t) => {
  const store = new MemoryStore();
  const tree = await openOn(store);
  const file = await tree.create(nobody, place(rootIno, "db"), { mode: 0o644 }, flags);
  await tree.write(file.handle, 0, Buffer.alloc(8 * chunkBytes, 1));
  await tree.commit();
  const before = { put: store.putBytes, appended: store.appendedBytes };
  for (let at = 0; at < 10; at++) {
    await tree.write(file.handle, at * 100_000, Buffer.alloc(4096, 2));
    await tree.fsync(file.handle);
  }
  t.equal(store.putBytes, before.put);
  const each = (store.appendedBytes - before.appended) / 10;
  t.ok(each > 4096 && each < 4096 + 512, `${each} bytes each`);
  const expected = await readFile(tree, file.attributes.ino);
  const again = await openOn(store.crash());
  const { ino } = await again.lookup(place(rootIno, "db"));
  t.ok((await readFile(again, ino)).equals(expected));
});

test("small changes between two syncs are few records, and an fsync keeps them all", async (t) => {
  const store = new MemoryStore();
  const tree = await openOn(store);
  const { ino } = await tree.mkdir(nobody, place(rootIno, "d"), { mode: 0o755 });
  for (let at = 0; at < 500; at++) {
    await tree.mknod(nobody, place(ino, `made-${at}`), { mode: 0o100644 });
    const to = place(ino, `${at}`);
    if (at % 2 === 0) await tree.rename(nobody, place(ino, `made-${at}`), to, "replace");
    if (at % 3 === 0) await tree.setattr(nobody, ino, { mode: 0o700 + at % 8 });
  }
  const directory = await tree.opendir(ino);
  await tree.fsyncdir(directory);
  const records = store.journalCount;
  t.ok(records > 1 && records < 50, `${records} records of 917 changes`);
  const expected = await walkTree(tree);
  await tree.unlink(nobody, place(ino, "0"));
  t.strictSame(await walkTree(await openOn(store.crash())), expected);
});

test("a file that was emptied takes nothing on the disk, also after a crash", async (t) => {
  const store = new MemoryStore();
  const tree = await openOn(store);
  const file = await tree.create(nobody, place(rootIno, "db"), { mode: 0o644 }, flags);
  const { ino } = file.attributes;
  await tree.write(file.handle, 0, Buffer.alloc(2 * chunkBytes, 1));
  await tree.fsync(file.handle);
  for (const act of [
    () => tree.write(file.handle, 100, Buffer.alloc(50, 2)),
    () => tree.fsync(file.handle),
    () => tree.setattr(nobody, ino, { sizeBytes: 0 }),
    () => tree.write(file.handle, 0, Buffer.alloc(3000, 3)),
    () => tree.fsync(file.handle),
  ]) await act();
  const again = await openOn(store.crash());
  const found = await again.lookup(place(rootIno, "db"));
  t.strictSame([found.sizeBytes, found.blocks], [3000, 8]);
});

test("a commit is of one moment, though names change while it is written", async (t) => {
  const store = new MemoryStore({ late: seededRandom(`moment ${seed}`) });
  const tree = await openOn(store);
  const file = await tree.tmpfile(nobody, rootIno, { mode: 0o644 }, flags);
  await tree.write(file.handle, 0, Buffer.alloc(chunkBytes + 5, 1));
  await tree.commit();
  for (let at = 0; at < 60; at++) {
    // Nothing but a nameless file has changed: the root directory has not, until it is late.
    await tree.write(file.handle, at, Buffer.alloc(1, at));
    const commit = tree.commit();
    for (let turn = 0; turn < at % 7; turn++) await nextTurn();
    await tree.mkdir(nobody, place(rootIno, `d${at}`), { mode: 0o755 });
    await commit;
    const problems: string[] = [];
    const report = ({ words }: { readonly words: string }): void => void problems.push(words);
    const needs = { store: store.crash(), clock: systemClock, random: seededRandom("check") };
    const more = { report, whereIs: async () => "nowhere" as const, progress: () => undefined };
    await checkTree({ ...needs, ...more }, { treeSecret, spoilt: [] });
    if (problems.length > 0) t.fail(`${problems.join()}: ${replay}`);
  }
  t.pass("60 commits");
});

test("an fsync does not wait for what others have written", async (t) => {
  const store = new MemoryStore();
  const tree = await openOn(store);
  const large = await tree.create(nobody, place(rootIno, "large"), { mode: 0o644 }, flags);
  await tree.write(large.handle, 0, seededRandom(`large ${seed}`).bytes(4 * chunkBytes));
  const small = await tree.create(nobody, place(rootIno, "small"), { mode: 0o644 }, flags);
  await tree.write(small.handle, 0, Buffer.alloc(4096, 1));
  await tree.fsync(small.handle);
  t.ok(store.unsyncedBlocks > 0, "the large file's chunks are on their way");
  const again = await openOn(store.crash());
  const { ino } = await again.lookup(place(rootIno, "small"));
  t.ok((await readFile(again, ino)).equals(Buffer.alloc(4096, 1)));
  await tree.fsync(large.handle);
  t.equal(store.unsyncedBlocks, 0, "until it is synced itself");
});

test("a chunk of which little changed rests in the journal through commits", async (t) => {
  const store = new MemoryStore();
  let nowMs = 1_000_000;
  const clock = { ...systemClock, monotonicMs: () => nowMs };
  const random = seededRandom(`rest ${seed}`);
  const tree = await openTree({ store, clock, random, log: silentLog }, { treeSecret });
  const { signal } = new AbortController();
  const file = await tree.create(nobody, place(rootIno, "db"), { mode: 0o644 }, flags);
  const expected = random.bytes(4 * chunkBytes);
  await tree.write(file.handle, 0, expected);
  await tree.commit();
  const sealedBytes = store.putBytes;
  const pass = async (ms: number): Promise<void> => {
    nowMs += ms;
    await tree.committer.step(signal);
  };
  for (let at = 0; at < 4; at++) {
    const offset = at * chunkBytes + at * 5000;
    expected.fill(at + 1, offset, offset + 4096);
    await tree.write(file.handle, offset, expected.subarray(offset, offset + 4096));
    if (at % 2 === 0) await tree.fsync(file.handle);
    await tree.mkdir(nobody, place(rootIno, `d${at}`), { mode: 0o755 });
    await pass(limits.tree.commitAfterMs);
    const again = await openOn(store.crash());
    const { ino } = await again.lookup(place(rootIno, "db"));
    t.ok((await readFile(again, ino)).equals(expected), "as durable as ever");
  }
  t.ok(store.putBytes - sealedBytes < chunkBytes, "pages of names, and no chunk");
  const commits = store.commits;
  await pass(limits.tree.commitAfterMs);
  t.equal(store.commits, commits, "what rests is no reason for a commit");
  await pass(limits.tree.sealAfterMs);
  t.equal(store.commits, commits + 1);
  t.ok(store.putBytes - sealedBytes >= 4 * chunkBytes, "each was sealed once");
  await tree.write(file.handle, 0, Buffer.alloc(4096, 9));
  await tree.commit();
  t.ok(store.putBytes - sealedBytes >= 5 * chunkBytes, "whoever asks has all in the root");
  t.equal(store.journalCount, 0);
});

test("what fsync promised outlives commits that come while it is still unsealed", async (t) => {
  const store = new MemoryStore({ late: seededRandom("late") });
  const tree = await openOn(store);
  const file = await tree.create(nobody, place(rootIno, "db"), { mode: 0o644 }, flags);
  const expected = Buffer.alloc(2 * chunkBytes);
  for (let at = 0; at < 30; at++) {
    const commit = tree.commit();
    const offset = (at * 77_777) % (2 * chunkBytes - 100);
    expected.fill(at + 1, offset, offset + 100);
    await tree.write(file.handle, offset, expected.subarray(offset, offset + 100));
    await tree.fsync(file.handle);
    if (at % 3 === 0) await commit;
    const again = await openOn(store.crash());
    const { ino, sizeBytes } = await again.lookup(place(rootIno, "db"));
    const bytes = await readFile(again, ino);
    if (!bytes.equals(expected.subarray(0, sizeBytes))) t.fail(`round ${at}, ${replay}`);
    await commit;
  }
  t.pass("nothing was lost");
});

test("a closed tree mounts without a journal; a read-only one changes nothing", async (t) => {
  const store = new MemoryStore();
  const tree = await openOn(store);
  const { ino } = await tree.mkdir(nobody, place(rootIno, "d"), { mode: 0o755 });
  for (let at = 0; at < 50; at++) await tree.mkdir(nobody, place(ino, `e${at}`), { mode: 0o755 });
  const before = await walkTree(tree);
  await tree.close();
  t.equal(store.journalCount, 0);
  const commits = store.commits;
  const reader = await openOn(store, { readOnly: true });
  t.strictSame(await walkTree(reader), before);
  for (const act of [
    () => reader.mkdir(nobody, place(rootIno, "x"), { mode: 0o755 }),
    () => reader.rmdir(nobody, place(rootIno, "d")),
    () => reader.setattr(nobody, rootIno, { mode: 0o700 }),
  ]) {
    t.ok(await failsAs("ReadOnly", act));
  }
  await reader.close();
  t.equal(store.commits, commits);
});

test("a full store fails writes with NoSpace, and loses nothing it was told to keep", async (t) => {
  const store = new MemoryStore();
  const tree = await openOn(store);
  const file = await tree.create(nobody, place(rootIno, "a"), { mode: 0o644 }, flags);
  await tree.write(file.handle, 0, Buffer.alloc(chunkBytes, 1));
  store.isFull = true;
  const write = () => tree.write(file.handle, chunkBytes, Buffer.alloc(chunkBytes, 2));
  t.ok(await failsAs("NoSpace", write));
  t.ok(await failsAs("NoSpace", write), "and goes on refusing");
  t.ok(await failsAs("NoSpace", () => tree.commit()));
  await tree.mkdir(nobody, place(rootIno, "d"), { mode: 0o755 });
  t.ok(await failsAs("NoSpace", () => tree.commit()));
  store.isFull = false;
  t.equal(await write(), chunkBytes, "with room again no commit is needed first");
  await tree.commit();
  await tree.mkdir(nobody, place(rootIno, "e"), { mode: 0o755 });
  await tree.close();
  const again = await openOn(store.crash());
  const names = (await listDirectory(again, rootIno)).map(({ name }) => String(name)).sort();
  t.strictSame(names, ["a", "d", "e"]);
  const { ino } = await again.lookup(place(rootIno, "a"));
  t.equal((await readFile(again, ino))[0], 1);
});

test("pages that a commit replaced are given up: the store does not grow", async (t) => {
  const store = new MemoryStore();
  const tree = await openOn(store);
  const { ino } = await tree.mkdir(nobody, place(rootIno, "d"), { mode: 0o755 });
  for (let at = 0; at < 2000; at++) {
    await tree.symlink(nobody, place(ino, `s${at}`), Buffer.alloc(200, "t"));
  }
  await tree.commit();
  const full = store.blockCount;
  t.ok(full > 8, `${full} pages`);
  for (let at = 0; at < 20; at++) {
    await tree.setattr(nobody, (await tree.lookup(place(ino, `s${at}`))).ino, { uid: at });
    await tree.commit();
  }
  t.ok(store.blockCount <= full + 1);
  for (let at = 0; at < 2000; at++) await tree.unlink(nobody, place(ino, `s${at}`));
  await tree.rmdir(nobody, place(rootIno, "d"));
  tree.forget(ino, 1);
  await tree.commit();
  await tree.mkdir(nobody, place(rootIno, "e"), { mode: 0o755 });
  await tree.commit();
  t.ok(store.blockCount <= 2, `${store.blockCount} pages are left`);
});

test("a directory of 100,000 names is made, listed, found and remounted", async (t) => {
  const store = new MemoryStore();
  const tree = await openOn(store);
  const { ino } = await tree.mkdir(nobody, place(rootIno, "d"), { mode: 0o755 });
  for (let at = 0; at < 100_000; at++) {
    const made = await tree.mknod(nobody, place(ino, `f${at}`), { mode: 0o100644 });
    tree.forget(made.ino, 1);
    if (at % 20_000 === 7) await tree.committer.step(new AbortController().signal);
  }
  await tree.close();
  const again = await openOn(store);
  const found = await again.lookup(place(rootIno, "d"));
  t.equal(found.sizeBytes, 100_000);
  const names = await listDirectory(again, found.ino, 500);
  t.equal(new Set(names.map(({ name }) => name)).size, 100_000);
  t.ok((await again.lookup(place(found.ino, "f77777"))).ino > 0);
  t.ok(await failsAs("NotFound", () => again.lookup(place(found.ino, "f100000"))));
});

test("a commit of many files lets others work between its pages", async (t) => {
  const tree = await openOn(new MemoryStore());
  for (let at = 0; at < 10_000; at++) {
    const made = await tree.mknod(nobody, place(rootIno, `f${at}`), { mode: 0o100644 });
    tree.forget(made.ino, 1);
  }
  const pauses: number[] = [];
  let last = systemClock.monotonicMs();
  let done = false;
  const tick = (): void => {
    const now = systemClock.monotonicMs();
    pauses.push(now - last);
    last = now;
    if (!done) setImmediate(tick);
  };
  setImmediate(tick);
  await tree.commit();
  done = true;
  t.ok(pauses.length >= 5, `${pauses.length} turns`);
  t.comment(`longest pause ${Math.max(...pauses).toFixed(1)} ms in ${pauses.length} turns`);
});

const vector = JSON.parse(
  readFileSync(new URL("../vectors/dag-journal.json", import.meta.url), "utf8"),
) as { readonly secret: string; readonly plain: string; readonly sealed: string };

test("frozen: a journal record; a damaged one is Corrupt or well-formed", (t) => {
  const keys = treeKeys(Buffer.from(vector.secret, "hex"));
  const plain = openJournal(keys, Buffer.from(vector.sealed, "hex"));
  t.equal(plain.toString("hex"), vector.plain);
  t.equal(encodeChanges(parseChanges(plain)).toString("hex"), vector.plain);
  const random = seededRandom(`journal ${seed}`);
  for (let round = 0; round < 5000; round++) {
    const damaged = Buffer.from(plain).subarray(0, plain.length - random.below(20));
    for (let flips = random.below(4); flips >= 0; flips--) {
      damaged[random.below(damaged.length)] = random.below(256);
    }
    try {
      parseChanges(damaged);
    } catch (error) {
      if (!isFault(error, "Corrupt")) t.fail(`${String(error)}, ${replay}`);
    }
  }
  t.end();
});

async function failsAs(kind: "NoSpace" | "ReadOnly" | "NotFound", act: () => unknown) {
  try {
    await act();
    return false;
  } catch (error) {
    return isFault(error, kind);
  }
}

/** Its commits take twenty seconds, by a clock that it moves itself. */
class SlowStore extends MemoryStore {
  shiftMs = 0;
  /** More than half of the room for what no peer has is taken. */
  isFilling = false;
  readonly clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + this.shiftMs };

  override async commit(...words: Parameters<MemoryStore["commit"]>): Promise<void> {
    await super.commit(...words);
    this.shiftMs += 20_000;
  }

  override usage(): ReturnType<MemoryStore["usage"]> {
    const usage = super.usage();
    return this.isFilling ? { ...usage, dirtyBytes: usage.dirtyBytesMax } : usage;
  }

  openTree() {
    const { clock } = this;
    const needs = { store: this, clock, random: seededRandom(`rest ${seed}`), log: silentLog };
    return openTree(needs, { treeSecret });
  }
}

test("while writers wait for room no commit rests: it alone can make some", async (t) => {
  const store = new SlowStore();
  const tree = await store.openTree();
  const { commits } = store;
  store.isFilling = true;
  await tree.mkdir(nobody, place(rootIno, "a"), { mode: 0o755 });
  store.shiftMs += limits.tree.commitPauseMs + 1;
  await tree.committer.step(new AbortController().signal);
  t.equal(store.commits, commits + 1);
});

test("after a long commit the next one rests, and what changes meanwhile is safe", async (t) => {
  const store = new SlowStore();
  const tree = await store.openTree();
  const commits = store.commits;
  const file = await tree.create(nobody, place(rootIno, "large"), { mode: 0o644 }, flags);
  await tree.write(file.handle, 0, Buffer.alloc(chunkBytes, 3));
  store.shiftMs += limits.tree.commitAfterMs + 1;
  await tree.committer.step(new AbortController().signal);
  t.equal(store.commits, commits, "it rests");
  const crashed = await openOn(store.crash());
  const { ino } = await crashed.lookup(place(rootIno, "large"));
  t.ok((await readFile(crashed, ino)).equals(Buffer.alloc(chunkBytes, 3)), "a crash loses nothing");
  store.shiftMs += 20_000 * limits.tree.commitRestFactor;
  await tree.committer.step(new AbortController().signal);
  t.equal(store.commits, commits + 1, "and then it commits");
});
