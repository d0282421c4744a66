/** Sampled audits: what they cost a holder of much, what they prove, and what they find. */
import { test } from "tap";
import { type Agent, openAgent } from "../../src/agent/agent.ts";
import { neverSampled, paceOf, sampledNow } from "../../src/agent/audits/sample-pace.ts";
import { GiB, MiB } from "../../src/base/bytes.ts";
import type { PeerId } from "../../src/base/ids.ts";
import type { SampleProved, ServiceTally } from "../../src/base/ledger.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { signOffer } from "../../src/crypt/records/records.ts";
import { answerBytesMax } from "../../src/proofs/answer.ts";
import type { Outcome } from "../../src/proofs/score.ts";
import { provenAtMs } from "../../src/transfer/status/status.ts";
import type { Transfer } from "../../src/transfer/transfer.ts";
import { MemoryBooks, ShiftedClock, type World, makeBlocks } from "../support/transfer-world.ts";
import { makeVaultWorld, openWorld } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/agent.sample-pace.test.ts`;
const hourMs = 3_600_000;
const { samples, auditRestMsMax } = limits.proofs;

test("who keeps little is asked for every shard, who keeps much for a sample", (t) => {
  const pace = (shards: number, keptBytes: number) => {
    return paceOf({ shards, bytes: shards * MiB }, { keptBytes, intervalMs: hourMs });
  };
  t.equal(pace(300, 0), undefined, "a friend who keeps this drive alone");
  t.equal(pace(100, 300 * MiB), undefined);
  t.equal(pace(1000, 0)?.leaves, samples);
  const usual = pace(10 * 1024, 500e9);
  t.ok((usual?.leaves ?? 0) >= samples / 2, "10 GiB of 500 GB: half a sample an hour");
  t.strictSame(pace(10 * 1024, 900e12), usual, "who says that he keeps more is not asked less");
  t.strictSame(pace(10, 500e9), { leaves: 1, everyMs: auditRestMsMax });
  t.end();
});

test(`all owners' audits of one holder keep to the budget (HIVE_SEED=${seed})`, (t) => {
  const random = seededRandom(`sampling/${seed}`);
  const { auditBytesPerSecond, auditHeldBytes } = limits.proofs;
  for (let turn = 0; turn < 50; turn++) {
    const owners = Array.from({ length: 1 + random.below(400) }, () => {
      return 200 + random.below(2 ** (8 + random.below(10)));
    });
    const keptBytes = owners.reduce((sum, shards) => sum + shards * MiB, 0);
    const perSecond = owners.reduce((sum, shards) => {
      const pace = paceOf({ shards, bytes: shards * MiB }, { keptBytes, intervalMs: hourMs });
      const { leaves, everyMs } = pace ?? {
        leaves: shards * limits.agent.leavesPerShard, everyMs: hourMs,
      };
      return sum + leaves * answerBytesMax(1) / everyMs * 1000;
    }, 0);
    const allowed = auditBytesPerSecond * Math.max(1, keptBytes / auditHeldBytes);
    t.ok(perSecond <= allowed * 1.001, `${perSecond} of ${allowed} for ${keptBytes}; ${replay}`);
  }
  t.end();
});

test("a sample proves nothing before it is whole, and then since it began", (t) => {
  const half = samples / 2;
  const run = (...told: readonly (readonly [nowMs: number, outcome: Outcome])[]) => {
    return told.reduce((before, [nowMs, outcome]) => {
      return sampledNow(before, { outcome, leaves: half, nowMs });
    }, neverSampled).provenAtMs;
  };
  t.equal(run([1, "right"]), 0);
  t.equal(run([1, "right"], [2, "right"]), 1);
  t.equal(run([1, "right"], [2, "late"], [3, "right"]), 1);
  t.equal(run([1, "right"], [2, "wrong"], [3, "right"]), 0, "a wrong leaf begins it anew");
  t.equal(run([1, "right"], [2, "offline"], [3, "right"], [4, "right"]), 3);
  t.equal(run([1, "right"], [2, "right"], [3, "right"]), 1, "the next one is not whole yet");
  t.equal(run([9, "right"], [2, "right"], [3, "right"]), 2, "the clock was set back");
  t.end();
});

test("of a drive kept by holders of much, samples prove every segment", async (t) => {
  await using world = await makeVaultWorld(6, seed);
  const told: SampleProved[] = [];
  const { transfer, agent, clock } = await openAll(world, told);
  await auditAll(agent, clock);
  const { total } = transfer.status().segments;
  t.ok(total > 2);
  t.equal(world.network.calls.prove, 6 * total, "a first look asks for every shard");
  t.equal(told.length, 0);
  const firstMs = agent.status().drive?.lastProvenAtMs ?? 0;
  t.ok(firstMs > 0);
  for (let turn = 0; turn < samples + 1; turn++) await auditAll(agent, clock);
  const asked = world.network.calls.prove - 6 * total;
  t.equal(asked, 6 * (samples + 1), "one leaf of each holder, eight times a day");
  const atMs = agent.status().drive?.lastProvenAtMs ?? 0;
  t.ok(atMs > firstMs && atMs < clock.now() - (samples - 1) * auditRestMsMax, replay);
  t.ok(told.every(({ outcome, keptBytes }) => outcome === "right" && keptBytes > 0));
  const report = await agent.verify({ deep: false });
  t.equal(report.proofsRight, 6 * total, "a person may still ask for all of it");
});

test("a liar among holders of much is found by samples, and loses its seats", async (t) => {
  await using world = await makeVaultWorld(8, seed);
  const told: SampleProved[] = [];
  const { transfer, agent, clock } = await openAll(world, told);
  await auditAll(agent, clock);
  const [liar] = [...transfer.holders().keys()] as [PeerId];
  const member = world.network.members.get(liar);
  if (member !== undefined) member.mood = { is: "lying" };
  for (let turn = 0; turn < 3; turn++) await auditAll(agent, clock);
  t.ok(told.some(({ peer, outcome }) => peer === liar && outcome === "wrong"), replay);
  const repair = agent.steps.find(({ name }) => name === "repair");
  while (await repair?.step(new AbortController().signal) === "busy");
  t.notOk(transfer.holders().has(liar), replay);
});

test("a segment is proven by the k-th best of what its holders were, and never before its own", (t) => {
  const peers = ["a", "b", "c", "d"] as PeerId[];
  const state = {
    segment: "s", group: "g", k: 2, n: 4, shardBytes: 1, rotation: 0, placed: true,
    holders: [...peers.slice(0, 3), undefined], provenAtMs: 5,
  } as never as Parameters<typeof provenAtMs>[0];
  const times = new Map(peers.map((peer, at) => [peer, [30, 20, 10, 40][at] ?? 0]));
  const at = (peer: PeerId): number => times.get(peer) ?? 0;
  t.equal(provenAtMs(state, at), 20);
  t.equal(provenAtMs({ ...state, provenAtMs: 25 }, at), 25);
  t.equal(provenAtMs({ ...state, provenAtMs: 0 }, at), 0);
  t.end();
});

/** One turn of the audit step, as long after the last as whoever is asked most seldom waits. */
async function auditAll(agent: Agent, clock: ShiftedClock): Promise<void> {
  const audit = agent.steps.find(({ name }) => name === "audit");
  clock.shiftMs += auditRestMsMax;
  while (await audit?.step(new AbortController().signal) === "busy");
}

/** A drive whose holders say that they keep 500 GB for others. */
async function openAll(world: World, told: SampleProved[]): Promise<{
  transfer: Transfer; agent: Agent; clock: ShiftedClock;
}> {
  const clock = new ShiftedClock();
  for (const [peer, member] of world.network.members) {
    const space = { quotaBytes: 1024 * GiB, freeBytes: 500 * GiB };
    const offer = signOffer(member.keys, { ...member.offer, ...space });
    world.network.members.set(peer, { ...member, offer });
  }
  const transfer = await openWorld(world, { clock });
  const tally: ServiceTally = {
    proved: async () => {}, sent: () => {}, sampled: async (one) => void told.push(one),
  };
  const agent = await openAgent(
    { ...world, transfer, books: new MemoryBooks(), clock, log: silentLog, tally },
    { auditIntervalMs: hourMs },
  );
  world.source.commit("root", makeBlocks(world.random, { count: 100, bytesMax: 100_000 }));
  await transfer.flush(20_000);
  return { transfer, agent, clock };
}
