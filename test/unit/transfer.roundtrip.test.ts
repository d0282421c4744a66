/** Blocks to the peers and back: every class, every loss it promises to survive, and recovery. */
import { test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import { type PeerId, cidOf } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { shuffled } from "../../src/base/random.ts";
import { erasureClasses } from "../../src/base/records.ts";
import type { PeerKeys } from "../../src/crypt/ciphers/peer-key.ts";
import { defaultPolicy } from "../../src/placement/language/policy.ts";
import { decodeRuns } from "../../src/transfer/catalog/catalog-page.ts";
import { sequences } from "../../src/transfer/heads/publish.ts";
import { HonestHost } from "../support/honest-host.ts";
import type { LoopbackPeer } from "../support/loopback-network.ts";
import { MemoryBooks, makeBlocks, makeWorld, missing } from "../support/transfer-world.ts";
import { hurriedClock, openWorld } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/transfer.roundtrip.test.ts`;

for (const { name, k, n } of erasureClasses) {
  test(`${name}: with n - k holders dead every block comes back byte for byte`, async (t) => {
    const world = makeWorld(n, `${seed}/${name}`);
    const transfer = await openWorld(world, { policy: { ...defaultPolicy, class: name } });
    const blocks = makeBlocks(world.random, { count: 12 + k, bytesMax: 150_000 });
    world.source.commit("root", blocks);
    await transfer.flush(20_000);
    t.equal(world.source.dirty.size, 0);
    t.equal(transfer.status().class, name);
    t.equal(transfer.status().survives, n - k);
    t.strictSame(await missing(transfer, blocks), [], replay);

    const members = shuffled([...world.network.members.values()], world.random);
    for (const member of members.slice(0, n - k)) member.mood = { is: "dead" };
    t.strictSame(await missing(transfer, blocks), [], replay);
    const last = members.at(-1);
    if (last !== undefined) last.mood = { is: "dead" };
    // Another device, since this one may have read ahead.
    const other = await openWorld(world, { clock: hurriedClock });
    const lost = await other.fetch(cidOf(blocks[0] ?? Buffer.alloc(0)), {}).catch((e) => e);
    t.ok(isFault(lost, "Unavailable"), "one more, and the answer says so");
  });
}

test("a machine with the keys and one peer gets everything back", async (t) => {
  const world = makeWorld(6, seed);
  const transfer = await openWorld(world);
  const blocks = makeBlocks(world.random, { count: 40, bytesMax: limits.dag.blockBytesMax - 64 });
  world.source.commit("first", blocks.slice(0, 10));
  await transfer.flush(20_000);
  world.source.commit("second", blocks.slice(10));
  await transfer.flush(20_000);
  world.network.dhtWorks = false;
  const books = new MemoryBooks();
  const fresh = await openWorld({ ...world, books });
  t.equal(Buffer.from((await fresh.recover())?.root ?? []).toString(), "second");
  t.strictSame(await missing(fresh, blocks), [], replay);
  const { total, healthy } = transfer.status().segments;
  t.strictSame([fresh.status().segments.total, fresh.status().segments.healthy], [total, healthy]);
});

test("the one peer at hand slept through the last head: the members it names tell it", async (t) => {
  const world = makeWorld(6, seed);
  const transfer = await openWorld(world);
  const blocks = makeBlocks(world.random, { count: 4, bytesMax: 1000 });
  world.source.commit("first", blocks.slice(0, 2));
  await transfer.flush(20_000);
  const [manifest] = transfer.holders().keys();
  const sleeper = world.network.members.get(manifest as PeerId) as LoopbackPeer;
  sleeper.mood = { is: "dead" };
  world.source.commit("second", blocks.slice(2));
  await transfer.flush(20_000);
  sleeper.mood = { is: "honest" };
  world.network.dhtWorks = false;
  for (const member of world.network.members.values()) member.isUnheard = member !== sleeper;
  const fresh = await openWorld({ ...world, books: new MemoryBooks() });
  const recovered = await fresh.recover();
  t.equal(Buffer.from(recovered?.root ?? []).toString(), "second", replay);
  t.ok((recovered?.sequence ?? 0) >= 2);
  t.strictSame(await missing(fresh, blocks), [], replay);
});

test("many small blocks go through catalog runs, and recovery reads them", async (t) => {
  const world = makeWorld(3, seed);
  const transfer = await openWorld(world);
  const all: Uint8Array[] = [];
  for (let round = 0; round < 6; round++) {
    const blocks = makeBlocks(world.random, { count: 300, bytesMax: 400 });
    all.push(...blocks);
    world.source.commit(`root ${round}`, blocks);
    await transfer.flush(20_000);
  }
  const fresh = await openWorld({ ...world, books: new MemoryBooks() });
  t.equal(Buffer.from((await fresh.recover())?.root ?? []).toString(), "root 5");
  t.strictSame(await missing(fresh, all), [], replay);
  world.source.commit("after", makeBlocks(world.random, { count: 300, bytesMax: 400 }));
  await fresh.flush(20_000);
  t.equal(world.source.published, world.source.newest, "and a recovered machine goes on");
});

test("pages of the catalog that nobody has any more do not cost the drive", async (t) => {
  const world = makeWorld(3, seed);
  const transfer = await openWorld(world);
  const all: Uint8Array[] = [];
  for (let round = 0; round < 3; round++) {
    const blocks = makeBlocks(world.random, { count: 300, bytesMax: 400 });
    all.push(...blocks);
    world.source.commit(`root ${round}`, blocks);
    await transfer.flush(20_000);
  }
  const runs = decodeRuns(world.books.pairs.get("x/runs") ?? Buffer.alloc(0));
  t.ok(runs.length > 0);
  for (const { place } of runs) {
    const { roots } = await transfer.health.record(place.segment, new AbortController().signal);
    for (const { host } of world.network.members.values()) {
      for (const root of roots) (host as HonestHost).shards.delete(root);
    }
  }
  const fresh = await openWorld({ ...world, books: new MemoryBooks() }, { clock: hurriedClock });
  t.equal(Buffer.from((await fresh.recover())?.root ?? []).toString(), "root 2");
  t.strictSame(await missing(fresh, all), [], "every segment says what lies in it");
  world.source.commit("after", makeBlocks(world.random, { count: 10, bytesMax: 400 }));
  await fresh.flush(20_000);
  const other = await openWorld({ ...world, books: new MemoryBooks() }, { clock: hurriedClock });
  t.equal(Buffer.from((await other.recover())?.root ?? []).toString(), "after");
  t.strictSame(await missing(other, all), [], "and the catalog is whole again");
});

test("numbers of heads never go back, though few have the last one", async (t) => {
  const world = makeWorld(3, seed);
  const transfer = await openWorld(world, { clock: hurriedClock });
  world.source.commit("first", makeBlocks(world.random, { count: 3, bytesMax: 400 }));
  await transfer.flush(20_000);
  const members = [...world.network.members.values()];
  world.source.commit("second", []);
  for (const member of members) member.mood = { is: "dead" };
  await transfer.flush(300).catch(() => undefined);
  const { last, published } = await sequences(world.books);
  t.ok(last > published);
  for (const member of members) member.mood = { is: "honest" };
  // The local store was deleted, and these books were not.
  t.equal(Buffer.from((await transfer.recover())?.root ?? []).toString(), "first");
  t.equal((await sequences(world.books)).last, last);
});

test("nobody knows the drive: recovery says so", async (t) => {
  const world = makeWorld(3, seed);
  t.equal(await (await openWorld(world)).recover(), undefined);
});

test("too few households: nothing is lost and the status says what is needed", async (t) => {
  const world = makeWorld(2, seed);
  const transfer = await openWorld(world);
  const blocks = makeBlocks(world.random, { count: 3, bytesMax: 1000 });
  world.source.commit("root", blocks);
  const late = await transfer.flush(200).catch((error: unknown) => error);
  t.ok(isFault(late, "TimedOut"));
  t.match(transfer.status().waiting, { for: "peers", needed: 3, have: 2 });
  t.equal(world.source.dirty.size, 3);
  world.network.add("third", hostOf);
  await transfer.flush(5_000);
  t.equal(world.source.dirty.size, 0);
});

test("more peers arrive: new segments move up a class, old ones stay readable", async (t) => {
  const world = makeWorld(3, seed);
  const transfer = await openWorld(world);
  const first = makeBlocks(world.random, { count: 5, bytesMax: 1000 });
  world.source.commit("one", first);
  await transfer.flush(5_000);
  t.equal(transfer.status().class, "mirror");
  for (let more = 0; more < 5; more++) world.network.add(`more ${more}`, hostOf);
  const second = makeBlocks(world.random, { count: 5, bytesMax: 1000 });
  world.source.commit("two", second);
  await transfer.flush(5_000);
  t.equal(transfer.status().class, "tiny");
  t.strictSame(await missing(transfer, [...first, ...second]), []);
});

test("while peers are still arriving no group of a small class is drawn", async (t) => {
  const world = makeWorld(3, seed);
  const transfer = await openWorld(world, { settleMs: 300 });
  const blocks = makeBlocks(world.random, { count: 5, bytesMax: 1000 });
  world.source.commit("one", blocks);
  const { signal } = new AbortController();
  t.equal(await transfer.uploader.step(signal), "idle");
  for (let more = 0; more < 3; more++) world.network.add(`more ${more}`, hostOf);
  await transfer.flush(5_000);
  t.equal(transfer.status().class, "tiny");
  t.equal(transfer.status().groups, 1);

  const members = [...world.network.members.values()];
  for (const member of members.slice(0, 3)) member.mood = { is: "dead" };
  world.source.commit("two", makeBlocks(world.random, { count: 5, bytesMax: 1000 }));
  const late = await transfer.flush(1_000).catch((error: unknown) => error);
  t.ok(isFault(late, "TimedOut"), "half the peers away for a second is no reason for a mirror");
  for (const member of members) member.mood = { is: "honest" };
  await transfer.flush(5_000);
  t.strictSame([transfer.status().groups, transfer.status().class], [1, "tiny"]);
});

test("a class that the policy names is never relaxed", async (t) => {
  const world = makeWorld(6, seed);
  const transfer = await openWorld(world, { policy: { ...defaultPolicy, class: "small" } });
  world.source.commit("one", makeBlocks(world.random, { count: 2, bytesMax: 1000 }));
  const late = await transfer.flush(200).catch((error: unknown) => error);
  t.ok(isFault(late, "TimedOut"));
  t.match(transfer.status().waiting, { for: "peers", needed: 12, have: 6 });
});

function hostOf(keys: PeerKeys): HonestHost {
  return new HonestHost(keys);
}
