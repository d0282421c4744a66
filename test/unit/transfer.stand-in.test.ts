/** Heads of roots that stand in for the newest: real vaults, a real local store, a real tree. */
import { type Test, test } from "tap";
import type { RoundOptions, UploadSource } from "../../src/base/blocks.ts";
import { isFault } from "../../src/base/errors.ts";
import type { Place } from "../../src/base/filesystem.ts";
import { type Ino, rootIno } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import type { StandInMaker } from "../../src/base/stand-in.ts";
import { Government } from "../../src/bridge/government.ts";
import { openCoder } from "../../src/erasure/erasure.ts";
import { policiesOf } from "../../src/placement/telling/describe.ts";
import { type Transfer, openTransfer } from "../../src/transfer/transfer.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { fileIn, folderIn, place } from "../support/making.ts";
import { type PolicyWorld, makePolicyWorld, moveTo } from "../support/policy-world.ts";
import { type TemporaryCache, temporaryCache } from "../support/temporary-cache.ts";
import { Crash, MemoryBooks, ShiftedClock, openWorld } from "../support/transfer-world.ts";
import { nobody, walkTree } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/transfer.stand-in.test.ts`;
const countries = ["DE", "FR", "IT", "US", "US", "US", "JP"];
const texts = {
  drive: undefined, problem: null,
  named: { far: "policy far { protect class mirror; require country in BR; }" },
};
const { signal } = new AbortController();

/** Time that a round waits goes by when a test says so. */
class PatientClock extends ShiftedClock {
  waitedMs = 0;
  override readonly monotonicMs = (): number => performance.now() + this.waitedMs;
}

/** A drive's machine: its store, its tree, its way to the peers. */
class Machine implements AsyncDisposable {
  readonly world: PolicyWorld;
  readonly books = new MemoryBooks();
  readonly clock = new PatientClock();
  cache!: TemporaryCache;
  tree!: Tree;
  transfer!: Transfer;

  constructor(world: PolicyWorld) {
    this.world = world;
  }

  static async open(world: PolicyWorld): Promise<Machine> {
    const machine = new Machine(world);
    machine.cache = await temporaryCache({
      clock: machine.clock,
      fetcher: { fetch: (cid, options) => machine.transfer.fetch(cid, options) },
    });
    await machine.start();
    return machine;
  }

  /** Also after a power cut: what was committed is in the store, and books are as they were. */
  async start(): Promise<void> {
    const { world, books, clock, cache: { store } } = this;
    const government = new Government(texts);
    const source: UploadSource = {
      beginRound: (how?: RoundOptions) => government.round(() => store.beginRound(how), how),
      read: (cid, into) => store.read(cid, into),
      placed: (cids) => store.placed(cids),
      endRound: (root) => store.endRound(root),
      lost: (cids) => store.lost(cids),
    };
    const random = seededRandom(`${seed} ${books.pairs.size}`);
    const standIns: StandInMaker = { standIn: (asked) => this.tree.standIn(asked) };
    const census = { census: (blocks: number) => this.tree.census(blocks) };
    const needs = { store, books, clock, random, census, log: silentLog };
    const { network, keys } = world;
    this.transfer = await openTransfer(
      { ...needs, network, keys, coder: openCoder(), source, standIns }, { settleMs: 0 },
    );
    const policies = (name: string) => government.textOf(name);
    this.tree = await openTree({ ...needs, policies }, { treeSecret: keys.treeSecret });
    const node = { govern: async (all: typeof texts) => this.transfer.govern(policiesOf(all)) };
    await government.begin(this.tree, node as Parameters<Government["begin"]>[1]);
  }

  /** Every step, until one has nothing to do though some time went by. */
  async rest(): Promise<void> {
    await this.tree.commit();
    for (let idle = 0; idle < 3; ) {
      idle = await this.transfer.uploader.step(signal) === "idle" ? idle + 1 : 0;
      if (idle > 0) this.clock.waitedMs += 70_000;
    }
  }

  async write(parent: Ino, name: string, fill: number): Promise<void> {
    await fileIn(this.tree, parent, name, Buffer.alloc(300_000, fill));
  }

  async folder(name: string, policy?: string): Promise<Ino> {
    const ino = await folderIn(this.tree, rootIno, name);
    if (policy !== undefined) await this.govern(ino, policy);
    return ino;
  }

  async govern(ino: Ino, policy: string): Promise<void> {
    await this.tree.setxattr(nobody, ino, "user.hive.policy", Buffer.from(policy), "any");
  }

  async shown(): Promise<ReadonlyMap<string, string>> {
    return new Map([...await walkTree(this.tree)].map(([path, { content }]) => [path, content]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cache[Symbol.asyncDispose]();
  }
}

/** What a machine finds that has nothing but the drive's keys. */
async function recovered(t: Test, world: PolicyWorld) {
  await using other = new Machine(world) as Machine & AsyncDisposable;
  other.cache = await temporaryCache({
    fetcher: { fetch: (cid, options) => other.transfer.fetch(cid, options) },
  });
  other.transfer = await openWorld({ ...world, books: other.books }, { clock: other.clock });
  const found = await other.transfer.recover();
  if (found === undefined) return t.fail(`no head; ${replay}`) as never;
  await other.cache.store.commit(found.root, 0);
  await other.cache.store.endRound(found.root);
  await other.start();
  return { found, shown: await other.shown() };
}

test("a folder that no peer may keep holds back itself alone, until one may", async (t) => {
  await using world = await makePolicyWorld(countries, seed);
  await using machine = await Machine.open(world);
  const [open, shut] = [await machine.folder("open"), await machine.folder("shut")];
  await machine.write(open, "a", 1);
  await machine.write(shut, "old", 2);
  await machine.rest();
  t.equal((await recovered(t, world)).found.standIn, undefined);
  await machine.govern(shut, "far");
  const never = await machine.folder("never", "far");
  await machine.write(open, "b", 3);
  await machine.write(shut, "new", 4);
  await machine.write(never, "x", 5);
  await machine.rest();

  const held = [{ path: "/never", isOlder: false }, { path: "/shut", isOlder: true }];
  const status = machine.transfer.status();
  t.strictSame([...status.heldBack?.held ?? []].sort((a, b) => (a.path < b.path ? -1 : 1)), held);
  t.match(status.lanes, [{ name: "far", waiting: { for: "peers" } }]);
  const { found, shown } = await recovered(t, world);
  t.equal(found.standIn?.held.length, 2, "and whoever recovers is told the same");
  const now = await machine.shown();
  const paths = ["/", "/never", "/open", "/open/a", "/open/b", "/shut", "/shut/old"];
  t.strictSame([...shown.keys()], paths);
  for (const path of ["/open/a", "/open/b", "/shut/old"]) t.equal(shown.get(path), now.get(path));

  const peers = [...world.network.members.keys()];
  for (const peer of peers.slice(0, 3)) moveTo(world, peer, "BR");
  await machine.rest();
  t.equal(machine.transfer.status().heldBack, undefined);
  const all = await recovered(t, world);
  t.equal(all.found.standIn, undefined);
  t.strictSame(all.shown, now, replay);
});

test("pages that were made for one such head stay where the next one has them too", async (t) => {
  await using world = await makePolicyWorld(countries, seed);
  await using machine = await Machine.open(world);
  const above = await machine.folder("above");
  const shut = await folderIn(machine.tree, above, "shut");
  await machine.write(above, "one", 1);
  await machine.rest();
  await machine.govern(shut, "far");
  await machine.write(shut, "x", 2);
  await machine.write(above, "two", 3);
  await machine.rest();
  await machine.govern(above, "far");
  await machine.write(above, "three", 4);
  await machine.rest();
  t.match(machine.transfer.status().heldBack?.held, [{ path: "/above", isOlder: true }]);
  // Holders drop what the last heads do without.
  for (let turn = 0; turn < 4; turn++) {
    await machine.write(rootIno, `beside ${turn}`, 5 + turn);
    await machine.rest();
    await machine.transfer.health.dropSurplus(signal);
  }
  const { shown } = await recovered(t, world);
  const besides = [0, 1, 2, 3].map((turn) => `/beside ${turn}`);
  const paths = ["/", "/above", "/above/one", "/above/shut", "/above/two", ...besides];
  t.strictSame([...shown.keys()], paths, replay);
});

/** Programs and people at random, while peers that a policy needs come and go. */
async function disturb(machine: Machine, random: Random): Promise<void> {
  const { tree, transfer, world } = machine;
  const all = [...await walkTree(tree)].map(([path, { attributes }]) => ({ path, ...attributes }));
  const pick = <T>(some: readonly T[]): T => some[random.below(some.length)] as T;
  const folders = all.filter(({ mode }) => (mode & 0o170000) === 0o040000);
  const inoOf = (path: string): Ino => all.find((one) => one.path === path)?.ino ?? rootIno;
  const one = pick(all);
  const from = (): Place => {
    const cut = one.path.lastIndexOf("/");
    return place(inoOf(one.path.slice(0, cut) || "/"), one.path.slice(cut + 1));
  };
  const to = place(pick(folders).ino, `n${random.below(20)}`);
  const peers = [...world.network.members.keys()];
  const acts: readonly (() => unknown)[] = [
    () => fileIn(tree, to.parent, to.name, random.bytes(1 + random.below(60_000))),
    () => fileIn(tree, to.parent, to.name, random.bytes(1 + random.below(400_000))),
    () => folderIn(tree, to.parent, to.name),
    () => tree.rename(nobody, from(), to, "replace"),
    () => tree.unlink(nobody, from()),
    () => tree.rmdir(nobody, from()),
    () => machine.govern(pick(folders).ino, "far"),
    () => tree.removexattr(nobody, pick(folders).ino, "user.hive.policy"),
    () => tree.resealer.step(signal),
    () => peers.slice(0, 3).forEach((peer) => moveTo(world, peer, "BR")),
    () => peers.slice(0, 3).forEach((peer) => moveTo(world, peer, "DE")),
    () => machine.rest(),
    () => machine.rest(),
    () => transfer.health.dropSurplus(signal),
    () => transfer.reclaim(1_000),
    () => machine.start(),
  ];
  try {
    await pick(acts)();
  } catch (error) {
    if (!isFault(error)) throw error;
  }
}

for (let trial = 0; trial < Number(process.env["HIVE_TRIALS"] ?? 0); trial++) {
  test(`whatever is told in life ${trial} is with holders`, { timeout: 200_000 }, async (t) => {
    const life = `${seed}.${trial}`;
    const random = seededRandom(`stand-in life ${life}`);
    await using world = await makePolicyWorld(countries, life);
    await using machine = await Machine.open(world);
    await machine.write(rootIno, "first", 1);
    await machine.rest();
    for (let step = 0; step < 60; step++) {
      await disturb(machine, random);
      if (random.below(8) === 0) t.ok((await recovered(t, world)).shown.size > 0, `${life}, ${step}`);
    }
    await machine.rest();
    t.ok((await recovered(t, world)).shown.size > 0, life);
  });
}

test("a power cut at any write on the way leaves a head that was whole", async (t) => {
  for (let at = 0; ; at++) {
    await using world = await makePolicyWorld(countries.slice(0, 4), seed);
    await using machine = await Machine.open(world);
    const open = await machine.folder("open");
    await machine.write(open, "a", 1);
    await machine.rest();
    const shut = await machine.folder("shut", "far");
    await machine.write(open, "b", 3);
    await machine.write(shut, "x", 5);
    await machine.tree.commit();
    machine.books.crashAfter = at * 3;
    const crash = await machine.rest().catch((error: unknown) => error);
    const isCut = crash instanceof Crash;
    machine.books.crashAfter = Infinity;
    if (crash !== undefined && !isCut) throw crash;
    const paths = [...(await recovered(t, world)).shown.keys()];
    const expected = [["/", "/open", "/open/a"], ["/", "/open", "/open/a", "/open/b", "/shut"]];
    t.ok(expected.some((one) => one.join() === paths.join()), `${paths} after ${at}; ${replay}`);
    await machine.start();
    await machine.rest();
    t.strictSame([...(await recovered(t, world)).shown.keys()], expected[1], replay);
    if (!isCut) break;
  }
});
