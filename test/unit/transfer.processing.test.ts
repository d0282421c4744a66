/** `processing`: what the policy does not let this machine do with the data, it does not do. */
import { test } from "tap";
import { cachePolicyStep } from "../../src/agent/policy/cache-policy.ts";
import { systemClock } from "../../src/base/clock.ts";
import { isFault } from "../../src/base/errors.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { ownFacts, mayProcessHere } from "../../src/placement/judging/own.ts";
import type { Policy } from "../../src/placement/language/policy.ts";
import { policyOf } from "../support/policies.ts";
import { astray, makePolicyWorld, moveTo } from "../support/policy-world.ts";
import { openPolicyDrive, settle } from "../support/policy-world.ts";
import { makeBlocks, missing } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/transfer.processing.test.ts`;
const signal = new AbortController().signal;

function processing(rules: string): Policy {
  return policyOf(`protect class tiny; processing { ${rules} };`);
}

test("nothing is coded where the policy does not let it be", async (t) => {
  await using world = await makePolicyWorld(Array.from({ length: 7 }, () => "DE"), seed);
  const { transfer } = await openPolicyDrive(world, processing("encode by region in EU;"));
  const blocks = makeBlocks(world.random, { count: 4, bytesMax: 1000 });
  world.source.commit("one", blocks);
  world.network.ownCountry = "US";
  t.ok(isFault(await transfer.flush(200).catch((error: unknown) => error), "TimedOut"));
  t.match(transfer.status().waiting, { for: "policy", why: /encode/ });
  t.equal(world.network.calls.store, 0, "not one shard left");
  t.strictSame(transfer.notHere().map(({ activities }) => activities), [["encode"]]);
  world.network.ownCountry = undefined;
  t.ok(isFault(await transfer.flush(200).catch((error: unknown) => error), "TimedOut"),
    "where it is not known to be, it is not");
  world.network.ownCountry = "FR";
  await transfer.flush(20_000);
  t.strictSame(await missing(transfer, blocks), [], replay);
  t.strictSame(transfer.notHere(), []);
});

test("a shard is passed on, and made anew only where that is let", async (t) => {
  await using world = await makePolicyWorld(Array.from({ length: 9 }, () => "DE"), seed);
  const others = "protect class tiny; require region in EU; processing { repair by holder; };";
  const { transfer, agent } = await openPolicyDrive(world, policyOf(others));
  const blocks = makeBlocks(world.random, { count: 4, bytesMax: 1000 });
  world.source.commit("one", blocks);
  await transfer.flush(20_000);
  const [state] = transfer.health.segments();
  const [moved, lost] = state?.holders as [PeerId, PeerId];
  moveTo(world, moved, "US");
  await settle(agent);
  t.equal(astray(transfer), 0, "its shards went over from the old holder");
  const index = state?.holders.indexOf(lost) ?? -1;
  const segment = transfer.health.segments()[0]!.segment;
  await transfer.health.dropShard({ segment, index, holder: lost });
  const refused = transfer.health.mendSegment({ segment, indexes: [index] }, signal);
  t.ok(isFault(await refused.catch((error: unknown) => error), "Denied"), replay);
  await settle(agent);
  t.equal(transfer.status().segments.degraded, 1, "this machine is no holder");
  transfer.govern({
    drive: policyOf("protect class tiny; require region in EU;"), named: new Map(),
  });
  world.clock.shiftMs += 3_600_000;
  await settle(agent);
  t.equal(transfer.status().segments.degraded, 0);
  t.strictSame(await missing(transfer, blocks), [], replay);
});

test("nobody is asked for a proof by a machine that the policy does not let audit", async (t) => {
  await using world = await makePolicyWorld(Array.from({ length: 7 }, () => "DE"), seed);
  const { transfer, agent } = await openPolicyDrive(world, processing("audit by holder;"));
  world.source.commit("one", makeBlocks(world.random, { count: 2, bytesMax: 1000 }));
  await transfer.flush(20_000);
  world.clock.shiftMs += 10_000 * 3_600_000;
  const audit = agent.steps.find(({ name }) => name === "audit");
  t.equal(await audit?.step(signal), "idle");
  const report = await agent.verify({ deep: true });
  t.strictSame([report.segments, report.missing], [0, 0]);
  t.equal(world.network.calls.prove, 0);
  transfer.govern({ drive: processing("audit by holder or self;"), named: new Map() });
  t.equal((await agent.verify({ deep: false })).proofsRight, 6);
});

test("what may not be kept here is dropped, a look at a time", async (t) => {
  let mayCache = true;
  let dropped = 0;
  let nowMs = 0;
  const clock = { ...systemClock, monotonicMs: () => nowMs };
  const step = cachePolicyStep({
    clock, mayCache: async () => mayCache, dropClean: async () => ++dropped,
  });
  await step.step(signal);
  t.equal(dropped, 0);
  mayCache = false;
  await step.step(signal);
  t.equal(dropped, 0, "it looked a moment ago");
  nowMs += 10_000;
  await step.step(signal);
  t.equal(dropped, 1);
});

test("roles: this machine is the owner's and itself; a holder where it is one", (t) => {
  const offer = {
    peer: "x" as PeerId, atMs: 1, household: "h", country: "DE", addresses: [], quotaBytes: 1,
    freeBytes: 1, bytes: new Uint8Array(),
  };
  const may = (rule: string, roles: readonly ("self" | "owner-device" | "holder")[]) => {
    return mayProcessHere(processing(`encode by ${rule};`), "encode", { offer, roles });
  };
  t.ok(may("owner-device", ["self", "owner-device"]));
  t.notOk(may("holder", ["self", "owner-device"]));
  t.ok(may("holder and region in EU", ["self", "owner-device", "holder"]));
  t.notOk(may("self", ["holder"]), "a holder is not the machine that the policy is read on");
  t.ok(may("rtt(me) <= 1 ms", ["self"]), "it is no way away from itself");
  t.notOk(may("rtt(me) <= 1 ms", ["holder"]), "how far away a holder is only the owner knows");
  t.ok(may("evidence location >= attested", ["holder"]));
  t.equal(ownFacts(offer).location?.evidence, "attested");
  t.end();
});
