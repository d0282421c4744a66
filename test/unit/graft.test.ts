/** Trees grafted into a drive's: one file system, in which nobody can take one for another. */
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { HiveError } from "../../src/base/errors.ts";
import type { FileSystem } from "../../src/base/filesystem.ts";
import { type Graft, type GraftPoint, directoryType } from "../../src/base/grafts.ts";
import { type Ino, type Name, parseName, rootIno } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { Grafts } from "../../src/graft/graft.ts";
import { Span } from "../../src/graft/numbers.ts";
import { testFileSystem } from "../contract/filesystem.ts";
import { faultOf } from "../support/faults.ts";
import { fileIn, place } from "../support/making.ts";
import { MemoryTree } from "../support/memory-tree.ts";
import { listDirectory, nobody, readFile } from "../support/walk.ts";

const { firstNumber } = limits.graft;
const readOnly = { read: true, write: false, append: false, truncate: false };
const readWrite = { ...readOnly, write: true };
const owner = { uid: 1, gid: 2 };

/** Shows trees by name, and counts those that are open. */
class Shown implements GraftPoint {
  readonly trees = new Map<string, FileSystem>();
  writable = false;
  openNow = 0;
  openedEver = 0;
  tell: (name: Name) => void = () => {};

  items = () => [...this.trees.keys()].map((text) => {
    return { name: parseName(text), type: directoryType };
  });

  async open(name: Name): Promise<Graft> {
    const files = this.trees.get(name);
    if (files === undefined) throw new HiveError("NotFound", "test.open", name);
    this.openNow++;
    this.openedEver++;
    const { writable } = this;
    return { files, root: rootIno, writable, [Symbol.asyncDispose]: async () => void this.openNow-- };
  }

  watch(changed: (name: Name) => void): Disposable {
    this.tell = changed;
    return { [Symbol.dispose]: () => void (this.tell = () => {}) };
  }
}

const memoryTree = () => new MemoryTree({ clock: systemClock }, { uid: 0, gid: 0 });

function grafted(base: FileSystem, point: GraftPoint, listed = true): Grafts {
  const root = new Map([[parseName("Shared"), { point, listed }]]);
  const everywhere = new Map([[parseName(".old"), () => point]]);
  return new Grafts({ base, table: { root, everywhere }, log: silentLog, now: () => 1500 }, owner);
}

async function write(fs: FileSystem, parent: Ino, name: string, text: string): Promise<Ino> {
  return await fileIn(fs, parent, name, Buffer.from(text));
}

const names = async (fs: FileSystem, ino: Ino) => {
  const handle = await fs.opendir(ino);
  const seen: string[] = [];
  for (let afterCookie = 0, more = true; more; ) {
    more = false;
    let isFirst = true;
    await fs.readdir(handle, { afterCookie, plus: false }, (item) => {
      if (!isFirst) return false;
      seen.push(item.name);
      afterCookie = item.cookie;
      isFirst = false;
      return (more = true);
    });
  }
  await fs.releasedir(handle);
  return seen;
};

async function withAnna() {
  const [base, anna, point] = [memoryTree(), memoryTree(), new Shown()];
  point.trees.set("anna", anna);
  await write(anna, rootIno, "letter", "dear all");
  const fs = grafted(base, point);
  const shared = await fs.lookup(place(rootIno, "Shared"));
  const root = await fs.lookup(place(shared.ino, "anna"));
  return { base, anna, point, fs, shared, root };
}

testFileSystem("a drive with grafts", async () => grafted(memoryTree(), new Shown()));

test("a grafted tree is read under numbers of its own", async (t) => {
  const { base, fs, shared, root } = await withAnna();
  const own = await write(fs, rootIno, "mine", "mine alone");
  t.equal((await base.getattr(own)).ino, own, "the drive's own numbers are as they are");
  const letter = await fs.lookup(place(root.ino, "letter"));
  for (const { ino } of [shared, root, letter]) t.ok(ino >= firstNumber && ino < 2 ** 53);
  t.equal(new Set([shared.ino, root.ino, letter.ino, own, rootIno]).size, 5);
  t.equal(String(await readFile(fs, letter.ino)), "dear all");
  t.strictSame((await listDirectory(fs, root.ino)).map(({ name }) => name), ["letter"]);
  t.strictSame(await names(fs, rootIno), [".", "..", "mine", "Shared"]);
  t.strictSame(await names(fs, shared.ino), [".", "..", "anna"]);
  t.match(shared, { mode: 0o040555, uid: 1, gid: 2, mtime: { seconds: 1, nanoseconds: 5e8 } });
});

test("what is for reading refuses every change, and two trees have nothing in common", async (t) => {
  const { point, fs, shared, root } = await withAnna();
  const { ino } = await fs.lookup(place(root.ino, "letter"));
  const mode = { mode: 0o644 };
  const changes: readonly (() => unknown)[] = [
    () => fs.open(nobody, ino, readWrite),
    () => fs.open(nobody, ino, { ...readOnly, truncate: true }),
    () => fs.create(nobody, place(root.ino, "new"), mode, { ...readWrite, exclusive: true }),
    () => fs.setattr(nobody, ino, { mode: 0 }),
    () => fs.unlink(nobody, place(root.ino, "letter")),
    () => fs.mkdir(nobody, place(root.ino, "new"), mode),
    () => fs.mkdir(nobody, place(shared.ino, "new"), mode),
    () => fs.rename(nobody, place(root.ino, "letter"), place(root.ino, "other"), "replace"),
    () => fs.setxattr(nobody, ino, "user.a", Buffer.from("b"), "any"),
    () => fs.removexattr(nobody, ino, "user.a"),
    () => fs.rmdir(nobody, place(shared.ino, "anna")),
  ];
  for (const change of changes) t.equal(await faultOf(change), "ReadOnly", String(change));
  const across = [
    () => fs.rename(nobody, place(root.ino, "letter"), place(rootIno, "other"), "replace"),
    () => fs.link(nobody, ino, place(rootIno, "other")),
  ];
  for (const change of across) t.equal(await faultOf(change), "CrossDevice", String(change));
  point.writable = true;
  point.tell(parseName("anna"));
  const again = await fs.lookup(place(shared.ino, "anna"));
  t.not(again.ino, root.ino, "what the name leads to now is another tree");
  await write(fs, again.ino, "answer", "dear anna");
  t.equal(String(await readFile(fs, (await fs.lookup(place(root.ino, "answer"))).ino)), "dear anna");
});

test("a tree is opened once, and closed when nobody knows it any more", async (t) => {
  const { point, fs, shared, root } = await withAnna();
  t.equal((await fs.lookup(place(shared.ino, "anna"))).ino, root.ino);
  t.equal(point.openedEver, 1);
  const letter = await fs.lookup(place(root.ino, "letter"));
  const handle = await fs.open(nobody, letter.ino, readOnly);
  fs.forget(root.ino, 2);
  fs.forget(letter.ino, 1);
  t.equal(point.openNow, 1, "an open file holds it");
  await fs.release(handle);
  t.equal(point.openNow, 0);
  t.equal(await faultOf(() => fs.getattr(letter.ino)), "Stale");
  await fs.lookup(place(shared.ino, "anna"));
  t.equal(point.openedEver, 2);
  await fs[Symbol.asyncDispose]();
  t.equal(point.openNow, 0, "at the end all are closed");
});

test("a name of the drive's own goes before a point, and none is made where one is", async (t) => {
  const [base, point] = [memoryTree(), new Shown()];
  const before = await base.mkdir(nobody, place(rootIno, "Shared"), { mode: 0o755 });
  const fs = grafted(base, point);
  t.equal((await fs.lookup(place(rootIno, "Shared"))).ino, before.ino);
  point.trees.set("anna", memoryTree());
  t.strictSame(await names(fs, rootIno), [".", "..", "Shared"], "it is listed once");
  await fs.rmdir(nobody, place(rootIno, "Shared"));
  t.not((await fs.lookup(place(rootIno, "Shared"))).ino, before.ino);
  const folder = await fs.mkdir(nobody, place(rootIno, "folder"), { mode: 0o755 });
  const old = await fs.lookup(place(folder.ino, ".old"));
  const refused: readonly (readonly [string, () => unknown])[] = [
    ["Exists", () => fs.mkdir(nobody, place(rootIno, "Shared"), { mode: 0o755 })],
    ["Exists", () => write(fs, folder.ino, ".old", "")],
    ["Exists", () =>
      fs.rename(nobody, place(rootIno, "folder"), place(rootIno, ".old"), "replace")],
    ["Busy", () => fs.rmdir(nobody, place(folder.ino, ".old"))],
    ["Busy", () => fs.rename(nobody, place(rootIno, "Shared"), place(rootIno, "b"), "replace")],
    ["NotFound", () => fs.lookup(place(old.ino, "berta"))],
  ];
  for (const [kind, act] of refused) t.equal(await faultOf(act), kind, String(act));
  point.writable = true;
  point.tell(parseName("anna"));
  const anna = await fs.lookup(place((await fs.lookup(place(rootIno, "Shared"))).ino, "anna"));
  t.equal(await faultOf(() => fs.mkdir(nobody, place(anna.ino, ".old"), { mode: 0o755 })), "Exists", "nor for others");
  t.strictSame(await names(fs, folder.ino), [".", ".."], "it is seen by those who ask for it");
});

test("who keeps what it was told hears of names that come and go", async (t) => {
  const { point, fs, shared } = await withAnna();
  const heard: string[] = [];
  fs.begin({
    invalidateInode: async (ino) => void heard.push(`inode ${ino - shared.ino}`),
    invalidateEntry: async (ino, name) => void heard.push(`entry ${ino - shared.ino} ${name}`),
  });
  point.tell(parseName("berta"));
  t.strictSame(heard, ["entry 0 berta", "inode 0"]);
  fs.forget(shared.ino, 1);
  point.tell(parseName("carla"));
  t.equal(heard.length, 2, "a directory that nobody knows");
});

test("numbers too large for a span stand under others, the same as long as it is open", (t) => {
  const span = new Span(7);
  const large = [limits.graft.span, 2 ** 52 - 1, limits.graft.span / 2].map((n) => n as Ino);
  const outer = large.map((ino) => span.outer(ino));
  t.strictSame(outer.map((ino) => span.own(ino)), large);
  t.strictSame(large.map((ino) => span.outer(ino)), outer);
  t.ok(outer.every((ino) => Math.floor((ino - firstNumber) / limits.graft.span) === 7));
  t.end();
});
