/**
 * New secrets below a folder: with all that stood below it before, nothing that is written from
 * then on can be opened, and after the walk nothing at all; names and contents stay what they are.
 */
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { isFault } from "../../src/base/errors.ts";
import { type Cid, type Ino, parseName, rootIno } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { sealChunks } from "../../src/dag/chunks.ts";
import { parseEntry, parseTableValue } from "../../src/dag/entries.ts";
import type { PageTree } from "../../src/dag/inodes.ts";
import { treeKeys } from "../../src/dag/keys.ts";
import { type Page, childOf, openPage, pageKey } from "../../src/dag/pages.ts";
import { openRoot } from "../../src/dag/root.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { flags, folderIn, place } from "../support/making.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { nobody, walkTree } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`tree.renewing/${seed}`);
const treeSecret = Buffer.alloc(32, 5);
const never = new AbortController().signal;

/** Every page tree of the drive as committed, by path. */
async function pageTrees(store: MemoryStore): Promise<Map<string, PageTree>> {
  const found = new Map<string, PageTree>();
  const visit = async (path: string, tree: PageTree, isFolder: boolean): Promise<void> => {
    if (tree.secret !== undefined) found.set(path, tree);
    if (!isFolder || tree.secret === undefined) return;
    for (const value of await leavesOf(store, tree)) {
      const entry = parseEntry(value);
      if (entry.kind === "link") continue;
      const isBelow = entry.inode.content.kind === "directory";
      await visit(`${path}/${entry.name}`, entry.tree, isBelow);
    }
  };
  const { directory } = openRoot(treeKeys(treeSecret), store.root()!);
  await visit("", directory.tree, true);
  return found;
}

async function leavesOf(store: MemoryStore, { root, secret }: PageTree): Promise<Buffer[]> {
  const leaves = async (page: Page): Promise<Buffer[]> => {
    if (page.level === 0) return page.values();
    const below = page.keys.map(async (_, at) => leaves(await open(childOf(page, at))));
    return (await Promise.all(below)).flat();
  };
  const open = async (cid: Cid) => openPage(pageKey(secret!), cid, await store.get(cid));
  if (root.kind === "empty") return [];
  return leaves(root.kind === "inside" ? root.page : await open(root.cid));
}

async function file(tree: Tree, parent: Ino, name: string, bytes: Uint8Array): Promise<void> {
  const made = await tree.create(nobody, place(parent, name), { mode: 0o644 }, { ...flags, exclusive: false });
  await tree.write(made.handle, 0, bytes);
  await tree.release(made.handle);
}

async function madeDrive(store: MemoryStore, files = 100) {
  const tree = await openTree({ store, clock: systemClock, random, log: silentLog }, { treeSecret });
  const [shared, beside] = [await folderIn(tree, rootIno, "shared"), await folderIn(tree, rootIno, "beside")];
  const folders: Ino[] = [];
  for (let at = 0; at < 10; at++) folders.push(await folderIn(tree, shared, `folder ${at}`));
  for (let at = 0; at < files; at++) {
    await file(tree, folders[at % 10]!, `file ${at}`, Buffer.alloc(3_000, at));
  }
  await file(tree, shared, "large", Buffer.alloc(30 * limits.tree.chunkBytes, 7));
  await file(tree, beside, "other", Buffer.from("not shared"));
  await tree.commit();
  return { tree, shared, folders };
}

function opens(tree: PageTree, sealed: Uint8Array, secret: Uint8Array): boolean {
  if (tree.root.kind !== "page") return false;
  try {
    openPage(pageKey(secret), tree.root.cid, sealed);
    return true;
  } catch (error) {
    if (!isFault(error, "Corrupt")) throw error;
    return false;
  }
}

test("who knew all secrets of a folder opens nothing of what is written after they are renewed",
  async (t) => {
    const store = new MemoryStore();
    const { tree, shared, folders } = await madeDrive(store, 1_000);
    const before = await pageTrees(store);
    const old = [...before.values()].map(({ secret }) => secret!);
    const seen = await walkTree(tree);
    const renewing = tree.renew(shared);

    await file(tree, folders[3]!, "file 3", Buffer.from("written since"));
    await tree.commit();
    const since = await pageTrees(store);
    for (const path of ["/shared", "/shared/folder 3"]) {
      const now = since.get(path)!;
      t.notOk(old.some((secret) => secret.equals(now.secret!)), `${path} at once`);
      t.ok(now.root.kind === "page");
      if (now.root.kind !== "page") continue;
      const sealed = await store.get(now.root.cid);
      t.notOk(old.some((secret) => opens(now, sealed, secret)), `${path} opens with none of them`);
      t.ok(opens(now, sealed, now.secret!));
    }
    t.ok(old.some((secret) => secret.equals(since.get("/shared/folder 4")!.secret!)), "not yet");

    const startMs = performance.now();
    let isDone = false;
    void renewing.then(() => { isDone = true; });
    while (!isDone) await tree.renewer.step(never);
    t.comment(`${Math.round(performance.now() - startMs)} ms for a thousand files`);
    t.equal(tree.renewing(), undefined);
    const after = await pageTrees(store);
    t.strictSame([...after.keys()].sort(), [...before.keys()].sort());
    for (const [path, { secret }] of after) {
      const isOld = old.some((one) => one.equals(secret!));
      t.equal(isOld, !path.startsWith("/shared"), `the secret of ${path === "" ? "/" : path}`);
    }
    const now = await walkTree(tree);
    t.strictSame([...now.keys()], [...seen.keys()]);
    const changed = [...now].filter(([path, { content }]) => seen.get(path)?.content !== content);
    t.strictSame(changed.map(([path]) => path), ["/shared/folder 3/file 3"]);

    const again = await openTree({ store, clock: systemClock, random, log: silentLog }, { treeSecret });
    t.strictSame([...(await walkTree(again)).keys()], [...seen.keys()], "and after a new start");
  });

test("what leaves a shared folder has new secrets, be it a folder or a file",
  async (t) => {
    const store = new MemoryStore();
    const { tree, shared } = await madeDrive(store);
    tree.share(shared);
    const before = await pageTrees(store);
    const old = [...before.values()].map(({ secret }) => secret!);
    const move = (name: string, parent: Ino) => tree.rename(
      nobody, { parent: shared, name: parseName(name) }, { parent, name: parseName(name) }, "replace",
    );
    const other = (await tree.lookup({ parent: shared, name: parseName("folder 1") })).ino;
    await move("folder 2", other);
    await tree.commit();
    t.equal(tree.renewing(), undefined, "within it nothing is to be done");
    await move("folder 4", rootIno);
    await move("large", rootIno);
    while (tree.renewing() !== undefined) await tree.renewer.step(never);
    const after = await pageTrees(store);
    for (const path of ["/folder 4", "/large"]) {
      t.notOk(old.some((one) => one.equals(after.get(path)!.secret!)), path);
    }
    t.ok(old.some((one) => one.equals(after.get("/shared/folder 3")!.secret!)), "what stayed");
  });

test("what moves about while secrets are renewed is renewed too", async (t) => {
  const store = new MemoryStore();
  const { tree, shared, folders } = await madeDrive(store);
  const old = [...(await pageTrees(store)).values()].map(({ secret }) => secret!);
  const renewing = tree.renew(shared);
  let isDone = false;
  void renewing.then(() => { isDone = true; });
  for (let at = 0; !isDone; at++) {
    await tree.renewer.step(never);
    if (at >= 9) continue;
    const from = { parent: shared, name: parseName(`folder ${at}`) };
    await tree.rename(nobody, from, { parent: folders[9]!, name: from.name }, "replace");
  }
  for (const [path, { secret }] of await pageTrees(store)) {
    if (!path.startsWith("/shared")) continue;
    t.notOk(old.some((one) => one.equals(secret!)), path);
  }
});

test("after a device was shut out nothing of the drive is under a secret that it had", async (t) => {
  const store = new MemoryStore();
  const needs = { store, clock: systemClock, random, log: silentLog };
  const tree = await openTree(needs, { treeSecret });
  const large = Buffer.alloc(30 * limits.tree.chunkBytes, 9);
  // A root with a short file alone, and a file of two names: neither hangs below a folder's pages.
  await file(tree, rootIno, "short", Buffer.from("short"));
  await file(tree, rootIno, "twice", large);
  const linked = async (name: string, as: string): Promise<void> => {
    const { ino } = await tree.lookup({ parent: rootIno, name: parseName(name) });
    await tree.link(nobody, ino, { parent: rootIno, name: parseName(as) });
  };
  await linked("twice", "once more");
  await file(tree, rootIno, "small", Buffer.from("of two names"));
  await linked("small", "small too");
  await tree.commit();
  const rootOf = () => openRoot(treeKeys(treeSecret), store.root()!);
  const secretsNow = async (): Promise<Buffer[]> => {
    const { linked: table } = rootOf();
    const inTable = (await leavesOf(store, table)).map((value) => parseTableValue(value).tree.secret);
    const paths = [...(await pageTrees(store)).values()].map(({ secret }) => secret);
    return [...paths, table.secret, ...inTable].filter((one) => one !== undefined);
  };
  const old = await secretsNow();
  t.ok(old.length >= 3, `${old.length} secrets`);
  const seen = await walkTree(tree);
  const later = Buffer.alloc(32, 6);
  tree.rekey(later);
  let isDone = false;
  void tree.renewAll().then(() => { isDone = true; });
  while (!isDone) await tree.renewer.step(never);
  const now = await secretsNow();
  t.equal(now.length, old.length);
  for (const secret of now) t.notOk(old.some((one) => one.equals(secret)));
  t.strictSame([...(await walkTree(tree)).entries()], [...seen.entries()]);

  const chunk = large.subarray(0, limits.tree.chunkBytes);
  const named = (secret: Buffer) => sealChunks(treeKeys(secret).chunksOf({ slot: 0 }), [chunk])[0]!.link.cid;
  t.ok(store.has(named(treeSecret)));
  t.notOk(store.has(named(later)));
  await file(tree, rootIno, "again", large);
  await tree.commit();
  t.ok(store.has(named(later)), "nor can it tell what a chunk is by its name");
  const again = await openTree(needs, { treeSecret });
  t.equal((await walkTree(again)).size, seen.size + 1, "and after a new start");
});
