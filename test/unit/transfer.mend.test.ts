/** What mending costs: one reading of k for all that a segment lacks, and moves that help. */
import { test } from "tap";
import type { PeerId } from "../../src/base/ids.ts";
import { type Agent, openAgent } from "../../src/agent/agent.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Transfer } from "../../src/transfer/transfer.ts";
import { MemoryBooks, ShiftedClock, type World, makeBlocks } from "../support/transfer-world.ts";
import { makeVaultWorld, missing, openWorld } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/transfer.mend.test.ts`;
const hourMs = 3_600_000;
const { signal } = new AbortController();

test("k shards are read once, however many a segment lacks", async (t) => {
  await using world = await makeVaultWorld(13, seed);
  const { transfer, blocks } = await placed(world, 4);
  const [state] = transfer.health.segments();
  if (state === undefined) return t.fail("a segment");
  const { segment, k, n, shardBytes, holders } = state;
  t.strictSame([k, n], [4, 12]);
  const lost = [0, 2, 5, 11];
  for (const index of lost) {
    await transfer.health.dropShard({ segment, index, holder: holders[index] as PeerId });
  }
  const before = { ...world.network.calls };
  const taken = await transfer.health.mendSegment({ segment, indexes: lost }, signal);
  t.strictSame([...taken].sort((a, b) => a - b), lost, replay);
  t.equal(world.network.calls.readBytes - before.readBytes, k * shardBytes);
  t.equal(world.network.calls.store - before.store, lost.length);
  t.strictSame(transfer.health.segments()[0]?.holders, holders);
  t.strictSame(await missing(transfer, blocks), [], replay);
});

test("what an old holder still gives is read from it, and counts among the k", async (t) => {
  await using world = await makeVaultWorld(16, seed);
  const { transfer } = await placed(world, 4);
  const [state] = transfer.health.segments();
  if (state === undefined) return t.fail("a segment");
  const { segment, group, k, shardBytes, holders } = state;
  const moved = holders.slice(0, 2) as PeerId[];
  const replaced = await transfer.health.replaceMembers(group, moved, new Set());
  t.notOk(replaced?.peers.some((peer) => moved.includes(peer)), replay);
  await transfer.health.dropShard({ segment, index: 7, holder: holders[7] as PeerId });
  const before = { ...world.network.calls };
  const taken = await transfer.health.mendSegment({ segment, indexes: [0, 1, 7] }, signal);
  t.equal(taken.size, 3);
  t.equal(world.network.calls.readBytes - before.readBytes, k * shardBytes, replay);
});

test("a wide group waits with its dead until r are left, and mends all at once", async (t) => {
  await using world = await makeVaultWorld(38, seed);
  const { transfer, clock, blocks } = await placed(world, 6);
  const agent = await openAgent(
    { ...world, transfer, books: new MemoryBooks(), clock, log: silentLog },
    { auditIntervalMs: hourMs, deadAfterMs: 72 * hourMs },
  );
  const [state] = transfer.health.segments();
  const { k, n, shardBytes } = state ?? { k: 0, n: 0, shardBytes: 0 };
  t.strictSame([k, n], [8, 24], "class home, which mends from 14 on");
  const members = [...transfer.holders().keys()];
  dies(world, members.slice(0, 9));
  await goBy(agent, clock);
  const waiting = { ...world.network.calls };
  t.strictSame([waiting.readBytes, agent.status().stranded], [0, 0], "nine of 24 are waited with");
  t.strictSame(agent.status().drive?.segments.degraded, 0, "as the class has it");
  t.equal(agent.status().drive?.survives, 7, "and nobody is told that they live");

  dies(world, members.slice(9, 10));
  await goBy(agent, clock);
  t.equal(agent.status().drive?.survives, n - k, replay);
  const segments = transfer.health.segments();
  const read = world.network.calls.readBytes - waiting.readBytes;
  t.equal(read, segments.reduce((sum, each) => sum + k * each.shardBytes, 0), "k for each segment");
  t.equal(world.network.calls.store - waiting.store, 10 * segments.length);
  t.ok(shardBytes > 0);
  t.strictSame(await missing(transfer, blocks), [], replay);
});

/** Eighty hours in which holders are asked once, and repair looks often. */
async function goBy(agent: Agent, clock: ShiftedClock): Promise<void> {
  const [audit, repair] = ["audit", "repair"].map((name) => {
    return agent.steps.find((step) => step.name === name);
  });
  clock.shiftMs += hourMs;
  while (await audit?.step(signal) === "busy");
  for (let look = 0; look < 80 * 8; look++) {
    clock.shiftMs += hourMs / 8;
    await repair?.step(signal);
  }
}

function dies(world: World, peers: readonly PeerId[]): void {
  for (const peer of peers) {
    const member = world.network.members.get(peer);
    if (member !== undefined) member.mood = { is: "dead" };
  }
}

async function placed(world: World, count: number): Promise<{
  transfer: Transfer; blocks: readonly Uint8Array[]; clock: ShiftedClock;
}> {
  const clock = new ShiftedClock();
  const transfer = await openWorld(world, { clock });
  const blocks = makeBlocks(world.random, { count, bytesMax: 100_000 });
  world.source.commit("root", blocks);
  await transfer.flush(20_000);
  return { transfer, blocks, clock };
}
