/** The agent over real vaults: holders that die or lie are found and replaced without a command. */
import { test } from "tap";
import { openAgent } from "../../src/agent/agent.ts";
import { HiveError } from "../../src/base/errors.ts";
import { cidOf } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { hourMs, openTended, pass, watch } from "../support/agent-turns.ts";
import { makeBlocks, makeVaultWorld, missing } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/agent.repair.test.ts`;
const blocksTold = { count: 10, bytesMax: 100_000 };

test("one holder dies for good: full redundancy again without a command", async (t) => {
  await using world = await makeVaultWorld(8, seed);
  const { transfer, agent, clock, blocks } = await openTended(world, blocksTold);
  const [dead] = [...transfer.holders().keys()];
  const member = world.network.members.get(dead as never);
  if (member !== undefined) member.mood = { is: "dead" };
  await pass(agent, clock, 4);
  t.equal(agent.status().drive?.segments.degraded, 0, "an hour of silence is not death");
  await watch(agent, clock, 80);
  await pass(agent, clock, 4);
  const { drive } = agent.status();
  t.equal(drive?.segments.healthy, drive?.segments.total, replay);
  t.equal(drive?.survives, 4, replay);
  t.notOk(transfer.holders().has(dead as never), "the dead one holds nothing any more");
  t.strictSame(await missing(transfer, blocks), [], replay);
});

test("one that takes calls and never answers is dead in the end too", async (t) => {
  await using world = await makeVaultWorld(8, seed);
  world.network.callTimeoutMs = 20;
  const { transfer, agent, clock } = await openTended(world, blocksTold);
  const [silent] = [...transfer.holders().keys()];
  const member = world.network.members.get(silent as never);
  if (member !== undefined) member.mood = { is: "silent" };
  await pass(agent, clock, 2);
  const conduct = agent.status().peers.find(({ peer }) => peer === silent);
  t.strictSame([conduct?.liveness, conduct?.score.wrong], ["away", 0]);
  await watch(agent, clock, 80);
  await pass(agent, clock, 3);
  t.notOk(transfer.holders().has(silent as never), replay);
  t.equal(agent.status().drive?.survives, 4);
});

test("a liar is told from a dead one, loses its seats, and no read is wrong", async (t) => {
  await using world = await makeVaultWorld(8, seed);
  const { transfer, agent, clock, blocks } = await openTended(world, blocksTold);
  const [liar] = [...transfer.holders().keys()];
  const member = world.network.members.get(liar as never);
  if (member !== undefined) member.mood = { is: "lying" };
  t.strictSame(await missing(transfer, blocks), [], replay);
  await pass(agent, clock, 6);
  const conduct = agent.status().peers.find(({ peer }) => peer === liar);
  t.ok((conduct?.score.wrong ?? 0) >= 2, "its lies are counted as wrong");
  t.equal(conduct?.score.offline, 0);
  t.notOk(transfer.holders().has(liar as never), replay);
  t.equal(agent.status().drive?.survives, 4);
});

test("a holder that lost its disk gets its shards again", async (t) => {
  await using world = await makeVaultWorld(6, seed);
  const { transfer, agent, clock } = await openTended(world, blocksTold);
  const [holder] = [...transfer.holders().keys()];
  const state = transfer.health.segments()[0];
  const index = state?.holders.indexOf(holder) ?? -1;
  if (state !== undefined && holder !== undefined) {
    await transfer.health.dropShard({ segment: state.segment, index, holder });
  }
  t.equal(agent.status().drive?.segments.degraded, 1);
  await pass(agent, clock, 2);
  t.equal(agent.status().drive?.segments.degraded, 0);
});

test("nobody can replace the dead: the status says so and nothing is lost", async (t) => {
  await using world = await makeVaultWorld(6, seed);
  const { transfer, agent, clock, blocks } = await openTended(world, blocksTold);
  const members = [...world.network.members.values()];
  for (const member of members.slice(0, 2)) member.mood = { is: "dead" };
  await watch(agent, clock, 80);
  await pass(agent, clock, 3);
  t.equal(agent.status().stranded, 2);
  t.equal(agent.status().drive?.survives, 2);
  t.strictSame(await missing(transfer, blocks), [], replay);
  await world.addVault("late 1");
  await world.addVault("late 2");
  await pass(agent, clock, 4);
  t.equal(agent.status().stranded, 0, "new peers take the seats by themselves");
  t.equal(agent.status().drive?.survives, 4, replay);
});

test("a full member is not asked at every step, and gets its shard when it has room", async (t) => {
  await using world = await makeVaultWorld(6, seed);
  const { transfer, agent, clock } = await openTended(world, blocksTold);
  const [full] = [...transfer.holders().keys()];
  const state = transfer.health.segments()[0];
  if (state === undefined || full === undefined) return t.fail("a segment");
  const index = state.holders.indexOf(full);
  await transfer.health.dropShard({ segment: state.segment, index, holder: full });
  const store = world.network.store.bind(world.network);
  world.network.store = async (to, ...rest) => {
    if (to !== full) return store(to, ...rest);
    world.network.calls.store++;
    throw new HiveError("Quota", "test", to);
  };
  const repair = agent.steps.find(({ name }) => name === "repair");
  const { signal } = new AbortController();
  const before = world.network.calls.store;
  for (let turn = 0; turn < 10; turn++) t.equal(await repair?.step(signal), "idle");
  t.equal(world.network.calls.store - before, 1);
  world.network.store = store;
  await pass(agent, clock, 1);
  t.equal(agent.status().drive?.segments.degraded, 0, replay);
});

test("audits prove every segment, and verify reports what it asked", async (t) => {
  await using world = await makeVaultWorld(6, seed);
  const { transfer, agent, clock } = await openTended(world, blocksTold);
  t.equal(agent.status().drive?.lastProvenAtMs, 0);
  await pass(agent, clock, 2);
  const provenAtMs = agent.status().drive?.lastProvenAtMs ?? 0;
  t.ok(clock.now() - provenAtMs < 2 * hourMs, "proven lately");
  const { total } = transfer.status().segments;
  const report = await agent.verify({ deep: true });
  t.strictSame([report.segments, report.proofsRight, report.missing], [total, total * 6, 0]);
  t.strictSame(report.bad, []);
});

test("verify asks for the segments that certain blocks lie in alone, if told so", async (t) => {
  await using world = await makeVaultWorld(6, seed);
  const { transfer, agent, clock, blocks } = await openTended(world, blocksTold);
  await pass(agent, clock, 2);
  world.source.commit("more", makeBlocks(world.random, { count: 2, bytesMax: 9_000 }));
  await transfer.flush(20_000);
  t.ok(transfer.status().segments.total > 1);
  const stranger = cidOf(Buffer.from("nobody has this"));
  const found = await transfer.segmentsOf([...blocks.map(cidOf), stranger]);
  t.equal(found.at(-1), undefined);
  const segments = [...new Set(found.slice(0, -1))].filter((one) => one !== undefined);
  t.equal(segments.length, 1, replay);
  const report = await agent.verify({ deep: false, segments });
  t.match(report, { segments: 1, proofsRight: 6, missing: 0 });
  t.match(await agent.verify({ deep: false, segments: [] }), { segments: 0, proofsRight: 0 });
});

test("what was seen of a peer outlives a restart", async (t) => {
  await using world = await makeVaultWorld(6, seed);
  const { agent, clock, books, transfer } = await openTended(world, blocksTold);
  await pass(agent, clock, 2);
  const again = await openAgent(
    { ...world, transfer, books, clock, log: silentLog }, { auditIntervalMs: hourMs },
  );
  t.strictSame(again.status().peers.length, agent.status().peers.length);
  t.ok(again.status().peers.every(({ score }) => score.right > 0));
});
