/**
 * Policies of folders: who governs what, and that every block lies under the policy of its
 * folder.
 */
import { type Test, test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { isFault } from "../../src/base/errors.ts";
import { type Cid, type Handle, type Ino, rootIno } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { checkTree } from "../../src/tree/check/check.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { governedBlocks } from "../support/governed.ts";
import { fileIn, flags, folderIn, place } from "../support/making.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { nobody, readFile, walkTree } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/tree.policy.test.ts`;
const treeSecret = Buffer.alloc(32, 7);
const { chunkBytes } = limits.tree;
const attribute = "user.hive.policy";
const signal = new AbortController().signal;


let opened = 0;

async function openOn(store: MemoryStore, known = ["europe", "home", "work"]): Promise<Tree> {
  // With the same dice after a crash, a page would be sealed into the same bytes once more.
  const random = seededRandom(`policy ${seed} ${opened++}`);
  const policies = (name: string) => (known.includes(name) ? `policy ${name} {}` : undefined);
  const needs = { store, clock: systemClock, random, log: silentLog, policies };
  return await openTree(needs, { treeSecret });
}

async function set(tree: Tree, ino: Ino, name: string): Promise<void> {
  await tree.setxattr(nobody, ino, attribute, Buffer.from(name), "any");
}

/** Until nothing is left to be sealed anew, and all of it is in the root. */
async function settle(tree: Tree): Promise<void> {
  for (let turn = 0; tree.resealing() !== undefined; turn++) {
    if (turn > 10_000) throw new Error(`it never ends; ${replay}`);
    await tree.resealer.step(signal);
  }
  await tree.commit();
}

function wrong(store: MemoryStore): readonly string[] {
  return governedBlocks(store, treeSecret)
    .filter(({ isRight }) => !isRight)
    .map(({ path, policy }) => `${path}: ${policy}`);
}

function policyOf(store: MemoryStore, path: string): readonly string[] {
  const of = governedBlocks(store, treeSecret).filter((one) => one.path === path);
  return [...new Set(of.map(({ policy }) => policy))];
}

const bulk = (fill: number, chunks = 2) => Buffer.alloc(chunks * chunkBytes + 17, fill);

test("a folder goes by the nearest folder above that has a policy; the nearest wins", async (t) => {
  const store = new MemoryStore();
  const tree = await openOn(store);
  const outer = await folderIn(tree, rootIno, "outer");
  const inner = await folderIn(tree, outer, "inner");
  await set(tree, outer, "europe");
  t.strictSame(await tree.policyAt(["outer", "inner"]), { name: "europe", folder: ["outer"] });
  await set(tree, inner, "home");
  t.strictSame(await tree.policyAt(["outer", "inner"]), { name: "home", folder: ["outer", "inner"] });
  t.strictSame(await tree.policyAt([]), { name: undefined, folder: [] });
  await fileIn(tree, outer, "a", bulk(1));
  await fileIn(tree, inner, "a", bulk(1));
  await fileIn(tree, rootIno, "a", bulk(1));
  await settle(tree);
  t.strictSame(wrong(store), []);
  t.strictSame(policyOf(store, "/outer/a"), ["europe"]);
  t.strictSame(policyOf(store, "/outer/inner/a"), ["home"]);
  t.strictSame(policyOf(store, "/outer/inner (pages)"), ["home"]);
  t.strictSame(policyOf(store, "/a"), ["slot 0"]);
  t.strictSame(tree.policies(), [{ slot: 1, name: "europe" }, { slot: 2, name: "home" }]);
  await tree.removexattr(nobody, inner, attribute);
  await settle(tree);
  t.strictSame(policyOf(store, "/outer/inner/a"), ["europe"], "it follows the folder above again");
  await tree.collector.step(signal);
  t.notOk(store.slots().has(2), "and nothing of the old policy waits for peers any more");
});

test("garbage that is looked for in the middle of it is not what is being sealed anew", async (t) => {
  const store = new MemoryStore();
  const tree = await openOn(store);
  const ino = await folderIn(tree, rootIno, "d");
  await fileIn(tree, ino, "f", bulk(3));
  await tree.commit();
  const sync = store.sync.bind(store);
  let state: "between" | "looking" = "between";
  store.sync = async () => {
    await sync();
    if (state === "looking") return;
    state = "looking";
    await tree.census(100);
    state = "between";
  };
  await set(tree, ino, "home");
  await settle(tree);
  t.strictSame(policyOf(store, "/d/f"), ["home"]);
  const again = await openOn(store);
  const { ino: above } = await again.lookup(place(rootIno, "d"));
  const { ino: file } = await again.lookup(place(above, "f"));
  t.ok((await readFile(again, file)).equals(bulk(3)), "every chunk is in the store");
  t.equal((await again.policyAt(["d"])).name, "home");
});

test("the attribute reads, lists and goes as any other, and refuses names that nobody knows",
  async (t) => {
    const tree = await openOn(new MemoryStore());
    const ino = await folderIn(tree, rootIno, "d");
    const refused = async (act: () => unknown, kind: "Invalid" | "NoData" | "Exists") => {
      const error = await Promise.resolve().then(act).catch((cause: unknown) => cause);
      t.ok(isFault(error, kind), String(error));
    };
    await refused(() => set(tree, ino, "nowhere"), "Invalid");
    await refused(() => set(tree, ino, "not a name"), "Invalid");
    await refused(() => set(tree, ino, ""), "Invalid");
    t.strictSame(tree.policies(), [], "and takes no slot for them");
    await refused(() => tree.getxattr(ino, attribute), "NoData");
    await refused(() => tree.removexattr(nobody, ino, attribute), "NoData");
    await set(tree, ino, "home");
    t.equal(Buffer.from(await tree.getxattr(ino, attribute)).toString(), "home");
    t.strictSame(await tree.listxattr(ino), [attribute]);
    const again = Buffer.from("work");
    await refused(() => tree.setxattr(nobody, ino, attribute, again, "create"), "Exists");
    await tree.setxattr(nobody, ino, attribute, again, "replace");
    t.equal(Buffer.from(await tree.getxattr(ino, attribute)).toString(), "work");
    const file = await fileIn(tree, ino, "f", Buffer.from("x"));
    await refused(() => set(tree, file, "home"), "Invalid");
    t.strictSame(await tree.listxattr(file), []);
    await tree.removexattr(nobody, ino, attribute);
    t.strictSame(await tree.listxattr(ino), []);
  });

test("the same bytes under two policies are two blocks, and each is only where it belongs",
  async (t) => {
    const store = new MemoryStore();
    const tree = await openOn(store);
    const one = await folderIn(tree, rootIno, "one");
    const other = await folderIn(tree, rootIno, "other");
    await set(tree, one, "europe");
    const [a, b] = [await fileIn(tree, one, "f", bulk(3)), await fileIn(tree, other, "f", bulk(3))];
    await settle(tree);
    const cids = async (ino: Ino) => {
      const found: Cid[] = [];
      for await (const cid of tree.cidsOf(ino)) found.push(cid);
      return found;
    };
    const [ours, theirs] = [await cids(a), await cids(b)];
    t.equal(ours.length, 3);
    t.notOk(ours.some((cid) => theirs.includes(cid)));
    t.strictSame(wrong(store), []);
  });

test("a policy on a folder with content governs the new at once, and the old soon", async (t) => {
  const store = new MemoryStore();
  const tree = await openOn(store);
  const top = await folderIn(tree, rootIno, "top");
  const deep = await folderIn(tree, top, "deep");
  await fileIn(tree, top, "old", bulk(1));
  const large = await fileIn(tree, deep, "large", bulk(2, 12));
  for (let at = 0; at < 300; at++) await fileIn(tree, deep, `s${at}`, Buffer.from(`short ${at}`));
  await tree.setxattr(nobody, large, "user.x", Buffer.alloc(3000, 1), "any");
  await tree.commit();
  const before = await walkTree(tree);
  await set(tree, top, "home");
  await fileIn(tree, deep, "new", bulk(4));
  await tree.commit();
  t.strictSame(policyOf(store, "/top/deep/new"), ["home"]);
  t.strictSame(policyOf(store, "/top/old"), ["slot 0"]);
  t.ok(tree.resealing(), "there is something to do, and it is told");
  await settle(tree);
  t.strictSame(wrong(store), []);
  t.strictSame(policyOf(store, "/top/deep/large (pages)"), ["home"]);
  t.strictSame(policyOf(store, "/top/deep/large (attributes)"), ["home"]);
  const after = await walkTree(tree);
  for (const [path, { content, xattrs }] of before) {
    t.equal(after.get(path)?.content, content, path);
    if (path !== "/top") t.strictSame(after.get(path)?.xattrs, xattrs);
  }
});

test("what moves between folders of two policies follows, and what is copied is not shared",
  async (t) => {
    const store = new MemoryStore();
    const tree = await openOn(store);
    const [eu, home] = [await folderIn(tree, rootIno, "eu"), await folderIn(tree, rootIno, "home")];
    await set(tree, eu, "europe");
    await set(tree, home, "home");
    const below = await folderIn(tree, eu, "below");
    await fileIn(tree, below, "f", bulk(1));
    const short = await fileIn(tree, eu, "short", Buffer.from("short"));
    const file = await fileIn(tree, eu, "file", bulk(2, 10));
    await settle(tree);
    await tree.rename(nobody, place(eu, "below"), place(home, "below"), "replace");
    await tree.rename(nobody, place(eu, "file"), place(rootIno, "file"), "replace");
    await tree.rename(nobody, place(eu, "short"), place(home, "short"), "replace");
    t.ok(tree.resealing());
    await settle(tree);
    t.strictSame(wrong(store), []);
    t.strictSame(policyOf(store, "/home/below/f"), ["home"]);
    t.strictSame(policyOf(store, "/file"), ["slot 0"]);
    t.equal((await readFile(tree, short)).toString(), "short");
    const from = await tree.open(nobody, file, { ...flags, write: false });
    const copy = await tree.create(nobody, place(eu, "copy"), { mode: 0o644 }, flags);
    const range = { offsetBytes: 0, lengthBytes: 10 * chunkBytes };
    t.equal(await tree.copyRange(from, range, copy.handle, 0), range.lengthBytes);
    await tree.release(copy.handle);
    await tree.release(from);
    await settle(tree);
    t.strictSame(wrong(store), []);
    t.ok((await readFile(tree, copy.attributes.ino)).equals(bulk(2, 10).subarray(0, 10 * chunkBytes)));
    await tree.rename(nobody, place(eu, "copy"), place(home, "below"), "exchange");
    await settle(tree);
    t.strictSame(wrong(store), []);
    t.strictSame(policyOf(store, "/eu/copy/f"), ["europe"]);
  });

test("attributes of a folder follow though its names went first", async (t) => {
  const store = new MemoryStore();
  const before = await openOn(store);
  const folder = await folderIn(before, rootIno, "d");
  const below = await folderIn(before, folder, "below");
  for (const ino of [folder, below]) {
    await fileIn(before, ino, "f", Buffer.from("short"));
    await before.setxattr(nobody, ino, "user.large", Buffer.alloc(3000, ino), "any");
  }
  await before.close();
  const tree = await openOn(store);
  await set(tree, await inoOf(tree, "/d"), "europe");
  await fileIn(tree, await inoOf(tree, "/d/below"), "g", Buffer.from("short"));
  await tree.commit();
  t.strictSame(policyOf(store, "/d/below (pages)"), ["europe"]);
  await settle(tree);
  t.strictSame(wrong(store), []);
  t.strictSame(policyOf(store, "/d (attributes)"), ["europe"]);
});

test("what moves on before it was sealed anew is not forgotten", async (t) => {
  const store = new MemoryStore();
  const tree = await openOn(store);
  const [from, to] = [await folderIn(tree, rootIno, "from"), await folderIn(tree, rootIno, "to")];
  const sub = await folderIn(tree, from, "sub");
  await set(tree, to, "europe");
  await fileIn(tree, sub, "deep", bulk(1));
  await fileIn(tree, from, "file", bulk(2));
  const linked = await fileIn(tree, from, "one", bulk(3));
  await tree.link(nobody, linked, place(to, "other"));
  await settle(tree);
  await set(tree, from, "europe");
  // By their folders' policies nothing changes with it.
  for (const name of ["sub", "file"]) {
    await tree.rename(nobody, place(from, name), place(to, name), "replace");
  }
  await settle(tree);
  t.strictSame(wrong(store), []);
  t.strictSame(policyOf(store, "/to/sub/deep"), ["europe"]);
  t.strictSame(policyOf(store, "/to/file"), ["europe"]);
  await tree.removexattr(nobody, to, attribute);
  await tree.removexattr(nobody, from, attribute);
  for (const name of ["sub", "file"]) {
    await tree.rename(nobody, place(to, name), place(rootIno, name), "replace");
  }
  await tree.unlink(nobody, place(from, "one"));
  await settle(tree);
  t.strictSame(wrong(store), []);
  t.strictSame(policyOf(store, "/file"), ["slot 0"]);
});

test("a file of several names goes by the policy known last among its folders'", async (t) => {
  const store = new MemoryStore();
  const tree = await openOn(store);
  const [eu, plain] = [await folderIn(tree, rootIno, "eu"), await folderIn(tree, rootIno, "plain")];
  await set(tree, eu, "europe");
  const short = await fileIn(tree, plain, "short", Buffer.from("a secret of few bytes"));
  const large = await fileIn(tree, plain, "large", bulk(5));
  await tree.link(nobody, short, place(eu, "short"));
  await tree.link(nobody, large, place(eu, "large"));
  await settle(tree);
  t.strictSame(wrong(store), []);
  t.strictSame(policyOf(store, `#${large}`), ["europe"]);
  t.strictSame(policyOf(store, `#${short}`), ["europe"], "not in the table's page, which is not");
  t.equal((await readFile(tree, short)).toString(), "a secret of few bytes");
  await set(tree, plain, "home");
  await settle(tree);
  t.strictSame(wrong(store), []);
  t.strictSame(policyOf(store, `#${large}`), ["home"]);
  t.strictSame((await tree.policyAt(["eu", "large"])), { name: "home", folder: undefined });
});

test("a file without a name keeps the policy of the folder that it was in", async (t) => {
  const store = new MemoryStore();
  const tree = await openOn(store);
  const eu = await folderIn(tree, rootIno, "eu");
  await set(tree, eu, "europe");
  const made = await tree.create(nobody, place(eu, "gone"), { mode: 0o644 }, flags);
  await tree.unlink(nobody, place(eu, "gone"));
  const nameless = await tree.tmpfile(nobody, eu, { mode: 0o644 }, flags);
  const slots = new Set<number | undefined>();
  for (const { handle, attributes } of [made, nameless]) {
    await tree.write(handle, 0, bulk(8));
    await tree.fsync(handle);
    for await (const cid of tree.cidsOf(attributes.ino)) slots.add(store.slotOf(cid));
  }
  t.strictSame([...slots], [1]);
  await tree.link(nobody, nameless.attributes.ino, place(rootIno, "named"));
  for (const { handle } of [made, nameless]) await tree.release(handle);
  await settle(tree);
  t.strictSame(wrong(store), []);
  t.strictSame(policyOf(store, "/named"), ["slot 0"]);
});

test("the root's policy is the name of the default, and costs nothing", async (t) => {
  const store = new MemoryStore();
  const tree = await openOn(store);
  await fileIn(tree, rootIno, "f", bulk(1));
  await tree.commit();
  const before = store.putBytes;
  await set(tree, rootIno, "work");
  t.equal(tree.resealing(), undefined);
  await tree.commit();
  t.ok(store.putBytes - before < 20_000, "no file is sealed anew");
  t.strictSame(tree.policies(), [{ slot: 0, name: "work" }, { slot: 1, name: "work" }]);
  t.strictSame(await tree.policyAt(["f"]), { name: "work", folder: [] });
  t.strictSame(policyOf(store, "/f"), ["slot 0"]);
});

test("names, their texts and every folder's policy are known from the root alone", async (t) => {
  const store = new MemoryStore();
  const tree = await openOn(store);
  const eu = await folderIn(tree, rootIno, "eu");
  await set(tree, eu, "europe");
  await tree.close();
  const again = await openOn(store.crash(), []);
  t.strictSame(again.policies(), [{ slot: 1, name: "europe" }]);
  t.strictSame([...await again.policyTexts()], [["europe", "policy europe {}"]]);
  t.strictSame(await again.policyAt(["eu"]), { name: "europe", folder: ["eu"] });
  await set(again, (await again.lookup(place(rootIno, "eu"))).ino, "europe");
  const policies = () => "policy europe { # edited\n}";
  const needs = { store: store.crash(), clock: systemClock, log: silentLog };
  const random = seededRandom(seed);
  const other = await openTree({ ...needs, random, policies }, { treeSecret });
  await other.refreshPolicyTexts();
  t.strictSame([...await other.policyTexts()], [["europe", "policy europe { # edited\n}"]]);
});

test("there are as many names as slots, and no more", async (t) => {
  const { slotsMax } = limits.policy;
  const names = Array.from({ length: slotsMax + 1 }, (_, at) => `p${at}`.padEnd(64, "x"));
  const store = new MemoryStore();
  const tree = await openOn(store, names);
  const ino = await folderIn(tree, rootIno, "d");
  for (const name of names.slice(0, slotsMax)) await set(tree, ino, name);
  const error = await set(tree, ino, names[slotsMax] as string).catch((cause: unknown) => cause);
  t.ok(isFault(error, "NoSpace"), String(error));
  await settle(tree);
  t.equal((await openOn(store.crash(), [])).policies().length, slotsMax, "the root holds them all");
});

interface Model {
  readonly t: Test;
  store: MemoryStore;
  tree: Tree;
  /** Somebody looks for garbage, if anybody does. */
  looking: Promise<unknown>;
}

/** Now and then while something waits for the disk: the search may have to wait for that, too. */
function lookBetween(model: Model, random: Random): void {
  const { store, tree } = model;
  const sync = store.sync.bind(store);
  let isLooking = false;
  store.sync = async () => {
    await sync();
    if (isLooking || random.below(3) > 0) return;
    isLooking = true;
    model.looking = tree.census(100).finally(() => (isLooking = false));
    await Promise.race([model.looking, someMoments()]);
  };
}

async function someMoments(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await new Promise((later) => setImmediate(later));
}

const folders = ["a", "b", "a/c", "b/d"];

async function inoOf(tree: Tree, path: string): Promise<Ino> {
  let ino: Ino = rootIno;
  for (const name of path.split("/").filter((part) => part !== "")) {
    ({ ino } = await tree.lookup(place(ino, name)));
  }
  return ino;
}

/** One of all that programs do, and the drive by itself; what cannot be done is a fault. */
async function actIn(
  tree: Tree, random: Random, { turn, open }: { readonly turn: number; readonly open: Handle[] },
): Promise<void> {
  const pick = <T>(of: readonly T[]): T => of[random.below(of.length)] as T;
  const [path, other] = [pick(["", ...folders]), pick(["", ...folders])];
  const [name, to] = [`f${random.below(5)}`, `f${random.below(5)}`];
  const act = random.below(15);
  const at = await inoOf(tree, path);
  const toOther = async () => place(await inoOf(tree, other), to);
  const moveTo = async (from: string, into: string) =>
    tree.rename(nobody, place(await inoOf(tree, from), "d"), place(await inoOf(tree, into), "d"), "replace");
  if (act < 5) {
    const bytes = Buffer.alloc(pick([100, 4000, chunkBytes, 3 * chunkBytes + 5]), turn);
    const how = { ...flags, exclusive: false };
    const { handle } = await tree.create(nobody, place(at, name), { mode: 0o644 }, how);
    await tree.write(handle, random.below(2) * 1000, bytes);
    if (random.below(3) === 0) await tree.fsync(handle);
    if (random.below(4) === 0) open.push(handle);
    else await tree.release(handle);
  } else if (act < 7) {
    await tree.rename(nobody, place(at, name), await toOther(), pick(["replace", "exchange"] as const));
  } else if (act === 7) await moveTo("b", "a");
  else if (act === 8) await moveTo("a", "b");
  else if (act === 9 && path !== "") await set(tree, at, pick(["europe", "home", "work"]));
  else if (act === 10 && path !== "") await tree.removexattr(nobody, at, attribute);
  else if (act === 11) {
    const { ino } = await tree.lookup(place(at, name));
    if (random.below(3) === 0) await tree.unlink(nobody, place(at, name));
    else if (random.below(2) === 0) await tree.link(nobody, ino, await toOther());
    else await tree.setxattr(nobody, ino, "user.x", Buffer.alloc(pick([10, 2000]), turn), "any");
  } else if (act === 12) await tree.resealer.step(signal);
  else if (act === 13) await tree.commit();
  else if (act === 14) await tree.census(100);
}

/** What was synced is there after a crash, in a tree of a new start. */
async function crash(model: Model): Promise<void> {
  await model.tree.syncAll();
  await model.looking;
  const before = await walkTree(model.tree);
  model.store = model.store.crash();
  model.tree = await openOn(model.store);
  model.t.strictSame(await walkTree(model.tree), before, replay);
}

async function problemsIn(store: MemoryStore): Promise<readonly string[]> {
  const problems: string[] = [];
  await checkTree({
    store, clock: systemClock, random: seededRandom(seed), progress: () => undefined,
    whereIs: async () => "nowhere", report: ({ path, words }) => void problems.push(`${path}: ${words}`),
  }, { treeSecret, spoilt: [] });
  return problems;
}

for (let life = 0; life < 3; life++) {
  test(`whatever happens, with crashes and searches for garbage, all ends where it belongs (${life})`, async (t) => {
    const random = seededRandom(`${seed}/${life}`);
    const store = new MemoryStore();
    const model: Model = { t, store, tree: await openOn(store), looking: Promise.resolve() };
    lookBetween(model, random);
    for (const path of folders) {
      const parts = path.split("/");
      const parent = await inoOf(model.tree, parts.slice(0, -1).join("/"));
      await folderIn(model.tree, parent, parts.at(-1) as string);
    }
    const open: Handle[] = [];
    for (let turn = 0; turn < 150; turn++) {
      await actIn(model.tree, random, { turn, open }).catch((error: unknown) => {
        if (!isFault(error)) throw error;
      });
      if (random.below(25) !== 0) continue;
      open.length = 0;
      await crash(model);
      lookBetween(model, random);
    }
    await settle(model.tree);
    await model.looking;
    await model.tree.commit();
    t.strictSame(wrong(model.store), [], replay);
    const seen = await walkTree(model.tree);
    const last = await openOn(model.store.crash());
    t.strictSame(await walkTree(last), seen);
    await last.close();
    t.strictSame(await problemsIn(model.store), [], replay);
  });
}
