/** A debtor's shards go one at a time, only while the rest is plainly alive, and without a lie. */
import { test } from "tap";
import { LettingGo, countLiving } from "../../src/agent/leaving/letting-go.ts";
import type { SegmentId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Vault } from "../../src/vault/vault.ts";
import { openTended, pass } from "../support/agent-turns.ts";
import { ShiftedClock, type VaultWorld, makeBlocks, makeVaultWorld, missing, openWorld }
  from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const { signal } = new AbortController();
const spare = limits.ledger.spareShards;

/** Every holder lets go of what it may, for so many hours; what went. */
async function letGo(world: VaultWorld, clock: ShiftedClock, hours: number) {
  const gone: { segment: SegmentId; atMs: number }[] = [];
  const honest = [...world.network.members.values()].filter(({ mood }) => mood.is !== "lying");
  const steps = honest.map(({ host, keys }) => new LettingGo({
    network: world.network, vault: host as Vault, clock, log: silentLog,
    random: seededRandom(`${seed}/${keys.peer}`),
    creditors: {
      overdue: () => [world.keys.owner],
      released: async (_owner, { segment }) => void gone.push({ segment, atMs: clock.now() }),
    },
  }));
  for (let quarter = 0; quarter < hours * 4; quarter++) {
    clock.shiftMs += 15 * 60_000;
    for (const step of steps) await step.step(signal);
  }
  return gone;
}

test(`no segment is left with fewer than k + 4, and all can be read (HIVE_SEED=${seed})`,
  async (t) => {
    await using world = await makeVaultWorld(14, `letting-go/${seed}`);
    const clock = new ShiftedClock();
    const transfer = await openWorld(world, { clock });
    const blocks = makeBlocks(world.random, { count: 8, bytesMax: 60_000 });
    world.source.commit("root", blocks);
    await transfer.flush(60_000);
    const segments = transfer.health.segments();
    const [{ k, n }] = segments as [(typeof segments)[number]];
    t.ok(k === 4 && n === 12, `of ${n} shards any ${k}`);

    t.strictSame(await letGo(world, clock, 12), [], "nothing goes that came after it was told");
    clock.shiftMs += limits.ledger.tellMs;

    const [liar] = [...world.network.members.values()].filter(({ keys }) =>
      segments[0]!.holders.includes(keys.peer));
    for (const member of world.network.members.values()) member.mood = { is: "dead" };
    t.strictSame(await letGo(world, clock, 12), [], "nothing goes while nobody is known to live");
    for (const member of world.network.members.values()) member.mood = { is: "honest" };

    const [lodging] = await (liar!.host as Vault).sample(world.keys.owner, world.random);
    const needs = { network: world.network, random: world.random, clock };
    t.equal(await countLiving(needs, lodging!, signal), n - 1);
    liar!.mood = { is: "lying" };

    const gone = await letGo(world, clock, 24 * 4);
    const counts = segments.map(({ segment }) =>
      gone.filter((one) => one.segment === segment).length);
    t.ok(counts.every((count) => count > 0), `${counts} went`);
    t.ok(counts.every((count) => n - 1 - count >= k + spare), "a liar's shard is no living one");
    const hours = gone.map(({ segment, atMs }) => `${segment}/${Math.floor(atMs / 3_600_000)}`);
    t.equal(new Set(hours).size, hours.length, "and of one segment never two in an hour");
    t.strictSame(await missing(transfer, blocks), []);
  });

test(`a holder that is asked for what it let go of is no liar (HIVE_SEED=${seed})`, async (t) => {
  await using world = await makeVaultWorld(7, `honest/${seed}`);
  const { transfer, agent, clock, blocks } = await openTended(world, { count: 6, bytesMax: 9_000 });
  await pass(agent, clock, 1);
  const [holder] = transfer.holders().keys();
  const vault = world.network.members.get(holder!)!.host as Vault;
  clock.shiftMs += limits.ledger.tellMs;
  for (const lodging of await vault.sample(world.keys.owner, world.random)) await vault.letGo(lodging);
  t.equal(vault.usage().shards, 0);
  await agent.verify({ deep: false });
  t.notOk(transfer.holders().has(holder!), "it is known not to have them");
  const conduct = agent.status().peers.find(({ peer }) => peer === holder);
  t.match(conduct, { score: { wrong: 0 }, liveness: "alive" });
  await pass(agent, clock, 1);
  t.ok(transfer.holders().has(holder!), "they are brought where they belong");
  t.strictSame(await missing(transfer, blocks), []);
});
