/** Policies that change, and peers that move: what lies against them is moved, and nothing lost. */
import { test } from "tap";
import type { PeerId } from "../../src/base/ids.ts";
import { hashOfPolicy } from "../../src/placement/language/policy-hash.ts";
import type { Transfer } from "../../src/transfer/transfer.ts";
import { policyOf } from "../support/policies.ts";
import { type PolicyWorld, astray, countryOf, fewestLiving } from "../support/policy-world.ts";
import { keptByCountry, makePolicyWorld, moveTo } from "../support/policy-world.ts";
import { openPolicyDrive, settle } from "../support/policy-world.ts";
import { makeBlocks, missing } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/agent.drift.test.ts`;

/** Alternating, so that about half of any group is elsewhere. */
function mixed(count: number): string[] {
  return Array.from({ length: count }, (_, at) => (at % 2 === 0 ? "DE" : "US"));
}

async function fill(world: PolicyWorld, transfer: Transfer, name = "one"): Promise<Uint8Array[]> {
  const blocks = makeBlocks(world.random, { count: 40, bytesMax: 40_000 });
  for (let part = 0; part < 4; part++) {
    world.source.commit(`${name} ${part}`, blocks.slice(part * 10, part * 10 + 10));
    await transfer.flush(20_000);
  }
  return blocks;
}

function inForce(clauses: string) {
  return { drive: policyOf(clauses), driveName: "europe", named: new Map() };
}

test("a tighter policy moves everything, and no shard is dropped before another is there", async (t) => {
  await using world = await makePolicyWorld(mixed(14), seed);
  const { transfer, agent } = await openPolicyDrive(world, policyOf("protect class tiny;"));
  const blocks = await fill(world, transfer);
  t.ok((keptByCountry(world)["US"] ?? 0) > 0, `some lie in the US; ${replay}`);
  transfer.govern(inForce("protect class tiny; require region in EU;"));
  const { signal } = new AbortController();
  for (let turn = 0; turn < 60; turn++) {
    for (const step of agent.steps) await step.step(signal);
    t.equal(await fewestLiving(world, transfer), 6, `turn ${turn}; ${replay}`);
  }
  await settle(agent);
  t.strictSame(Object.keys(keptByCountry(world)), ["DE"], replay);
  t.equal(astray(transfer), 0);
  const hash = hashOfPolicy(policyOf("protect class tiny; require region in EU;"));
  t.ok(transfer.health.groups().every(({ policyHash }) => policyHash === hash));
  t.strictSame(await missing(transfer, blocks), [], replay);
  t.equal(transfer.status().segments.degraded, 0);
});

test("a group that is lawful as it lies is signed anew, and nothing moves", async (t) => {
  await using world = await makePolicyWorld(Array.from({ length: 8 }, () => "FR"), seed);
  const { transfer, agent } = await openPolicyDrive(world);
  await fill(world, transfer);
  const [before] = transfer.health.groups();
  const { store } = world.network.calls;
  transfer.govern(inForce("require region in EU;"));
  await settle(agent);
  const [after] = transfer.health.groups();
  t.equal(after?.epoch, (before?.epoch ?? 0) + 1);
  t.equal(after?.policyHash, hashOfPolicy(policyOf("require region in EU;")));
  t.strictSame(after?.peers, before?.peers);
  t.equal(world.network.calls.store, store, "not one shard was sent");
  await settle(agent);
  t.equal(transfer.health.groups()[0]?.epoch, after?.epoch, "and it is done once");
});

test("a peer that moves to another country loses its shards to one that has not", async (t) => {
  await using world = await makePolicyWorld(Array.from({ length: 8 }, () => "DE"), seed);
  const europe = policyOf("protect class tiny; require region in EU;");
  const { transfer, agent } = await openPolicyDrive(world, europe);
  const blocks = await fill(world, transfer);
  const [mover] = [...transfer.holders().keys()] as [PeerId];
  const { read } = world.network.calls;
  moveTo(world, mover, "US");
  await settle(agent);
  t.notOk(transfer.holders().has(mover), replay);
  t.strictSame(Object.keys(keptByCountry(world)), ["DE"], "it was told to drop them, and did");
  const segments = transfer.health.segments().length;
  t.ok(world.network.calls.read - read <= segments, "each was copied, and none rebuilt");
  t.equal(transfer.status().survives, 4);
  t.strictSame(await missing(transfer, blocks), [], replay);
  moveTo(world, mover, "DE");
  await settle(agent);
  t.strictSame(await missing(transfer, blocks), [], replay);
});

test("a policy that nobody satisfies places nothing, drops nothing and moves nothing", async (t) => {
  await using world = await makePolicyWorld(mixed(8), seed);
  const { transfer, agent } = await openPolicyDrive(world);
  const blocks = await fill(world, transfer);
  const kept = keptByCountry(world);
  transfer.govern(inForce("require country in JP;"));
  await settle(agent);
  t.strictSame(keptByCountry(world), kept, replay);
  t.equal(agent.status().stuck, 1, "and the status says so");
  world.source.commit("later", makeBlocks(world.random, { count: 2, bytesMax: 1000 }));
  await agent.steps[0]?.step(new AbortController().signal);
  t.match(transfer.status().waiting, {
    for: "peers", have: 0, clauses: [{}, {}, {}, { clause: "require country in [JP]", left: 0 }],
  });
  t.strictSame(await missing(transfer, blocks), [], replay);
  transfer.govern(inForce("require country in [DE, US];"));
  await settle(agent);
  t.equal(agent.status().stuck, 0);
  t.equal(transfer.status().waiting.for, "nothing");
});

test("another class: every segment is placed anew, and the old ones are let go", async (t) => {
  await using world = await makePolicyWorld(mixed(14), seed);
  const { transfer, agent } = await openPolicyDrive(world, policyOf("protect class tiny;"));
  const blocks = await fill(world, transfer);
  const old = transfer.health.segments().map(({ segment }) => segment);
  transfer.govern(inForce("protect class mirror; require region in EU;"));
  await settle(agent);
  const now = transfer.health.segments();
  t.ok(now.every(({ segment }) => !old.includes(segment)), replay);
  t.ok(now.every(({ n }) => n === 3));
  t.strictSame(transfer.health.groups().map((one) => one.class.name), ["mirror"], "one group");
  t.strictSame(keptByCountry(world), { DE: 3 * now.length }, "nothing else is kept anywhere");
  t.strictSame(await missing(transfer, blocks), [], replay);
  const lost = { ...world, books: new (world.books.constructor as never as new () => never)() };
  const again = await openPolicyDrive(lost, policyOf("protect class mirror; require region in EU;"));
  const recovered = await again.transfer.recover();
  t.equal(Buffer.from(recovered?.root ?? []).toString(), "one 3");
  t.strictSame(await missing(again.transfer, blocks), [], "a machine with nothing finds it all");
});

test("no substitute is left: what breaks the policy goes to a smaller class", async (t) => {
  await using world = await makePolicyWorld([...mixed(6), "DE"], seed);
  const { transfer, agent } = await openPolicyDrive(world);
  const blocks = await fill(world, transfer);
  t.equal(transfer.status().class, "tiny");
  transfer.govern(inForce("require region in EU;"));
  await settle(agent);
  t.strictSame(Object.keys(keptByCountry(world)), ["DE"], replay);
  t.ok([...transfer.holders().keys()].every((peer) => countryOf(world, peer) === "DE"));
  t.strictSame(await missing(transfer, blocks), [], replay);
});
