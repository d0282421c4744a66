/** What lies below a pinned folder, now and later, is all here and stays: over a real store. */
import { createHash } from "node:crypto";
import { type Test, test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { MiB } from "../../src/base/bytes.ts";
import { HiveError, isFault } from "../../src/base/errors.ts";
import { type Cid, type Ino, rootIno } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Cache } from "../../src/cache/cache.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { faultOf } from "../support/faults.ts";
import { fileIn, folderIn, place } from "../support/making.ts";
import { type TemporaryCache, temporaryCache } from "../support/temporary-cache.ts";
import { nobody, readFile, walkTree } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`pins ${seed}`);
const treeSecret = Buffer.alloc(32, 7);
const attribute = "user.hive.pinned";
const signal = new AbortController().signal;

/** Peers keep all that was placed with them, and count what is asked for; or are gone. */
class Peers {
  readonly blocks = new Map<Cid, Uint8Array>();
  asked = 0;
  areGone = false;

  fetch = async (cid: Cid): Promise<Uint8Array> => {
    const bytes = this.areGone ? undefined : this.blocks.get(cid);
    if (bytes === undefined) throw new HiveError("Unavailable", "test.peers", cid);
    this.asked++;
    return bytes;
  };
}

class World implements AsyncDisposable {
  readonly peers = new Peers();
  readonly #cache: TemporaryCache;
  #mayKeep = true;
  tree: Tree;

  constructor(cache: TemporaryCache, tree: Tree) {
    this.#cache = cache;
    this.tree = tree;
  }

  static async open(limitBytes = 64 * MiB): Promise<World> {
    const peers = new Peers();
    const cache = await temporaryCache({ limitBytes, fetcher: peers });
    const world = new World(cache, await openOn(cache.store, async () => true));
    cache.store.setFetcher(world.peers);
    return world;
  }

  get store(): Cache {
    return this.#cache.store;
  }

  async mkdir(parent: Ino, name: string): Promise<Ino> {
    return await folderIn(this.tree, parent, name);
  }

  async write(parent: Ino, name: string, lengthBytes: number): Promise<Ino> {
    return await fileIn(this.tree, parent, name, bulk(lengthBytes));
  }

  async pin(ino: Ino, value = "1"): Promise<void> {
    await this.tree.setxattr(nobody, ino, attribute, Buffer.from(value), "any");
  }

  /** All is with peers, and nothing here is dirty. */
  async upload(): Promise<void> {
    await this.tree.commit();
    const round = await this.store.beginRound();
    for (const { cid } of round?.blocks ?? []) this.peers.blocks.set(cid, await this.store.read(cid));
    await this.store.placed((round?.blocks ?? []).map(({ cid }) => cid));
  }

  /** Until it comes to rest, and again after the rest that a walk takes; not until a retry. */
  async settle(): Promise<void> {
    for (const restMs of [limits.pins.retryMs / 2, 0]) {
      for (let turns = 0; (await this.tree.pins?.step().step(signal)) === "busy"; turns++) {
        if (turns > 10_000) throw new Error(`it never ends; seed ${seed}`);
      }
      skippedMs += restMs;
    }
  }

  async reopen(): Promise<void> {
    await this.tree.close();
    const store = await this.#cache.reopen();
    store.setFetcher(this.peers);
    this.tree = await openOn(store, async () => this.#mayKeep);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cache[Symbol.asyncDispose]();
  }
}

let skippedMs = 0;
const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + skippedMs };

async function openOn(store: Cache, mayKeep: () => Promise<boolean>): Promise<Tree> {
  const pins = { store: store.pins, mayKeep };
  const needs = { store, clock, random, log: silentLog, pins };
  return await openTree(needs, { treeSecret });
}

function bulk(outputLength: number): Buffer {
  return createHash("shake256", { outputLength }).update(random.bytes(16)).digest();
}


async function valueOf(tree: Tree, ino: Ino): Promise<string | undefined> {
  try {
    return Buffer.from(await tree.getxattr(ino, attribute)).toString();
  } catch (error) {
    if (isFault(error, "NoData")) return undefined;
    throw error;
  }
}

/** How many blocks of a file are here. */
async function hereOf(world: World, ino: Ino): Promise<{ here: number; of: number }> {
  const found = { here: 0, of: 0 };
  for await (const cid of world.tree.cidsOf(ino)) {
    found.of++;
    if (world.store.has(cid)) found.here++;
  }
  return found;
}

async function isAllHere(t: Test, world: World, ino: Ino, what: string): Promise<void> {
  const { here, of } = await hereOf(world, ino);
  t.equal(here, of, `${what}: ${here} of ${of}`);
}

test("the attribute: set, told below, listed where it was set, left out, taken away", async (t) => {
  await using world = await World.open();
  const { tree } = world;
  const folder = await world.mkdir(rootIno, "folder");
  const below = await world.mkdir(folder, "below");
  const file = await world.write(below, "file", 10);
  t.equal(await valueOf(tree, folder), undefined);
  await world.pin(folder);
  t.strictSame(await tree.listxattr(folder), [attribute]);
  t.strictSame(await tree.listxattr(file), [], "it is not the file's own");
  t.equal(await valueOf(tree, file), "1");
  await world.pin(below, "0");
  t.equal(await valueOf(tree, file), "0");
  await world.pin(file);
  t.equal(await valueOf(tree, file), "1", "the nearest one holds");
  const faults = [
    () => tree.setxattr(nobody, file, attribute, Buffer.from("yes"), "any"),
    () => tree.setxattr(nobody, file, attribute, Buffer.from("1"), "create"),
    () => tree.setxattr(nobody, rootIno, attribute, Buffer.from("1"), "replace"),
    () => tree.removexattr(nobody, rootIno, attribute),
  ];
  const kinds: string[] = [];
  for (const fault of faults) kinds.push(await faultOf(async () => fault()));
  t.strictSame(kinds, ["Invalid", "Exists", "NoData", "NoData"]);
  await tree.removexattr(nobody, file, attribute);
  t.equal(await valueOf(tree, file), "0");
  await tree.pins?.set(["folder", "below"], true);
  t.equal(await valueOf(tree, file), "1");
  await tree.pins?.set(["folder", "below"], false);
  t.equal(await valueOf(tree, file), "0", "the folder above is kept, so it is left out");
  await tree.pins?.set(["folder"], false);
  t.equal(await valueOf(tree, folder), undefined);
  t.equal(await faultOf(async () => tree.pins?.set(["folder"], false)), "NotFound");
});

test("what is pinned comes back, is read without peers, and the rest is dropped", async (t) => {
  await using world = await World.open();
  const { tree, peers } = world;
  const deep = await world.mkdir(await world.mkdir(rootIno, "a"), "b");
  const large = await world.write(deep, "large", 3 * MiB);
  for (let file = 0; file < 300; file++) await world.write(deep, `small ${file}`, 1500);
  const other = await world.write(rootIno, "other", MiB);
  const alias = await world.write(rootIno, "alias", MiB);
  await tree.link(nobody, alias, place(deep, "linked"));
  await tree.setxattr(nobody, large, "user.big", Buffer.alloc(3000, 7), "any");
  await world.upload();
  const before = await walkTree(tree);
  await world.store.dropClean();
  t.equal((await hereOf(world, large)).here, 0);
  await world.pin(deep);
  await world.settle();
  await isAllHere(t, world, large, "the large one");
  await isAllHere(t, world, alias, "a file that has a name there, too");
  t.equal((await hereOf(world, other)).here, 0);
  const status = tree.pins?.status();
  t.match(status, { files: 302, missingBytes: 0, isSettled: true, waitingFor: null });
  t.equal(status?.hereBytes, 4 * MiB + (await tree.getxattr(large, "user.big")).length + 12);

  peers.areGone = true;
  await world.reopen();
  t.ok((world.tree.pins?.rows().length ?? 0) === 1);
  await world.store.dropClean();
  await world.settle();
  await world.store.dropClean();
  t.equal(world.tree.pins?.status()?.isSettled, true, "found without anybody");
  const again = await world.tree.walk(["a", "b"]);
  for (const [path, seen] of before) {
    if (!path.startsWith("/a/b/")) continue;
    const { ino } = await world.tree.lookup(place(again, path.slice(5)));
    t.equal((await world.tree.getattr(ino)).sizeBytes, seen.attributes.sizeBytes);
    await readFile(world.tree, ino);
  }
  const { ino } = await world.tree.lookup(place(rootIno, "other"));
  t.equal(ino, other);
  t.equal((await hereOf(world, other)).here, 0);
  t.equal(await faultOf(() => readFile(world.tree, other)), "Unavailable");
});

test("what is written, copied or moved in is pinned; what is moved out or left out is not", async (t) => {
  await using world = await World.open();
  const { tree } = world;
  const folder = await world.mkdir(rootIno, "folder");
  const left = await world.mkdir(folder, "left");
  await world.pin(folder);
  await world.pin(left, "0");
  await world.settle();
  const outside = await world.write(rootIno, "outside", MiB);
  await world.upload();
  await world.store.dropClean();
  t.equal((await hereOf(world, outside)).here, (await hereOf(world, outside)).of, "not judged yet");
  // Any change of a pin has it look again at once.
  const look = async (): Promise<void> => {
    await world.pin(left, "0");
    await world.settle();
    await world.store.dropClean();
  };
  await look();
  t.equal((await hereOf(world, outside)).here, 0);
  const fresh = await world.write(folder, "fresh", MiB);
  const apart = await world.write(left, "apart", MiB);
  await world.upload();
  await look();
  await isAllHere(t, world, fresh, "written");
  t.equal((await hereOf(world, apart)).here, 0, "left out");
  await tree.rename(nobody, place(rootIno, "outside"), place(folder, "inside"), "replace");
  await tree.rename(nobody, place(folder, "fresh"), place(rootIno, "gone"), "replace");
  await world.upload();
  await look();
  await isAllHere(t, world, outside, "moved in, and fetched");
  t.equal((await hereOf(world, fresh)).here, 0, "moved out");
  await tree.rename(nobody, place(rootIno, "folder"), place(rootIno, "renamed"), "replace");
  await world.upload();
  await look();
  t.equal(world.tree.pins?.rows()[0]?.path, "/renamed", "a pin goes with its folder");
  await world.reopen();
  await world.settle();
  t.strictSame(world.tree.pins?.rows().map(({ path }) => path), ["/renamed", "/renamed/left"]);
  t.equal(world.tree.pins?.status()?.isSettled, true);
});

test("a pin whose last move a crash forgot is found again; one without a file ends", async (t) => {
  await using world = await World.open();
  const [a, b] = [await world.mkdir(rootIno, "a"), await world.mkdir(rootIno, "b")];
  const moving = await world.mkdir(a, "moving");
  const going = await world.write(rootIno, "going", 10);
  await world.pin(moving);
  await world.pin(going);
  await world.settle();
  // The list says where it was: as if nobody had come to save it since.
  await world.tree.rename(nobody, place(a, "moving"), place(b, "moved"), "replace");
  await world.tree.unlink(nobody, place(rootIno, "going"));
  await world.reopen();
  await world.settle();
  t.strictSame(world.tree.pins?.rows().map(({ path }) => path), ["/b/moved"]);
  const ino = await world.tree.walk(["b", "moved"]);
  t.equal(await valueOf(world.tree, ino), "1");
});

test("more than pins may take: what fits is kept, the rest is told, and nothing is lost", async (t) => {
  await using world = await World.open(8 * MiB);
  const { tree, peers } = world;
  const folder = await world.mkdir(rootIno, "folder");
  const inos: Ino[] = [];
  for (let file = 0; file < 5; file++) {
    inos.push(await world.write(folder, `file ${file}`, 2 * MiB));
    await world.upload();
    await world.store.step.step(signal);
  }
  await world.store.dropClean();
  await world.pin(folder);
  await world.settle();
  const status = tree.pins?.status();
  t.match(status, { isSettled: false, waitingFor: "room", pinnedBytesMax: 6 * MiB });
  t.equal(status?.overBytes, 10 * MiB - 6 * MiB);
  t.equal((await tree.pins?.settled(() => undefined))?.waitingFor, "room");
  for (const ino of inos) await readFile(tree, ino);
  t.ok(world.store.usage().usedBytes <= 8 * MiB, `${world.store.usage().usedBytes}`);
  await tree.pins?.set(["folder"], false);
  await tree.pins?.set(["folder", "file 1"], true);
  await world.settle();
  await world.store.dropClean();
  await isAllHere(t, world, inos[1] as Ino, "what fits");
  peers.areGone = true;
  await readFile(tree, inos[1] as Ino);
  t.equal(tree.pins?.status()?.overBytes, 0);
});

test("peers that are away are waited for; whoever waits hears of it, and of all that comes", async (t) => {
  await using world = await World.open();
  const { tree, peers } = world;
  const file = await world.write(rootIno, "file", 9 * MiB);
  await world.upload();
  await world.store.dropClean();
  peers.areGone = true;
  await world.pin(file);
  const waiting = tree.pins?.settled(() => undefined);
  await world.settle();
  t.match(await waiting, { isSettled: false, waitingFor: "peers" });
  peers.areGone = false;
  await tree.removexattr(nobody, file, attribute);
  await world.pin(file);
  t.equal(limits.pins.retryMs > 1000, true);
  t.match(tree.pins?.status(), { waitingFor: null }, "a new wish is looked at anew");
});
