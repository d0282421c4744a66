/** Power cuts at every write of a migration: nothing is lost, nothing stays behind, it goes on. */
import { type Test, test } from "tap";
import { seededRandom } from "../../src/base/random.ts";
import { policyOf } from "../support/policies.ts";
import { Crash, makeBlocks, missing } from "../support/transfer-world.ts";
import { type PolicyWorld, astray, fewestLiving, keptByCountry } from "../support/policy-world.ts";
import { makePolicyWorld, openPolicyDrive, settle } from "../support/policy-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const rounds = Number(process.env["HIVE_ROUNDS"] ?? 3);

/** From one policy to another, with cuts after random numbers of writes until it is through. */
async function migrate(
  t: Test, name: string, { before, after }: { readonly before: string; readonly after: string },
): Promise<void> {
  const random = seededRandom(`${name} ${seed}`);
  const countries = Array.from({ length: 13 }, (_, at) => (at % 2 === 0 ? "DE" : "US"));
  await using world = await makePolicyWorld(countries, `${name} ${seed}`);
  const replay = `replay: HIVE_SEED=${seed} node test/unit/agent.drift-crash.test.ts (${name})`;
  const first = await openPolicyDrive(world, policyOf(before));
  const blocks = makeBlocks(world.random, { count: 24, bytesMax: 40_000 });
  for (let part = 0; part < 3; part++) {
    world.source.commit(`${part}`, blocks.slice(part * 8, part * 8 + 8));
    await first.transfer.flush(20_000);
  }
  const isAstray = keptByCountry(world)["US"] !== undefined;
  let cuts = 0;
  while (await cutShort(world, after, 1 + random.below(6))) {
    cuts++;
    t.strictSame(await missing((await openPolicyDrive(world, policyOf(after))).transfer, blocks), [],
      `after cut ${cuts}; ${replay}`);
  }
  t.equal(cuts > 0, isAstray, `${cuts} cuts; ${replay}`);
  const { transfer } = await openPolicyDrive(world, policyOf(after));
  const states = transfer.health.segments();
  const shards = states.reduce((sum, { n }) => sum + n, 0);
  t.strictSame(keptByCountry(world), { DE: shards }, `what is needed, and no more; ${replay}`);
  t.equal(astray(transfer), 0);
  t.equal(await fewestLiving(world, transfer), states[0]?.n);
  t.strictSame([...world.books.pairs.keys()].filter((key) => /^[dov]\//.test(key)), [], replay);
}

/** True when the power went before everything was done. */
async function cutShort(world: PolicyWorld, after: string, writes: number): Promise<boolean> {
  const { agent } = await openPolicyDrive(world, policyOf(after));
  world.books.crashAfter = writes;
  try {
    await settle(agent);
    return false;
  } catch (error) {
    if (error instanceof Crash) return true;
    throw error;
  } finally {
    // Whatever was under way is not to be heard of any more; on a busy machine time alone says
    // little about how far it came.
    await new Promise((later) => setTimeout(later, 20));
    for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
    world.books.crashAfter = Infinity;
  }
}

for (let round = 0; round < rounds; round++) {
  test(`members are replaced, round ${round}`, (t) => migrate(t, `members ${round}`, {
    before: "protect class tiny;", after: "protect class tiny; require region in EU;",
  }));
  test(`segments are placed anew, round ${round}`, (t) => migrate(t, `segments ${round}`, {
    before: "protect class tiny;", after: "protect class mirror; require region in EU;",
  }));
}
