/** Roots that stand in for the newest one while what goes by some policy waits. */
import { type Test, test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { isFault } from "../../src/base/errors.ts";
import { type Cid, type Ino, rootIno } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import type { HeldPlace, StandIn } from "../../src/base/stand-in.ts";
import { checkTree } from "../../src/tree/check/check.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { fileIn, folderIn, place } from "../support/making.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { PeeredStore } from "../support/peered-store.ts";
import { type Seen, nobody, walkTree } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/tree.stand-in.test.ts`;
const treeSecret = Buffer.alloc(32, 7);
const names = ["europe", "home"];

const rounds = Number(process.env["HIVE_ROUNDS"] ?? 9);
const signal = new AbortController().signal;

type Shown = ReadonlyMap<string, Seen>;

/** A drive, what the last head told of it, and the policies that nobody satisfies. */
class Told {
  readonly store = new PeeredStore();
  readonly waiting = new Set<number>();
  readonly random: Random;
  tree!: Tree;
  before: Uint8Array | undefined;
  /** Pages that only roots which stood in have, and the last of them still has. */
  #made: readonly Cid[] = [];

  constructor(salt: string) {
    this.random = seededRandom(`stand-in ${seed} ${salt}`);
  }

  static async open(salt: string, device = 0): Promise<Told> {
    const told = new Told(salt);
    const policies = (name: string) => (names.includes(name) ? `policy ${name} {}` : undefined);
    const needs = { store: told.store, clock: systemClock, random: told.random, log: silentLog };
    const options = { treeSecret, device: { number: device, name: "test" } };
    told.tree = await openTree({ ...needs, policies }, options);
    return told;
  }

  /** Everything is with peers, and a head says so. */
  async tellAll(): Promise<void> {
    await this.tree.commit();
    this.store.place(new Set());
    this.before = this.store.root();
    this.#forget([]);
  }

  /** Peers keep of such pages what the last head names. */
  #forget(needed: readonly Cid[]): void {
    for (const cid of this.#made) if (!needed.includes(cid)) this.store.peers.delete(cid);
    this.#made = needed;
  }

  /** A head is told of what stands in for the newest root. */
  async tell(): Promise<StandIn | undefined> {
    await this.tree.commit();
    const waiting = this.store.place(this.waiting);
    const root = this.store.root() as Uint8Array;
    const asked = { root, before: this.before, slots: [...this.waiting], waiting, made: this.#made };
    const made = await this.tree.standIn(asked);
    for (const { cid, bytes } of made?.blocks ?? []) this.store.peers.set(cid, bytes);
    if (made === undefined) return undefined;
    this.before = made.root;
    this.#forget([...made.still, ...made.blocks.map(({ cid }) => cid)]);
    return made;
  }

  /** As a machine sees it that has nothing but a head with this root. */
  async recovered(t: Test, root: Uint8Array): Promise<Shown> {
    const store = new MemoryStore();
    for (const [cid, bytes] of this.store.peers) store.put(cid, bytes);
    await store.commit(root, 0);
    const problems: string[] = [];
    await checkTree({
      store, clock: systemClock, random: this.random, progress: () => undefined,
      whereIs: async () => "nowhere",
      report: ({ path, words }) => void problems.push(`${path}: ${words}`),
    }, { treeSecret, spoilt: [] });
    t.strictSame(problems, [], replay);
    const needs = { store, clock: systemClock, random: this.random, log: silentLog };
    return await walkTree(await openTree(needs, { treeSecret, readOnly: true }));
  }

  async folder(parent: Ino, name: string): Promise<Ino> {
    return await folderIn(this.tree, parent, name);
  }

  async write(parent: Ino, name: string, bytes: Buffer): Promise<Ino> {
    return await fileIn(this.tree, parent, name, bytes);
  }

  async govern(ino: Ino, name: string): Promise<void> {
    await this.tree.setxattr(nobody, ino, "user.hive.policy", Buffer.from(name), "any");
  }
}

function contentsOf(shown: Shown): ReadonlyMap<string, string> {
  return new Map([...shown].map(([path, { content }]) => [path, content]));
}

test("what waits stands as it was, all else as it is, until nothing waits", async (t) => {
  const told = await Told.open("first");
  const [open, shut] = [await told.folder(rootIno, "open"), await told.folder(rootIno, "shut")];
  await told.govern(shut, "europe");
  await told.write(open, "a", Buffer.alloc(900_000, 1));
  await told.write(shut, "secret", Buffer.alloc(900_000, 2));
  await told.tellAll();
  const before = await told.recovered(t, told.before as Uint8Array);
  told.waiting.add(1);
  await told.write(open, "b", Buffer.alloc(300_000, 3));
  await told.write(shut, "later", Buffer.alloc(300_000, 4));
  await told.tree.unlink(nobody, place(shut, "secret"));
  const made = await told.tell();
  t.strictSame(made?.held, [{ path: "/shut", isOlder: true }]);
  const shown = contentsOf(await told.recovered(t, made?.root as Uint8Array));
  const paths = ["/", "/open", "/open/a", "/open/b", "/shut", "/shut/secret"];
  t.strictSame([...shown.keys()].sort(), paths);
  t.equal(shown.get("/shut/secret"), contentsOf(before).get("/shut/secret"));
  told.waiting.clear();
  await told.tellAll();
  const all = await told.recovered(t, told.before as Uint8Array);
  t.strictSame(contentsOf(all), contentsOf(await walkTree(told.tree)), "in time all is told");
});

test("a folder that comes to wait when a part of it did stands as it was told, on the same pages",
  async (t) => {
    const told = await Told.open("nested");
    const above = await told.folder(rootIno, "above");
    const shut = await told.folder(above, "shut");
    await told.write(above, "one", Buffer.alloc(300_000, 1));
    await told.tellAll();
    told.waiting.add(1).add(2);
    await told.govern(shut, "europe");
    await told.write(shut, "secret", Buffer.alloc(300_000, 2));
    await told.write(above, "two", Buffer.alloc(300_000, 3));
    t.ok((await told.tell())?.blocks.length, "the folder above has pages for this alone");
    await told.govern(above, "home");
    await told.write(above, "three", Buffer.alloc(300_000, 4));
    const made = await told.tell();
    t.strictSame(made?.held, [{ path: "/above", isOlder: true }]);
    const shown = await told.recovered(t, made?.root as Uint8Array);
    const paths = ["/", "/above", "/above/one", "/above/shut", "/above/two"];
    t.strictSame([...shown.keys()].sort(), paths, "and they are still with peers");
  });

test("a folder that no head told of is empty, and keeps the policy it was given", async (t) => {
  const told = await Told.open("never");
  const open = await told.folder(rootIno, "open");
  const shut = await told.folder(open, "shut");
  await told.govern(shut, "europe");
  told.waiting.add(1);
  await told.write(open, "a", Buffer.alloc(300_000, 1));
  await told.write(shut, "secret", Buffer.alloc(300_000, 2));
  const made = await told.tell();
  t.strictSame(made?.held, [{ path: "/open/shut", isOlder: false }]);
  const shown = await told.recovered(t, made?.root as Uint8Array);
  t.strictSame([...shown.keys()], ["/", "/open", "/open/a", "/open/shut"]);
  const policy = `user.hive.policy=${Buffer.from("europe").toString("hex")}`;
  t.strictSame(shown.get("/open/shut")?.xattrs, [policy]);
});

test("what moves in or out of where something waits stays where it was, and is there once",
  async (t) => {
    const told = await Told.open("moves");
    const [open, shut] = [await told.folder(rootIno, "open"), await told.folder(rootIno, "shut")];
    await told.govern(shut, "europe");
    await told.write(open, "in", Buffer.alloc(300_000, 1));
    await told.write(shut, "out", Buffer.alloc(300_000, 2));
    await told.tellAll();
    told.waiting.add(1);
    await told.tree.rename(nobody, place(open, "in"), place(shut, "in"), "replace");
    await told.tree.rename(nobody, place(shut, "out"), place(open, "out"), "replace");
    await told.write(shut, "new", Buffer.alloc(300_000, 3));
    const made = await told.tell();
    const paths = made?.held.map(({ path }) => path).sort();
    t.strictSame(paths, ["/open/in", "/open/out", "/shut"]);
    const shown = await told.recovered(t, made?.root as Uint8Array);
    t.strictSame([...shown.keys()], ["/", "/open", "/open/in", "/shut", "/shut/out"]);
  });

interface Found {
  readonly ino: Ino;
  readonly parent: Ino;
  readonly name: string;
  readonly isFolder: boolean;
}

async function allOf(tree: Tree): Promise<Found[]> {
  const inos = new Map<string, Ino>();
  const found: Found[] = [];
  for (const [path, { attributes: { ino, mode } }] of await walkTree(tree)) {
    inos.set(path, ino);
    const cut = path.lastIndexOf("/");
    const parent = inos.get(path.slice(0, cut) || "/") as Ino;
    const isFolder = (mode & 0o170000) === 0o040000;
    found.push({ ino, parent, name: path.slice(cut + 1), isFolder });
  }
  return found;
}

/** Anything that programs may do, in and out of folders that wait; what cannot be is refused. */
async function disturb(told: Told): Promise<void> {
  const { tree, random } = told;
  const all = await allOf(tree);
  const pick = <T>(some: readonly T[]): T => some[random.below(some.length)] as T;
  const folder = pick(all.filter(({ isFolder }) => isFolder)).ino;
  const one = pick(all);
  const to = place(folder, `n${random.below(30)}`);
  const from = () => place(one.parent, one.name);
  const bytes = Buffer.alloc(1 + random.below(2) * 400_000 + random.below(900), random.below(256));
  const acts: readonly (() => Promise<unknown> | unknown)[] = [
    () => told.write(folder, to.name, bytes),
    () => told.write(folder, to.name, bytes),
    () => told.folder(folder, to.name),
    () => tree.rename(nobody, from(), to, "replace"),
    () => tree.rename(nobody, from(), to, "replace"),
    () => tree.unlink(nobody, from()),
    () => tree.rmdir(nobody, from()),
    () => tree.setattr(nobody, one.ino, { mode: 0o600 + random.below(64) }),
    () => told.govern(folder, pick(names)),
  ];
  try {
    await (one.name === "" ? acts[random.below(3)] : pick(acts))?.();
  } catch (error) {
    if (!isFault(error)) throw error;
  }
}

/** Nothing that was told or is new is missing, nothing is there twice, and nothing comes back. */
function compare(
  t: Test, shown: Shown,
  known: { readonly now: Shown; readonly before: Shown; readonly held: readonly HeldPlace[] },
): void {
  const { now, before, held } = known;
  const isHeld = (path: string) => held.some((one) => `${path}/`.startsWith(`${one.path}/`));
  const inos = (some: Shown) => new Map([...some.values()].map((one) => [one.attributes.ino, one]));
  const [here, was, is] = [inos(shown), inos(before), inos(now)];
  t.equal(here.size, shown.size, `nothing is there twice; ${replay}`);
  const wrong: string[] = [];
  for (const [path, { attributes, content }] of now) {
    const found = shown.get(path);
    const isSame = found?.attributes.ino === attributes.ino && found.content === content;
    if (!isHeld(path) && !isSame) wrong.push(`${path} is not as it is now`);
    const { ino } = attributes;
    if (was.has(ino) && !here.has(ino)) wrong.push(`${path} was told and is gone`);
  }
  for (const [path, { attributes: { ino }, content }] of shown) {
    const contents = [was.get(ino)?.content, is.get(ino)?.content];
    if (!contents.includes(content)) wrong.push(`${path} was never so`);
    if (!isHeld(path) && !now.has(path)) wrong.push(`${path} is gone, and is there`);
  }
  t.strictSame(wrong, [], replay);
}

for (const device of [0, 5]) {
  test(`whatever programs do, what device ${device} tells is whole, and loses nothing`, async (t) => {
    const told = await Told.open(`random ${device}`, device);
    let [before, tangled]: [Shown, number] = [new Map(), 0];
    for (let round = 0; round < rounds; round++) {
      if (told.random.below(4) === 0) told.waiting.clear();
      else told.waiting.add(1 + told.random.below(2));
      for (let turn = told.random.below(25); turn >= 0; turn--) await disturb(told);
      while (told.tree.resealing() !== undefined && told.random.below(4) > 0) {
        await told.tree.resealer.step(signal);
      }
      if (told.waiting.size === 0) {
        await told.tellAll();
        before = await walkTree(told.tree);
        continue;
      }
      const made = await told.tell();
      if (made === undefined) tangled++;
      if (made === undefined) continue;
      const shown = await told.recovered(t, made.root);
      compare(t, shown, { now: await walkTree(told.tree), before, held: made.held });
      before = shown;
    }
    t.ok(tangled <= rounds / 3, `${tangled} of ${rounds} could not be told; ${replay}`);
  });
}
