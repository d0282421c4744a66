/**
 * A folder that somebody was shut out of, who has all keys that there were: nothing that is written
 * from then on opens with them, be it the very same bytes; and when what was there is sealed anew,
 * nothing of the drive is what it was, but for the bytes that programs read.
 */
import { type Test, test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import type { Ino } from "../../src/base/ids.ts";
import { type Cid, parseName, rootIno } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { CidFilter } from "../../src/base/cid-filter.ts";
import { type ChunkLink, parseLink } from "../../src/dag/chunks.ts";
import { parseEntry } from "../../src/dag/entries.ts";
import type { PageTree } from "../../src/dag/inodes.ts";
import { treeKeys } from "../../src/dag/keys.ts";
import { type Page, childOf, openPage, pageKey } from "../../src/dag/pages.ts";
import { openRoot } from "../../src/dag/root.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { folderIn } from "../support/making.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { nobody, walkTree } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`tree.eras/${seed}`);
const treeSecret = Buffer.alloc(32, 6);
const flags = { read: true, write: true, append: false, truncate: false, exclusive: false };
const never = new AbortController().signal;
const { chunkBytes } = limits.tree;

/** All that whoever read the drive could have written down. */
interface Known {
  readonly secrets: Set<string>;
  readonly keys: Set<string>;
  readonly cids: Set<Cid>;
  readonly files: Map<string, readonly ChunkLink[]>;
  readonly pages: Map<string, PageTree>;
}

async function knownOf(store: MemoryStore): Promise<Known> {
  const known: Known = {
    secrets: new Set(), keys: new Set(), cids: new Set(), files: new Map(), pages: new Map(),
  };
  const { directory } = openRoot(treeKeys(treeSecret), store.root()!);
  await visit(store, known, "", directory.tree);
  return known;
}

async function visit(
  store: MemoryStore, known: Known, path: string, tree: PageTree,
): Promise<void> {
  if (tree.secret === undefined) return;
  known.secrets.add(tree.secret.toString("hex"));
  known.pages.set(path, tree);
  for (const value of await leavesOf(store, known, tree)) {
    const entry = parseEntry(value);
    if (entry.kind === "link") continue;
    const below = `${path}/${entry.name}`;
    if (entry.inode.content.kind === "directory") await visit(store, known, below, entry.tree);
    if (entry.inode.content.kind !== "chunks") continue;
    if (entry.tree.secret !== undefined) known.pages.set(below, entry.tree);
    const links = (await leavesOf(store, known, entry.tree)).map(parseLink);
    known.files.set(below, links);
    for (const { key, cid } of links) {
      known.keys.add(key.toString("hex"));
      known.cids.add(cid);
    }
  }
}

async function leavesOf(
  store: MemoryStore, known: Known, { root, secret }: PageTree,
): Promise<Buffer[]> {
  const leaves = async (page: Page): Promise<Buffer[]> => {
    if (page.level === 0) return page.values();
    const below = page.keys.map(async (_, at) => leaves(await open(childOf(page, at))));
    return (await Promise.all(below)).flat();
  };
  const open = async (cid: Cid) => {
    known.cids.add(cid);
    return openPage(pageKey(secret!), cid, await store.get(cid));
  };
  if (root.kind === "empty") return [];
  return leaves(root.kind === "inside" ? root.page : await open(root.cid));
}

const opened = (store: MemoryStore): Promise<Tree> =>
  openTree({ store, clock: systemClock, random, log: silentLog }, { treeSecret });

async function write(tree: Tree, parent: Ino, name: string, bytes: Uint8Array): Promise<void> {
  const at = { parent, name: parseName(name) };
  const { handle } = await tree.create(nobody, at, { mode: 0o644 }, { ...flags, truncate: true });
  await tree.write(handle, 0, bytes);
  await tree.release(handle);
}

const bytesOf = (at: number) => Buffer.alloc(limits.tree.inlineBytesMax + 1 + at, at);

async function madeDrive(store: MemoryStore, files = 100) {
  const tree = await opened(store);
  const [shared, beside] = [await folderIn(tree, rootIno, "shared"), await folderIn(tree, rootIno, "beside")];
  const folders: Ino[] = [];
  for (let at = 0; at < 10; at++) folders.push(await folderIn(tree, shared, `folder ${at}`));
  for (let at = 0; at < files; at++) await write(tree, folders[at % 10]!, `file ${at}`, bytesOf(at));
  await write(tree, shared, "large", random.bytes(8 * chunkBytes));
  await write(tree, shared, "short", Buffer.from("inside its folder's page"));
  await write(tree, beside, "other", bytesOf(3));
  const large = Buffer.alloc(limits.tree.xattrInsideBytesMax * 2, 9);
  await tree.setxattr(nobody, folders[1]!, "user.large", large, "any");
  await tree.commit();
  return { tree, shared, folders };
}

/** Until nothing is owed, and all of it is in the root. */
async function settle(tree: Tree): Promise<void> {
  let isOver = false;
  const over = Promise.all([tree.resealed()]).then(() => (isOver = true));
  while (!isOver) {
    await tree.resealer.step(never);
    await tree.renewer.step(never);
    await new Promise(setImmediate);
  }
  await over;
}

function isNew(t: Test, before: Known, after: Known, prefix: string): void {
  const isBelow = ([path]: readonly [string, unknown]) => `${path}/`.startsWith(`${prefix}/`);
  const links = [...after.files].filter(isBelow).flatMap(([, some]) => some);
  t.notOk(links.some(({ key }) => before.keys.has(key.toString("hex"))), "keys of chunks");
  t.notOk(links.some(({ cid }) => before.cids.has(cid)), "names of chunks");
  const pages = [...after.pages].filter(isBelow).map(([, { secret }]) => secret!.toString("hex"));
  t.notOk(pages.some((secret) => before.secrets.has(secret)), "secrets of pages");
}

test("from the moment that somebody is shut out, what is written has keys that nobody knew",
  async (t) => {
    const store = new MemoryStore();
    const { tree, shared, folders } = await madeDrive(store, 1_000);
    const before = await knownOf(store);
    const startMs = performance.now();
    await tree.withdraw(shared);
    // The very bytes that were there, and others; a file that is old and one that is new.
    await write(tree, folders[3]!, "file 3", bytesOf(3));
    await write(tree, folders[4]!, "file 4", bytesOf(40));
    await write(tree, folders[5]!, "fresh", bytesOf(5));
    await tree.commit();
    const tookMs = performance.now() - startMs;
    const since = await knownOf(store);
    for (const path of ["/shared/folder 3/file 3", "/shared/folder 4/file 4", "/shared/folder 5/fresh"]) {
      isNew(t, before, since, path);
    }
    for (const path of ["/shared", "/shared/folder 3", "/shared/folder 4", "/shared/folder 5"]) {
      t.notOk(before.secrets.has(since.pages.get(path)!.secret!.toString("hex")), `pages of ${path}`);
    }
    t.ok(tookMs < 2_000, `${Math.round(tookMs)} ms for a folder of 1,000 files`);
    t.match(tree.resealing(), { owed: 1 }, "the rest is to come");

    const sealingMs = performance.now();
    const seen = await walkTree(tree);
    await settle(tree);
    t.comment(`${Math.round(performance.now() - sealingMs)} ms to seal the rest anew`);
    const after = await knownOf(store);
    isNew(t, before, after, "/shared");
    t.strictSame([...after.files.keys()], [...since.files.keys()]);
    t.strictSame(after.files.get("/beside/other"), before.files.get("/beside/other"), "others stay");
    const now = await walkTree(tree);
    t.strictSame([...now].map(([path, { content }]) => [path, content]),
      [...seen].map(([path, { content }]) => [path, content]), "what programs read stays");
    const { living } = (await tree.census(10_000))!;
    const filter = new CidFilter(living);
    const kept = [...before.cids].filter((cid) => filter.has(cid) && !after.cids.has(cid));
    t.ok(kept.length < before.cids.size / 100, "what it was is garbage, but for the filter's doubt");
  });

test("a kill in the middle forgets nothing, and what is done is not done again", async (t) => {
  const store = new MemoryStore();
  const { tree, shared } = await madeDrive(store, 300);
  const before = await knownOf(store);
  await tree.withdraw(shared);
  await tree.resealer.step(never);
  const done = tree.resealing()!.files;
  t.ok(done > 100 && done < 300, `${done} files were sealed anew before the kill`);
  await store.sync();
  const killed = store.crash();
  const again = await opened(killed);
  t.equal(again.resealing()?.owed, 1);
  let files = 0;
  while (again.resealing() !== undefined) {
    await again.resealer.step(never);
    files = Math.max(files, again.resealing()?.files ?? 0);
  }
  t.ok(files <= 301 - done, `${files} were left`);
  await again.commit();
  const after = await knownOf(killed);
  const shares = [...after.files].filter(([path]) => path.startsWith("/shared"));
  t.notOk(shares.some(([, links]) => links.some(({ key }) => before.keys.has(key.toString("hex")))));
});

test("what is written and moved about meanwhile is sealed anew all the same", async (t) => {
  const store = new MemoryStore();
  const { tree, shared, folders } = await madeDrive(store, 120);
  const before = await knownOf(store);
  // Not published when the era ends.
  const at = { parent: shared, name: parseName("large") };
  const { handle } = await tree.create(nobody, at, { mode: 0o644 }, flags);
  await tree.write(handle, 3 * chunkBytes, random.bytes(2 * chunkBytes));
  await tree.withdraw(shared);
  for (let turn = 0; tree.resealing() !== undefined; turn++) {
    await tree.resealer.step(never);
    if (turn > 9) continue;
    await tree.write(handle, turn * 1_000, Buffer.from(`written in turn ${turn}`));
    const name = parseName(`file ${turn * 10 + 9}`);
    await tree.rename(nobody, { parent: folders[9]!, name }, { parent: folders[turn % 9]!, name }, "replace");
    await tree.commit();
  }
  await tree.release(handle);
  await tree.resealed();
  const after = await knownOf(store);
  const links = [...after.files].filter(([path]) => path.startsWith("/shared"));
  const old = links.filter(([, some]) => some.some(({ key }) => before.keys.has(key.toString("hex"))));
  t.strictSame(old.map(([path]) => path), [], `HIVE_SEED=${seed}`);
});

test("a copy of what was sealed in an earlier era counts as old", async (t) => {
  const store = new MemoryStore();
  const { tree, shared } = await madeDrive(store);
  const before = await knownOf(store);
  const [from, to] = ["large", "copy"].map((name) => ({ parent: shared, name: parseName(name) }));
  await tree.withdraw(shared);
  while (tree.resealing() !== undefined) await tree.resealer.step(never);
  await tree.withdraw(shared);
  const source = await tree.create(nobody, from!, { mode: 0o644 }, flags);
  const copy = await tree.create(nobody, to!, { mode: 0o644 }, flags);
  const range = { offsetBytes: 0, lengthBytes: 8 * chunkBytes };
  await tree.copyRange(source.handle, range, copy.handle, 0);
  for (const { handle } of [source, copy]) await tree.release(handle);
  await tree.commit();
  const second = await knownOf(store);
  t.ok(second.files.get("/shared/copy")!.length === 8);
  await settle(tree);
  const after = await knownOf(store);
  isNew(t, before, after, "/shared");
  isNew(t, second, after, "/shared/copy");
});

test("what is put back from before somebody was shut out has keys that nobody knew", async (t) => {
  const store = new MemoryStore();
  const { tree, shared, folders } = await madeDrive(store);
  tree.share(shared);
  const before = await knownOf(store);
  const name = await tree.past.create();
  await tree.unlink(nobody, { parent: folders[3]!, name: parseName("file 3") });
  await tree.withdraw(shared);
  await settle(tree);
  const changed = async (): Promise<void> => undefined;
  for (const path of [["shared", "folder 3", "file 3"], ["shared", "large"], ["beside", "other"]]) {
    const to = path[0] === "shared" ? path : ["beside", "again"];
    await tree.past.restore(name, path, { exact: false, to, changed });
  }
  const after = await knownOf(store);
  isNew(t, before, after, "/shared");
  t.equal(after.files.get("/shared/folder 3/file 3")!.length, 1);
  t.strictSame(after.files.get("/beside/again"), before.files.get("/beside/other"), "elsewhere links do");
});
