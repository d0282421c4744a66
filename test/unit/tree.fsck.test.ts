/**
 * A drive that lost blocks: whatever is lost, a check tells it by path, and after it every name
 * leads to what it led to before, byte for byte, or to an error where that was told. Never to
 * other bytes, never to zeros, and a second check finds nothing more.
 */
import { readFileSync } from "node:fs";
import { type Test, test } from "tap";
import type { DriveStore } from "../../src/base/blocks.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { FsckProblem } from "../../src/base/damages.ts";
import { HiveError, isFault } from "../../src/base/errors.ts";
import { type Cid, type Ino, type Name, parseName, rootIno } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { type Random, seededRandom, systemRandom } from "../../src/base/random.ts";
import { encodeLink, isLost, lostLink, parseLink } from "../../src/dag/chunks.ts";
import { treeKeys } from "../../src/dag/keys.ts";
import { openRoot } from "../../src/dag/root.ts";
import type { TreeReport } from "../../src/tree/check/check.ts";
import { fsckTree } from "../../src/tree/fsck.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { hashOf, listDirectory, nobody } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const rounds = Number(process.env["HIVE_ROUNDS"] ?? 8);
const replayWith = `replay: HIVE_SEED=${seed} node ${process.argv[1]}`;
const treeSecret = Buffer.alloc(32, 5);
const chunkBytes = 256 * 1024;
const file = parseName("file");
/** A busy machine must not fail it. */
const slow = { timeout: 180_000 };

const corrupt = { name: "HiveError", message: /Corrupt/ };

/** A store that can lose blocks, have them on peers alone, and say which it has. */
class Disk extends MemoryStore {
  readonly #all = new Set<Cid>();
  readonly #lost = new Set<Cid>();
  readonly #away = new Set<Cid>();
  readonly #forgotten = new Set<Cid>();

  override put(cid: Cid, sealed: Uint8Array) {
    this.#all.add(cid);
    this.#lost.delete(cid);
    return super.put(cid, sealed);
  }

  override get(cid: Cid) {
    if (this.#away.has(cid)) throw new HiveError("Unavailable", "disk.get", cid);
    if (this.#lost.has(cid)) throw new HiveError("Corrupt", "disk.get", cid);
    if (this.#forgotten.has(cid)) throw new HiveError("NotFound", "disk.get", cid);
    return super.get(cid);
  }

  override has(cid: Cid): boolean {
    return this.#isWhole(cid) && super.has(cid);
  }

  lose(cid: Cid): void {
    this.#lost.add(cid);
  }

  moveAway(cid: Cid): void {
    this.#away.add(cid);
  }

  /** It is not here, and the books, which may come back, do not tell of it. */
  forget(cid: Cid): void {
    this.#forgotten.add(cid);
  }

  findAgain(): void {
    this.#forgotten.clear();
  }

  whereIs(cid: Cid): "peers" | "nowhere" | "unknown" {
    if (this.#away.has(cid)) return "peers";
    return this.#lost.has(cid) ? "nowhere" : "unknown";
  }

  #isWhole(cid: Cid): boolean {
    return !this.#lost.has(cid) && !this.#away.has(cid) && !this.#forgotten.has(cid);
  }

  get lost(): readonly Cid[] {
    return [...this.#lost];
  }

  cids(): readonly Cid[] {
    return [...this.#all].filter((cid) => this.has(cid)).sort();
  }
}

test("whatever blocks are lost: told, and nothing else changes", slow, async (t) => {
  let damaged = 0;
  for (let round = 0; round < rounds; round++) {
    const random = seededRandom(`${seed}/${round}`);
    const { store, before } = await grownDrive(random);
    const cids = store.cids();
    const count = 1 + random.below(random.below(3) === 0 ? 12 : 3);
    for (let each = 0; each < count; each++) store.lose(cids[random.below(cids.length)] as Cid);
    const found = await fsck(store);
    if (found.problems.length > 0) damaged++;
    await agree(t, store, { before, problems: found.problems, where: `round ${round}; ${replayWith}` });
    const again = await fsck(store);
    t.strictSame(again.problems, [], `round ${round}: the second check; ${replayWith}`);
  }
  t.ok(damaged > rounds / 2, `${damaged} of ${rounds} rounds did harm`);
});

test("blocks that only peers have are no damage, and nothing is touched", slow, async (t) => {
  for (let round = 0; round < rounds / 4; round++) {
    const random = seededRandom(`${seed}/away/${round}`);
    const { store } = await grownDrive(random);
    const cids = store.cids();
    await crashless(store);
    for (let each = 0; each < 20; each++) store.moveAway(cids[random.below(cids.length)] as Cid);
    const root = store.root();
    const found = await fsck(store);
    const told = found.problems.filter(({ what }) => what !== "journal");
    t.strictSame(told, [], replayWith);
    t.same(store.root(), root, "the root is as it was");
  }
});

test("what may be found again is told, and nothing is given up for it", slow, async (t) => {
  let harmed = 0;
  for (let round = 0; round < rounds / 4; round++) {
    const random = seededRandom(`${seed}/forgotten/${round}`);
    const { store, before } = await grownDrive(random);
    await crashless(store);
    const cids = store.cids();
    for (let each = 0; each < 4; each++) store.forget(cids[random.below(cids.length)] as Cid);
    const root = store.root();
    const { problems, report } = await fsck(store);
    t.ok(problems.every(({ mended, loss }) => !mended && loss), replayWith);
    t.equal(problems.length > 0, report.unknown > 0, replayWith);
    if (problems.length > 0) harmed++;
    t.same(store.root(), root, "the root is as it was");
    store.findAgain();
    await agree(t, store, { before, problems: [], where: `round ${round}; ${replayWith}` });
  }
  t.ok(harmed > 0);
});

test("a file that lost a chunk reads as an error there alone, and can be written again", async (t) => {
  const { store, bytes } = await oneFile();
  store.lose(await chunkAt(store, 1));
  const { problems } = await fsck(store);
  t.match(problems, [{ what: "data-lost", path: "/file", loss: true, mended: true }]);
  t.match(problems[0]?.words, `bytes ${chunkBytes}-${2 * chunkBytes - 1} are lost`);
  const tree = await openTree(needsOf(store), { treeSecret });
  const { ino } = await tree.lookup({ parent: rootIno, name: file });
  const read = (offsetBytes: number, lengthBytes: number) =>
    readAt(tree, ino, { offsetBytes, lengthBytes });
  t.ok((await read(0, chunkBytes)).equals(bytes.subarray(0, chunkBytes)));
  await t.rejects(async () => read(chunkBytes, 10), corrupt);
  t.ok((await read(2 * chunkBytes, 100)).equals(bytes.subarray(2 * chunkBytes, 2 * chunkBytes + 100)));
  const fresh = Buffer.alloc(chunkBytes, 3);
  const handle = await tree.open(nobody, ino, { read: true, write: true, append: false, truncate: false });
  await t.rejects(async () => tree.write(handle, chunkBytes + 5, Buffer.from("part")), corrupt);
  await tree.write(handle, chunkBytes, fresh);
  tree.release(handle);
  t.ok((await read(chunkBytes, chunkBytes)).equals(fresh), "written anew, it is whole");
  await tree.close();
  const after = await fsck(store);
  t.strictSame(after.problems, []);
  t.equal(after.report.givenUp, 0);
});

test("a range that was given up is remembered, not told as new", async (t) => {
  const { store } = await oneFile();
  store.lose(await chunkAt(store, 2));
  await fsck(store);
  const again = await fsck(store);
  t.strictSame(again.problems, []);
  t.equal(again.report.givenUp, 1);
});

test("what snapshots lost is told, and what is whole of them stays", async (t) => {
  const { store, bytes } = await oneFile();
  const chunk = await chunkAt(store, 1);
  const tree = await openTree(needsOf(store), { treeSecret });
  const name = await tree.past.create();
  await tree.unlink(nobody, { parent: rootIno, name: file });
  await tree.close();
  t.strictSame((await fsck(store)).problems, [], "a snapshot that is whole");
  store.lose(chunk);
  const told = [{ what: "snapshots", path: ".snapshots", mended: false, loss: true }];
  t.match((await fsck(store)).problems, told);
  const again = await openTree(needsOf(store), { treeSecret });
  const { files } = await again.past.open(name);
  const { ino } = await files.lookup({ parent: rootIno, name: file });
  const handle = await files.open(nobody, ino, { read: true, write: false, append: false, truncate: false });
  const read = await files.read(handle, { offsetBytes: 2 * chunkBytes, lengthBytes: 100 });
  t.ok(Buffer.concat(read).equals(bytes.subarray(2 * chunkBytes, 2 * chunkBytes + 100)));
  store.lose(openRoot(treeKeys(treeSecret), store.root() as Uint8Array).kept?.cid as Cid);
  t.match((await fsck(store)).problems, [{ what: "snapshots", path: null, mended: true, loss: true }]);
  t.strictSame((await fsck(store)).problems, [], "they are gone, and the drive is well");
});

test("frozen: the link that stands for a lost chunk", (t) => {
  const file = new URL("../vectors/dag.json", import.meta.url);
  const { chunk } = JSON.parse(readFileSync(file, "utf8")) as { chunk: { lost: string } };
  const link = parseLink(Buffer.from(chunk.lost, "hex"));
  t.equal(isLost(link), true);
  t.equal(encodeLink(lostLink(chunkBytes)).toString("hex"), chunk.lost);
  t.end();
});

/** What a path led to: each chunk's bytes, a symlink's target, or only that it was there. */
interface Thing {
  readonly ino: Ino;
  readonly mode: number;
  readonly chunks: readonly string[];
  readonly xattrs: string;
}

async function grownDrive(random: Random): Promise<{ store: Disk; before: Map<string, Thing> }> {
  const store = new Disk();
  const tree = await openTree(needsOf(store), { treeSecret });
  const directories: { ino: Ino; depth: number }[] = [{ ino: rootIno, depth: 0 }];
  const files: Ino[] = [];
  const pick = <T>(items: readonly T[]) => items[random.below(items.length)] as T;
  const steps = 30 + random.below(60);
  for (let step = 0; step < steps; step++) {
    const parent = pick(directories);
    const at = { parent: parent.ino, name: parseName(`${pick(["a", "name", "longer name "])}${step}`) };
    const dice = random.below(20);
    if (dice < 4 && parent.depth < 5) {
      const { ino } = await tree.mkdir(nobody, at, { mode: 0o755 });
      directories.push({ ino, depth: parent.depth + 1 });
    } else if (dice < 6 && files.length > 0) await tree.link(nobody, pick(files), at);
    else if (dice < 7) await tree.symlink(nobody, at, Buffer.from(`target ${step}`));
    else if (dice < 8 && random.below(4) === 0) await manyNames(tree, parent.ino, step);
    else files.push(await newFile(tree, at, random));
    if (random.below(15) === 0) await tree.commit();
    if (random.below(25) === 0 && files.length > 0) {
      await tree.setxattr(nobody, pick(files), "user.big", random.bytes(3000), "any");
    }
  }
  const before = await thingsOf(tree);
  // Half of them end in a crash: the journal has the newest changes.
  if (random.below(2) === 0) await tree.close();
  else await tree.fsyncdir(await tree.opendir(rootIno));
  const settled = random.below(2) === 0;
  if (settled) await tree.syncAll();
  return { store, before };
}

async function manyNames(tree: Tree, parent: Ino, step: number): Promise<void> {
  for (let index = 0; index < 400; index++) {
    const at = { parent, name: parseName(`${step} ${"n".repeat(60)} ${index}`) };
    const { ino } = await tree.mknod(nobody, at, { mode: 0o100644 });
    tree.forget(ino, 1);
  }
}

async function newFile(
  tree: Tree, at: { parent: Ino; name: Name }, random: Random,
): Promise<Ino> {
  const flags = { read: true, write: true, append: false, truncate: false, exclusive: true };
  const { attributes, handle } = await tree.create(nobody, at, { mode: 0o640 }, flags);
  const chunks = random.below(4) === 0 ? 1 + random.below(14) : 0;
  const lengthBytes = chunks * chunkBytes + random.below(6000);
  if (lengthBytes > 0) await tree.write(handle, 0, pattern(attributes.ino, lengthBytes));
  await tree.fsync(handle);
  tree.release(handle);
  return attributes.ino;
}

/** No zeros, and no two chunks the same. */
function pattern(ino: Ino, lengthBytes: number): Buffer {
  const bytes = Buffer.alloc(lengthBytes, 1 + (ino % 250));
  for (let at = 0; at < lengthBytes; at += 1000) bytes.write(`${ino}/${at};`, at);
  return bytes;
}

async function thingsOf(tree: Tree): Promise<Map<string, Thing>> {
  const things = new Map<string, Thing>();
  const walk = async (ino: Ino, path: string): Promise<void> => {
    for (const { name, attributes } of await listDirectory(tree, ino, 100)) {
      const below = `${path}/${name}`;
      things.set(below, await thingOf(tree, attributes));
      if ((attributes.mode & 0o170000) === 0o040000) await walk(attributes.ino, below);
      tree.forget(attributes.ino, 1);
    }
  };
  await walk(rootIno, "");
  return things;
}

async function thingOf(
  tree: Tree, { ino, mode, sizeBytes }: { ino: Ino; mode: number; sizeBytes: number },
): Promise<Thing> {
  const chunks: string[] = [];
  const type = mode & 0o170000;
  if (type === 0o120000) chunks.push(Buffer.from(await tree.readlink(ino)).toString());
  for (let offsetBytes = 0; type === 0o100000 && offsetBytes < sizeBytes; offsetBytes += chunkBytes) {
    chunks.push(await answer(async () => {
      const read = await readAt(tree, ino, { offsetBytes, lengthBytes: chunkBytes });
      return `${read.length} ${hashOf(read)}`;
    }));
  }
  const xattrs = await answer(async () => {
    const names = await tree.listxattr(ino);
    return names.length === 0 ? "" : Buffer.from(await tree.getxattr(ino, "user.big")).toString("hex");
  });
  return { ino, mode, chunks, xattrs };
}

async function answer(act: () => Promise<string>): Promise<string> {
  try {
    return await act();
  } catch (error) {
    if (isFault(error, "Corrupt")) return "EIO";
    throw error;
  }
}

async function readAt(
  tree: Tree, ino: Ino, range: { offsetBytes: number; lengthBytes: number },
): Promise<Buffer> {
  const handle = await tree.open(nobody, ino, { read: true, write: false, append: false, truncate: false });
  try {
    return Buffer.concat(await tree.read(handle, range));
  } finally {
    tree.release(handle);
  }
}

/** Everything is as it was, or the difference is among the problems. */
async function agree(
  t: Test,
  store: Disk,
  known: { before: Map<string, Thing>; problems: readonly FsckProblem[]; where: string },
): Promise<void> {
  const { before, problems, where } = known;
  // A file of several names is told under one of them.
  const told = (path: string, what: FsckProblem["what"]): boolean =>
    problems.some((problem) => {
      const same = before.get(problem.path ?? "")?.ino === before.get(path)?.ino;
      return problem.what === what && (problem.path === path || same);
    });
  const namesLost = (path: string): boolean =>
    problems.some(({ what, path: at }) => {
      const isAbove = at !== null && (at === "/" || path.startsWith(`${at}/`));
      return (what === "names-lost" && (at === null || isAbove)) || (what === "journal");
    });
  const tree = await openTree(needsOf(store), { treeSecret });
  const after = await thingsOf(tree);
  await tree.close();
  for (const [path, was] of before) {
    const is = after.get(path);
    if (is === undefined) {
      if (!told(path, "name-to-nothing") && !namesLost(path)) t.fail(`${path} went silently; ${where}`);
      continue;
    }
    const sameType = (is.mode & 0o170000) === (was.mode & 0o170000);
    if (!sameType) t.fail(`${path} is another type; ${where}`);
    is.chunks.forEach((chunk, at) => {
      if (chunk === was.chunks[at]) return;
      const journal = problems.some(({ what }) => what === "journal");
      if (chunk !== "EIO") t.fail(`${path} has other bytes in chunk ${at}; ${where}`);
      else if (!told(path, "data-lost") && !journal) t.fail(`${path}: EIO was not told; ${where}`);
    });
    if (is.xattrs !== was.xattrs && !told(path, "attributes-lost")) t.fail(`${path}: xattrs; ${where}`);
  }
  for (const path of after.keys()) {
    const isKnown = before.has(path) || path.startsWith("/lost+found");
    if (!isKnown) t.fail(`${path} came from nowhere; ${where}`);
  }
  t.ok(problems.every(({ mended }) => mended), `all is mended; ${where}`);
}

async function crashless(store: Disk): Promise<void> {
  await (await openTree(needsOf(store), { treeSecret })).close();
}

async function fsck(store: Disk): Promise<{ problems: FsckProblem[]; report: TreeReport }> {
  const problems: FsckProblem[] = [];
  const report = await fsckTree(
    {
      ...needsOf(store),
      whereIs: async (cid) => store.whereIs(cid),
      report: (problem) => void problems.push(problem),
      progress: () => undefined,
    },
    { treeSecret, spoilt: store.lost },
  );
  return { problems, report };
}

async function oneFile() {
  const store = new Disk();
  const tree = await openTree(needsOf(store), { treeSecret });
  const flags = { read: true, write: true, append: false, truncate: false, exclusive: true };
  const at = { parent: rootIno, name: file };
  const { attributes, handle } = await tree.create(nobody, at, { mode: 0o600 }, flags);
  const bytes = pattern(attributes.ino, 5 * chunkBytes);
  await tree.write(handle, 0, bytes);
  tree.release(handle);
  await tree.close();
  return { store, bytes };
}

async function chunkAt(store: DriveStore, index: number): Promise<Cid> {
  const tree = await openTree(needsOf(store), { treeSecret });
  const { ino } = await tree.lookup({ parent: rootIno, name: file });
  const cids: Cid[] = [];
  for await (const cid of tree.cidsOf(ino)) cids.push(cid);
  return cids[index] as Cid;
}

function needsOf<T extends DriveStore>(store: T) {
  return { store, clock: systemClock, random: systemRandom, log: silentLog };
}
