/** Who is to blame: an honest member keeps its name and its seat, whatever happens around it. */
import { test } from "tap";
import { type Agent, openAgent } from "../../src/agent/agent.ts";
import { HiveError } from "../../src/base/errors.ts";
import { type PeerId, cidOf } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { type Policy, defaultPolicy } from "../../src/placement/language/policy.ts";
import type { Transfer } from "../../src/transfer/transfer.ts";
import { oneTurn } from "../support/agent-turns.ts";
import { faultOf } from "../support/faults.ts";
import { HonestHost } from "../support/honest-host.ts";
import { MemoryBooks, ShiftedClock, type World, makeBlocks } from "../support/transfer-world.ts";
import { Crash, MemorySource, makeVaultWorld, makeWorld } from "../support/transfer-world.ts";
import { missing, openWorld } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/transfer.blame.test.ts`;
const { signal } = new AbortController();

test("a seat that changes while shards are sent makes no liars", async (t) => {
  await using world = await makeVaultWorld(8, seed);
  const transfer = await openWorld(world);
  world.source.commit("one", makeBlocks(world.random, { count: 4, bytesMax: 9_000 }));
  await transfer.flush(10_000);
  const wrong = wrongs(transfer);
  const [manifest] = transfer.health.groups();
  if (manifest === undefined) return t.fail("a group");
  const store = world.network.store.bind(world.network);
  let replaced: Promise<unknown> | undefined;
  world.network.store = async (...call) => {
    const lost = manifest.peers[0] as PeerId;
    replaced ??= transfer.health.replaceMembers(manifest.group, [lost], new Set([lost]));
    await replaced;
    return store(...call);
  };
  const blocks = makeBlocks(world.random, { count: 4, bytesMax: 9_000 });
  world.source.commit("two", blocks);
  await transfer.flush(10_000);
  t.equal(transfer.health.groups()[0]?.epoch, 2, "one seat changed, and no other");
  t.strictSame(wrong, [], "who knows the newer manifest has not lied");
  t.strictSame(await missing(transfer, blocks), [], replay);
});

test("a member that was away at the upload is not asked for what it never had", async (t) => {
  await using world = await makeVaultWorld(6, seed);
  const transfer = await openWorld(world);
  const [away, ...others] = [...world.network.members.values()];
  if (away === undefined) return t.fail("members");
  away.mood = { is: "dead" };
  const blocks = makeBlocks(world.random, { count: 10, bytesMax: 60_000 });
  // The group is drawn of all six; one is gone when the shards leave.
  const peers = world.network.peers.bind(world.network);
  world.network.peers = () => peers().map((peer) => ({ ...peer, online: true }));
  world.source.commit("root", blocks);
  await transfer.flush(20_000);
  t.equal(transfer.status().segments.degraded, transfer.status().segments.total);
  away.mood = { is: "honest" };
  for (const other of others.slice(0, 3)) other.mood = { is: "dead" };
  const wrong = wrongs(transfer);
  t.strictSame(await missing(transfer, blocks), [], replay);
  t.strictSame(wrong, []);
});

test("after a recovery nobody is a liar for shards that nobody gave it", async (t) => {
  await using world = await makeVaultWorld(9, seed);
  const transfer = await openWorld(world, { policy: tiny });
  const blocks = makeBlocks(world.random, { count: 12, bytesMax: 60_000 });
  for (const root of ["one", "two", "three", "four"]) {
    world.source.commit(root, blocks.splice(0, 3));
    await transfer.flush(20_000);
  }
  const [manifest] = transfer.health.groups();
  if (manifest === undefined) return t.fail("a group");
  // The new member has nothing yet when the owner's machine is lost.
  const lost = manifest.peers[0] as PeerId;
  await transfer.health.replaceMembers(manifest.group, [lost], new Set([lost]));
  const fresh = await openWorld({ ...world, books: new MemoryBooks() }, { policy: tiny });
  t.ok(await fresh.recover());
  const { agent, clock } = await agentOf(world, fresh);
  for (let turn = 0; turn < 3; turn++) await turnOf(agent, clock);
  t.equal(fresh.health.groups()[0]?.epoch, 2, "no seat is given away");
  t.equal(agent.status().drive?.segments.degraded, 0, `and it has its shards now: ${replay}`);
  t.ok(agent.status().peers.every(({ score }) => score.wrong === 0));
});

test("our own line fails in the middle of an upload: no seat changes", async (t) => {
  const world = makeWorld(12, seed);
  const transfer = await openWorld(world, { policy: tiny });
  world.network.callTimeoutMs = 20;
  world.source.commit("one", makeBlocks(world.random, { count: 2, bytesMax: 9_000 }));
  await transfer.flush(10_000);
  const before = transfer.health.groups();
  // For some seconds everybody still counts as online.
  const peers = world.network.peers();
  world.network.peers = () => peers;
  for (const member of world.network.members.values()) member.mood = { is: "silent" };
  const blocks = makeBlocks(world.random, { count: 2, bytesMax: 9_000 });
  world.source.commit("two", blocks);
  for (let turn = 0; turn < 4; turn++) await transfer.uploader.step(signal);
  t.strictSame(transfer.health.groups(), before);
  for (const member of world.network.members.values()) member.mood = { is: "honest" };
  await transfer.flush(10_000);
  t.strictSame(transfer.health.groups(), before);
  t.strictSame(await missing(transfer, blocks), [], replay);
});

test("a step that fails waits for the segments that it sent", async (t) => {
  const world = makeWorld(6, seed);
  const transfer = await openWorld(world);
  world.source.commit("one", makeBlocks(world.random, { count: 1, bytesMax: 900 }));
  await transfer.flush(10_000);
  for (const member of world.network.members.values()) member.mood = { is: "slow", delayMs: 100 };
  const blocks = makeBlocks(world.random, { count: 40, bytesMax: 250_000 });
  world.source.commit("two", blocks);
  const read = world.source.read.bind(world.source);
  let reads = 0;
  world.source.read = async (cid) => {
    if (++reads > 30) throw new HiveError("NotFound", "test", cid);
    return read(cid);
  };
  await transfer.uploader.step(signal);
  t.equal(transfer.status().segments.placing, 0, "none is on its way any more");
  world.source.read = read;
  await transfer.flush(20_000);
  t.strictSame(await missing(transfer, blocks), [], replay);
});

test("a block is placed while its segment is whole, and not merely named", async (t) => {
  const world = makeWorld(6, seed);
  const blocks = makeBlocks(world.random, { count: 3, bytesMax: 9_000 });
  world.source.commit("one", blocks);
  await (await openWorld(world)).flush(10_000);
  for (const key of world.books.pairs.keys()) {
    if (key.startsWith("s/")) world.books.pairs.delete(key);
  }
  for (const { host } of world.network.members.values()) {
    if (host instanceof HonestHost) host.shards.clear();
  }
  world.source.commit("two", blocks);
  const again = await openWorld(world);
  await again.flush(10_000);
  t.strictSame(await missing(again, blocks), [], "the last copy was sent again");
});

test("a segment that was given up is no loss to a machine that recovers", async (t) => {
  const world = makeWorld(6, seed);
  world.source.commit("old", makeBlocks(world.random, { count: 2, bytesMax: 900 }));
  const before = await openWorld(world);
  world.books.crashAfter = 2;
  await before.flush(2_000).catch((error: unknown) => t.ok(error instanceof Crash));
  world.books.crashAfter = Infinity;
  world.source.dirty.clear();
  const blocks = makeBlocks(world.random, { count: 2, bytesMax: 900 });
  world.source.commit("new", blocks);
  const missed = async (): Promise<never> => { throw new HiveError("Unavailable", "test", "away"); };
  world.network.release = missed;
  const after = await openWorld(world);
  await after.flush(5_000);
  const fresh = await openWorld({ ...world, books: new MemoryBooks() });
  await fresh.recover();
  t.equal(fresh.status().segments.total, after.status().segments.total);
  t.strictSame(await missing(fresh, blocks), [], replay);
});

test("a machine whose head is older than the members' does not take it for published", async (t) => {
  await using world = await makeVaultWorld(6, seed);
  const transfer = await openWorld(world);
  const [first, later, own] = ["first", "later", "own"].map(() => {
    return makeBlocks(world.random, { count: 2, bytesMax: 900 });
  });
  world.source.commit("first", first ?? []);
  await transfer.flush(10_000);
  const books = new MemoryBooks();
  for (const [key, value] of world.books.pairs) books.pairs.set(key, value);
  world.source.commit("later", later ?? []);
  await transfer.flush(10_000);
  // A machine restored from the backup of that morning, or a second one beside the first.
  const source = new MemorySource();
  const stale = await openWorld({ ...world, books, source });
  source.commit("own", own ?? []);
  t.equal(await faultOf(stale.flush(900)), "TimedOut");
  // A busy machine has not come to ask the members within that time.
  for (let turn = 0; turn < 50 && stale.status().waiting.for === "nothing"; turn++) {
    await stale.uploader.step(signal);
  }
  t.equal(source.published, undefined);
  t.match(stale.status().waiting, { for: "members", why: /Stale/ }, "and says why");
  for (let turn = 0; turn < 5; turn++) await stale.uploader.step(signal);
  t.equal(source.published, undefined, "nor does it overtake the others by trying again");
  const fresh = await openWorld({ ...world, books: new MemoryBooks() });
  t.equal(Buffer.from((await fresh.recover())?.root ?? []).toString(), "later", replay);
});

test("one spoilt block keeps no other block here, and no head names it", async (t) => {
  const world = makeWorld(6, seed);
  const transfer = await openWorld(world);
  const blocks = makeBlocks(world.random, { count: 20, bytesMax: 200_000 });
  const spoilt = cidOf(blocks[7] as Uint8Array);
  world.source.commit("one", blocks);
  const read = world.source.read.bind(world.source);
  world.source.read = async (cid) => {
    if (cid === spoilt) throw new HiveError("Corrupt", "test", cid);
    return read(cid);
  };
  t.equal(await faultOf(transfer.flush(3_000)), "TimedOut");
  t.strictSame([...world.source.dirty.keys()], [spoilt], "all others are placed");
  t.equal(world.source.published, undefined);
  t.strictSame(transfer.status().waiting, { for: "disk", spoiltBlocks: 1 });
  world.source.dirty.delete(spoilt);
  world.source.commit("two", makeBlocks(world.random, { count: 1, bytesMax: 900 }));
  await transfer.flush(5_000);
  t.strictSame(world.source.published, world.source.newest, "a root without it goes out");
});

const tiny: Policy = { ...defaultPolicy, class: "tiny" };

function wrongs(transfer: Transfer): PeerId[] {
  const found: PeerId[] = [];
  transfer.health.watch(({ peer, verdict }) => { if (verdict === "wrong") found.push(peer); });
  return found;
}

async function agentOf(
  world: World, transfer: Transfer,
): Promise<{ agent: Agent; clock: ShiftedClock }> {
  const clock = new ShiftedClock();
  const needs = { ...world, transfer, books: new MemoryBooks(), clock, log: silentLog };
  return { agent: await openAgent(needs, { auditIntervalMs: 1_000 }), clock };
}

async function turnOf(agent: Agent, clock: ShiftedClock): Promise<void> {
  clock.shiftMs += 2_000;
  await oneTurn(agent);
}
