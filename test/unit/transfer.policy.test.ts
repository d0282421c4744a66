/** A drive under a policy: who gets shards, and what becomes of groups when the policy changes. */
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { isFault } from "../../src/base/errors.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { signOffer } from "../../src/crypt/records/records.ts";
import { hashOfPolicy } from "../../src/placement/language/policy-hash.ts";
import { defaultPolicy } from "../../src/placement/language/policy.ts";
import { Groups } from "../../src/transfer/groups/groups.ts";
import { policyOf } from "../support/policies.ts";
import { nobodyRemoved, MemoryBooks, type World, makeBlocks, makeWorld } from "../support/transfer-world.ts";
import { missing, openWorld } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/transfer.policy.test.ts`;

/** Every other peer is in Japan. */
function mixedWorld(peers: number): World {
  const world = makeWorld(peers, seed);
  for (const [at, member] of [...world.network.members.values()].entries()) {
    const country = at % 2 === 0 ? "DE" : "JP";
    const offer = signOffer(member.keys, { ...member.offer, country });
    world.network.members.set(offer.peer, { ...member, offer });
  }
  return world;
}

function countriesOf(world: World, peers: readonly PeerId[]): ReadonlySet<string | undefined> {
  return new Set(peers.map((peer) => world.network.members.get(peer)?.offer.country));
}

test("shards lie where the policy lets them, and its households choose the class", async (t) => {
  const world = mixedWorld(14);
  const policy = policyOf("require region in EU;");
  const transfer = await openWorld(world, { policy });
  const blocks = makeBlocks(world.random, { count: 6, bytesMax: 1000 });
  world.source.commit("one", blocks);
  await transfer.flush(20_000);
  const [manifest] = transfer.health.groups();
  t.equal(manifest?.policyHash, hashOfPolicy(policy));
  t.equal(transfer.households(), 7);
  t.equal(manifest?.class.name, "tiny", "seven households of fourteen");
  t.strictSame([...countriesOf(world, manifest?.peers ?? [])], ["DE"], replay);
  t.strictSame(await missing(transfer, blocks), []);
  const substitute = await transfer.health.replaceMembers(
    manifest?.group as never, [manifest?.peers[0] as PeerId], new Set(),
  );
  t.strictSame([...countriesOf(world, substitute?.peers ?? [])], ["DE"], replay);
});

test("what nobody satisfies is not placed, and not relaxed", async (t) => {
  const world = mixedWorld(6);
  const transfer = await openWorld(world, { policy: policyOf("require asn in 64496;") });
  world.source.commit("one", makeBlocks(world.random, { count: 2, bytesMax: 1000 }));
  const late = await transfer.flush(200).catch((error: unknown) => error);
  t.ok(isFault(late, "TimedOut"));
  const { waiting } = transfer.status();
  t.match(waiting, { for: "peers", needed: 3, have: 0 });
  const last = waiting.for === "peers" ? waiting.clauses.at(-1) : undefined;
  t.strictSame(last, { clause: "require asn in [64496]", left: 0 }, "and which clause leaves none");
  t.strictSame(transfer.health.groups(), []);
});

test("nines that no peer can give leave data here", async (t) => {
  const world = mixedWorld(6);
  const policy = policyOf("protect durability >= 8 nines;");
  const transfer = await openWorld(world, { policy });
  world.source.commit("one", makeBlocks(world.random, { count: 2, bytesMax: 1000 }));
  t.ok(isFault(await transfer.flush(200).catch((error: unknown) => error), "TimedOut"));
  t.match(transfer.status().waiting, { for: "peers", needed: 12, have: 6 });
});

test("a new policy governs new groups at once, and substitutes of the old ones", async (t) => {
  const world = mixedWorld(12);
  const japan = policyOf("protect class mirror; require country in JP;");
  const first = await openWorld(world, { policy: japan });
  const blocks = makeBlocks(world.random, { count: 4, bytesMax: 1000 });
  world.source.commit("one", blocks.slice(0, 2));
  await first.flush(20_000);
  const europe = policyOf("protect class mirror; require region in EU;");
  const second = await openWorld(world, { policy: europe });
  world.source.commit("two", blocks.slice(2));
  await second.flush(20_000);
  const byPolicy = new Map(second.health.groups().map((one) => [one.policyHash, one]));
  const [old, fresh] = [byPolicy.get(hashOfPolicy(japan)), byPolicy.get(hashOfPolicy(europe))];
  t.strictSame([...countriesOf(world, old?.peers ?? [])], ["JP"], replay);
  t.strictSame([...countriesOf(world, fresh?.peers ?? [])], ["DE"], replay);
  const after = await second.health.replaceMembers(
    old?.group as never, [old?.peers[1] as PeerId], new Set(),
  );
  t.equal(after?.policyHash, hashOfPolicy(europe));
  const seats = after?.peers.map((peer) => world.network.members.get(peer)?.offer.country);
  t.strictSame(seats, ["JP", "DE", "JP"], replay);
  t.strictSame(await missing(second, blocks), []);
});

test("a policy whose text was lost replaces nobody, and breaks nothing", async (t) => {
  const world = mixedWorld(12);
  const japan = policyOf("protect class mirror; require country in JP;");
  const named = new Map([["east", japan]]);
  const groups = new Groups(
    { ...world, clock: systemClock, log: silentLog, roll: nobodyRemoved },
    { inForce: { drive: defaultPolicy, named }, settleMs: 0 },
  );
  await groups.open();
  const drawn = await groups.forNewSegments("east");
  world.books.pairs.set(`r/${hashOfPolicy(japan)}`, Buffer.from("hive-policy 1\nclass auto;\n"));
  const second = await openWorld(world, { policy: defaultPolicy });
  const [manifest] = second.health.groups();
  t.equal(manifest?.group, "group" in drawn ? drawn.group : undefined);
  const peer = manifest?.peers[0] as PeerId;
  const group = manifest?.group as never;
  t.equal(await second.health.replaceMembers(group, [peer], new Set()), undefined);
  t.strictSame(second.health.drifts(), [], "nor is it moved");
});

test("recovered without its policy, a drive is not relaxed to the built-in one", async (t) => {
  const world = mixedWorld(12);
  const europe = policyOf("protect class mirror; require region in EU;");
  const first = await openWorld(world, { policy: europe, policyName: "europe" });
  const blocks = makeBlocks(world.random, { count: 2, bytesMax: 1000 });
  world.source.commit("one", blocks);
  await first.flush(20_000);
  const bare = { ...world, books: new MemoryBooks() };
  const found = await openWorld(bare);
  await found.recover();
  const [manifest] = found.health.groups();
  t.strictSame(found.health.drifts(), [], "nobody chose what is in force");
  const peer = manifest?.peers[0] as PeerId;
  const group = manifest?.group as never;
  t.equal(await found.health.replaceMembers(group, [peer], new Set()), undefined);
  t.strictSame(await missing(found, blocks), []);
  found.govern({ drive: defaultPolicy, driveName: "anywhere", named: new Map() });
  t.equal(found.health.drifts().length, 1, "until somebody does");
  found.govern({ drive: europe, named: new Map() });
  t.equal(found.health.drifts()[0]?.isSigned, true, "or its own is back");
});

test("texts of policies are kept as long as a manifest names them", async (t) => {
  const world = mixedWorld(6);
  const german = policyOf("require country in DE;");
  const transfer = await openWorld(world, { policy: german });
  world.source.commit("one", makeBlocks(world.random, { count: 2, bytesMax: 1000 }));
  await transfer.flush(20_000);
  const key = `r/${hashOfPolicy(german)}`;
  await openWorld(world);
  t.ok(world.books.pairs.has(key));
  for (const name of world.books.pairs.keys()) {
    if (name.startsWith("m/")) world.books.pairs.delete(name);
  }
  await openWorld(world);
  t.notOk(world.books.pairs.has(key));
});
