/**
 * A file that had several names and has one again is a file of its folder like any other: who was
 * given the folder sees it, and the table of files with several names knows it no more.
 */
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { type Ino, nameFromText, parseName, rootIno } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { treeKeys } from "../../src/dag/keys.ts";
import { openRoot } from "../../src/dag/root.ts";
import { findFolder, rootOf } from "../../src/sharing/records/folder-root.ts";
import { openBorrowedTree } from "../../src/tree/borrowed.ts";
import { checkTree } from "../../src/tree/check/check.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { pictureOf } from "../support/drive-user.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { Devices } from "../support/merge-devices.ts";
import { listDirectory, nobody, readFile, walkTree } from "../support/walk.ts";

const treeSecret = Buffer.alloc(32, 7);
const flags = { read: true, write: true, append: false, truncate: false, exclusive: true };
const policyOf = "user.hive.policy";

const place = (parent: Ino, name: string) => ({ parent, name: parseName(name) });

async function openOn(store: MemoryStore): Promise<Tree> {
  const needs = {
    store, clock: systemClock, random: seededRandom("one name"), log: silentLog,
    policies: (name: string) => `policy ${name} {}`,
  };
  return await openTree(needs, { treeSecret });
}

async function write(tree: Tree, parent: Ino, name: string, text: string): Promise<Ino> {
  const made = await tree.create(nobody, place(parent, name), { mode: 0o644 }, flags);
  await tree.write(made.handle, 0, Buffer.from(text));
  await tree.release(made.handle);
  return made.attributes.ino;
}

/** A drive with a folder "d", and a file in it. */
async function begin(text = "told") {
  const store = new MemoryStore();
  const tree = await openOn(store);
  const { ino: folder } = await tree.mkdir(nobody, place(rootIno, "d"), { mode: 0o755 });
  const file = await write(tree, folder, "tmp", text);
  return { store, tree, folder, file };
}

/** The names that whoever is given "d" sees, with what is in them. */
async function shown(store: MemoryStore, ino: Ino): Promise<Record<string, string>> {
  const read = async (cid: Parameters<MemoryStore["get"]>[0]) => await store.get(cid);
  const root = openRoot(treeKeys(treeSecret), store.root() as Uint8Array);
  const found = await findFolder(root, { ino, path: [nameFromText("d")] }, read);
  if (found === undefined) throw new Error("no folder");
  const needs = { store, clock: systemClock, random: seededRandom("reader"), log: silentLog };
  const tree = openBorrowedTree(needs, rootOf(found));
  const seen: Record<string, string> = {};
  for (const { name, attributes } of await listDirectory(tree, rootIno)) {
    seen[name] = (await readFile(tree, attributes.ino)).toString().slice(0, 20);
  }
  return seen;
}

function isTableEmpty(store: MemoryStore): boolean {
  const { linked } = openRoot(treeKeys(treeSecret), store.root() as Uint8Array);
  return linked.root.kind === "empty";
}

async function problemsOf(store: MemoryStore): Promise<readonly string[]> {
  const problems: string[] = [];
  await checkTree({
    store, clock: systemClock, random: seededRandom("check"), progress: () => undefined,
    whereIs: async () => "nowhere",
    report: ({ path, words }) => void problems.push(`${path}: ${words}`),
  }, { treeSecret, spoilt: [] });
  return problems;
}

for (const [size, text] of [["short", "told"], ["large", "told\n".repeat(120_000)]] as const) {
  test(`a ${size} file that was linked and has one name again is seen by readers`, async (t) => {
    const { store, tree, folder, file } = await begin(text);
    await tree.link(nobody, file, place(folder, "object"));
    await tree.commit();
    t.strictSame(await shown(store, folder), {}, "of two names nobody is shown one");
    t.notOk(isTableEmpty(store));
    await tree.unlink(nobody, place(folder, "tmp"));
    const before = await walkTree(tree);
    await tree.syncAll();
    const crashed = store.crash();
    for (const at of [{ store, tree }, { store: crashed, tree: await openOn(crashed) }]) {
      t.strictSame(await walkTree(at.tree), before);
      await at.tree.commit();
      t.strictSame(await shown(at.store, folder), { object: text.slice(0, 20) });
      t.ok(isTableEmpty(at.store));
      t.strictSame(await walkTree(await openOn(at.store.crash())), before);
      t.strictSame(await problemsOf(at.store), []);
    }
  });
}

test("both before one commit, as programs make objects, leave no trace in the table", async (t) => {
  const { store, tree, folder, file } = await begin();
  await tree.link(nobody, file, place(folder, "object"));
  await tree.unlink(nobody, place(folder, "tmp"));
  await tree.commit();
  t.strictSame(await shown(store, folder), { object: "told" });
  t.ok(isTableEmpty(store));
});

test("a name that is written over by a rename is one fewer, and a rename tells where one is", async (t) => {
  const { store, tree, folder, file } = await begin();
  await tree.link(nobody, file, place(folder, "object"));
  await write(tree, folder, "new", "newer");
  await tree.commit();
  await tree.rename(nobody, place(folder, "new"), place(folder, "tmp"), "replace");
  await tree.commit();
  t.strictSame(await shown(store, folder), { object: "told", tmp: "newer" });
  await tree.link(nobody, file, place(rootIno, "elsewhere"));
  await tree.rename(nobody, place(folder, "object"), place(folder, "moved"), "replace");
  await tree.unlink(nobody, place(rootIno, "elsewhere"));
  await tree.commit();
  t.strictSame(await shown(store, folder), { moved: "told", tmp: "newer" });
  t.ok(isTableEmpty(store));
});

test("where the other name was not met, the next rename brings the file home", async (t) => {
  const { store, tree, folder, file } = await begin();
  await tree.link(nobody, file, place(rootIno, "elsewhere"));
  await tree.close();
  const again = await openOn(store);
  await again.unlink(nobody, place(rootIno, "elsewhere"));
  await again.commit();
  t.notOk(isTableEmpty(store), "nobody knows where it is");
  const { ino } = await again.lookup(place(rootIno, "d"));
  t.equal((await again.lookup(place(ino, "tmp"))).links, 1);
  await again.rename(nobody, place(ino, "tmp"), place(ino, "kept"), "replace");
  await again.commit();
  t.strictSame(await shown(store, folder), { kept: "told" });
  t.ok(isTableEmpty(store));
});

test("under another policy than its folder's it stays where it is", async (t) => {
  const { store, tree, folder, file } = await begin();
  const { ino: other } = await tree.mkdir(nobody, place(rootIno, "home"), { mode: 0o755 });
  await tree.setxattr(nobody, other, policyOf, Buffer.from("home"), "any");
  await tree.link(nobody, file, place(other, "object"));
  await tree.unlink(nobody, place(other, "object"));
  await tree.commit();
  t.strictSame(await shown(store, folder), {});
  t.equal((await readFile(tree, file)).toString(), "told");
  t.strictSame(await problemsOf(store), []);
});

test("what one device unlinked lives in its folder on all of them", async (t) => {
  const devices = new Devices("one name");
  const desk = await devices.add("desk");
  const { ino: folder } = await desk.tree.mkdir(nobody, place(rootIno, "d"), { mode: 0o755 });
  const file = await write(desk.tree, folder, "tmp", "told");
  await desk.tree.link(nobody, file, place(folder, "object"));
  const lap = await devices.add("lap");
  await devices.settle();
  await lap.tree.lookup(place(rootIno, "d"));
  await lap.tree.lookup(place(folder, "object"));
  await lap.tree.unlink(nobody, place(folder, "tmp"));
  await devices.settle();
  for (const { name, tree, store } of [desk, lap]) {
    await tree.commit();
    t.strictSame(await shown(store, folder), { object: "told" }, name);
    t.ok(isTableEmpty(store), name);
    t.strictSame(await pictureOf(tree), await pictureOf(desk.tree));
  }
});
