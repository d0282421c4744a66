/** Vaults that join a drive's old ones empty: seats go to them, and nothing is lost on the way. */
import { test } from "tap";
import { openAgent } from "../../src/agent/agent.ts";
import { systemClock } from "../../src/base/clock.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { signOffer } from "../../src/crypt/records/records.ts";
import type { Vault } from "../../src/vault/vault.ts";
import { policyOf } from "../support/policies.ts";
import { type PolicyWorld, fewestLiving, makePolicyWorld, settle }
  from "../support/policy-world.ts";
import { ShiftedClock, makeBlocks, missing, openWorld } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/agent.balance.test.ts`;
const GiB = 2 ** 30;
const [peers, n, turnsMax] = [8, 6, 40];
const names = Array.from({ length: 6 }, (_, at) => ({ slot: at + 1, name: `folder ${at}` }));

test("seats go to who is empty: copied once, and dropped last", async (t) => {
  await using made = await makePolicyWorld(Array.from({ length: peers }, () => "DE"), seed);
  const world = { ...made, clock: new LeapingClock() };
  const tiny = policyOf("protect class tiny;");
  world.source.policies = names;
  const transfer = await openWorld(world, {
    clock: world.clock, policy: tiny, named: new Map(names.map(({ name }) => [name, tiny])),
  });
  const agent = await openAgent(
    { ...world, transfer, books: world.conductBooks, log: silentLog },
    { auditIntervalMs: 10_000 * 3_600_000 },
  );
  const blocks = makeBlocks(world.random, { count: 18, bytesMax: 20_000 });
  for (const { slot } of names) {
    world.source.commit(`root ${slot}`, blocks.slice(slot * 3 - 3, slot * 3), slot);
    await transfer.flush(20_000);
  }
  await settle(agent);
  const full = total(world);
  const scale = 0.6 * GiB * peers / full.bytes;
  const newcomers = [await world.addVault("newcomer 1"), await world.addVault("newcomer 2")];
  const before = { ...world.network.calls };
  const kept = () => newcomers.map(({ host }) => (host as Vault).usage().shards);
  for (let turn = 0; turn < turnsMax && !kept().every((shards) => shards > 0); turn++) {
    world.clock.shiftMs += limits.agent.balanceEveryMs;
    tellOffers(world, scale);
    for (const step of agent.steps.filter(({ name }) => name !== "probe")) {
      const { store } = world.network.calls;
      await step.step(new AbortController().signal);
      if (world.network.calls.store === store) continue;
      const living = await fewestLiving(world, transfer);
      if (living !== n) return t.fail(`${living} shards after ${step.name}; ${replay}`);
    }
    await settle(agent);
  }
  const moved = world.network.calls.store - before.store;
  const brought = kept();
  t.ok(brought.every((shards) => shards > 0), `newcomers have ${brought.join(", ")}; ${replay}`);
  t.equal(brought.reduce((sum, shards) => sum + shards, 0), moved, "each was sent once");
  t.equal(world.network.calls.read - before.read, moved, "and read once, where it was");
  t.strictSame(total(world).shards, full.shards, "its old holder was told to drop it, and did");
  t.strictSame(await missing(transfer, blocks), [], replay);
});

/** Hours go by at once, for who waits as for who looks at the time. */
class LeapingClock extends ShiftedClock {
  override readonly monotonicMs = (): number => systemClock.monotonicMs() + this.shiftMs;
}

/** As if vaults of a GiB were filled by what lies in them. */
function tellOffers({ network, clock }: PolicyWorld, scale: number): void {
  for (const [peer, member] of network.members) {
    const used = (member.host as Vault).usage().usedBytes * scale;
    const space = { quotaBytes: GiB, freeBytes: Math.max(0, Math.floor(GiB - used)) };
    const offer = signOffer(member.keys, { ...member.offer, ...space, atMs: clock.now() });
    network.members.set(peer, { ...member, offer });
  }
}

function total({ network }: PolicyWorld): { readonly shards: number; readonly bytes: number } {
  const usages = [...network.members.values()].map(({ host }) => (host as Vault).usage());
  return {
    shards: usages.reduce((sum, { shards }) => sum + shards, 0),
    bytes: usages.reduce((sum, { usedBytes }) => sum + usedBytes, 0),
  };
}
