/** Holders that prove what they keep and give none of it back, over real vaults. */
import { test } from "tap";
import { type Agent, openAgent } from "../../src/agent/agent.ts";
import { type Probed, duePeer, isRefusing } from "../../src/agent/audits/probe.ts";
import { HiveError } from "../../src/base/errors.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import type { ShardHost } from "../../src/base/network.ts";
import type { Transfer } from "../../src/transfer/transfer.ts";
import { pass } from "../support/agent-turns.ts";
import { MemoryBooks, ShiftedClock, type VaultWorld } from "../support/transfer-world.ts";
import { makeBlocks, makeVaultWorld, missing, openWorld } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/agent.probe.test.ts`;
const dayMs = 24 * 3_600_000;
const options = { auditIntervalMs: 3_600_000, deadAfterMs: 72 * 3_600_000 };

interface Open {
  readonly transfer: Transfer;
  readonly agent: Agent;
}

async function open(world: VaultWorld, clock: ShiftedClock, books: MemoryBooks): Promise<Open> {
  const transfer = await openWorld(world, { clock });
  const agent = await openAgent({ ...world, transfer, books, clock, log: silentLog }, options);
  return { transfer, agent };
}

/** Answers every challenge, and no read for which `isClosed` holds. */
function takeHostage(world: VaultWorld, peer: PeerId, isClosed: () => boolean): void {
  const member = world.network.members.get(peer);
  if (member === undefined) throw new Error(`no peer ${peer}`);
  const read: ShardHost["read"] = (...told) => {
    if (isClosed()) throw new HiveError("Busy", "vault.read", "another time");
    return member.host.read(...told);
  };
  const host = new Proxy(member.host, {
    get(target, name) {
      if (name === "read") return read;
      const part: unknown = Reflect.get(target, name);
      return typeof part === "function" ? part.bind(target) : part;
    },
  });
  world.network.members.set(peer, { ...member, host });
}

/** So many days, in each of which every holder is probed once. */
async function live(agent: Agent, clock: ShiftedClock, days: number): Promise<void> {
  const { signal } = new AbortController();
  const probe = agent.steps.find(({ name }) => name === "probe");
  for (let day = 0; day < days; day++) {
    clock.shiftMs += dayMs;
    for (let holder = 0; holder < 8; holder++) await probe?.step(signal);
    await pass(agent, clock, 1);
  }
}

test("who keeps and refuses loses its seats, though every proof of it is right", async (t) => {
  await using world = await makeVaultWorld(8, seed);
  const [clock, books] = [new ShiftedClock(), new MemoryBooks()];
  let { transfer, agent } = await open(world, clock, books);
  const blocks = makeBlocks(world.random, { count: 40, bytesMax: 60_000 });
  world.source.commit("root", blocks);
  await transfer.flush(20_000);
  const [hostage, moody] = [...transfer.holders().keys()] as [PeerId, PeerId];
  takeHostage(world, hostage, () => true);
  let day = 0;
  takeHostage(world, moody, () => day < 2);
  await live(agent, clock, 2);
  day = 2;
  t.ok(transfer.holders().has(hostage), "two days are no proof");
  ({ transfer, agent } = await open(world, clock, books));
  await live(agent, clock, 4);
  t.notOk(transfer.holders().has(hostage), replay);
  t.ok(transfer.holders().has(moody), "it came to its senses");
  const conduct = agent.status().peers.find(({ peer }) => peer === hostage);
  t.strictSame([conduct?.isRefusing, conduct?.liveness, conduct?.score.wrong], [true, "alive", 0]);
  const { drive } = agent.status();
  t.equal(drive?.segments.healthy, drive?.segments.total, replay);
  t.strictSame(await missing(transfer, blocks), [], replay);
  for (const peer of transfer.holders().keys()) {
    t.equal(agent.status().peers.find((one) => one.peer === peer)?.isRefusing, false);
  }
});

test("one holder a step, who has waited longest, and nobody twice a day", (t) => {
  const [one, other, away] = ["a", "b", "c"] as PeerId[] as [PeerId, PeerId, PeerId];
  const online = new Set([one, other]);
  const at = (atMs: number): Probed => ({ atMs, failingSinceMs: 0, failures: 0 });
  const nowMs = 10 * dayMs;
  const due = (probed: ReadonlyMap<PeerId, Probed>): PeerId | undefined => {
    return duePeer([one, undefined, other, away], probed, { online, nowMs });
  };
  t.equal(due(new Map([[one, at(nowMs - 2 * dayMs)], [other, at(nowMs - 3 * dayMs)]])), other);
  t.equal(due(new Map([[one, at(nowMs - dayMs / 2)], [other, at(nowMs - dayMs / 3)]])), undefined);
  t.equal(due(new Map([[other, at(nowMs - dayMs / 2)]])), one);
  t.equal(due(new Map([[one, at(nowMs + dayMs)], [other, at(nowMs)]])), one, "the clock was set back");
  t.end();
});

test("refusal takes failures enough and days enough", (t) => {
  const { probeFailuresMax: failures, probeRefusalMs } = limits.agent;
  const probed = { atMs: 9 * dayMs, failingSinceMs: 9 * dayMs - probeRefusalMs, failures };
  t.ok(isRefusing(probed));
  t.notOk(isRefusing({ ...probed, failures: failures - 1 }));
  t.notOk(isRefusing({ ...probed, failingSinceMs: 9 * dayMs - probeRefusalMs + 1 }));
  t.end();
});
