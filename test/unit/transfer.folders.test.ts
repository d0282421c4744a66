/** Blocks of several policies: each goes to its own group, none shares a segment with another. */
import { test } from "tap";
import { unknownSlot } from "../../src/base/blocks.ts";
import { HiveError, isFault } from "../../src/base/errors.ts";
import { type Cid, cidOf } from "../../src/base/ids.ts";
import type { Policy } from "../../src/placement/language/policy.ts";
import { defaultPolicy } from "../../src/placement/language/policy.ts";
import type { Transfer } from "../../src/transfer/transfer.ts";
import { lanesOf } from "../../src/transfer/uploads/lanes.ts";
import { policyOf } from "../support/policies.ts";
import { type PolicyWorld, countryOf, keptByCountry, makePolicyWorld }
  from "../support/policy-world.ts";
import { makeBlocks, missing, openWorld } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/transfer.folders.test.ts`;
const countries = ["DE", "FR", "IT", "US", "US", "US", "JP", "JP"];
const europe = policyOf("require region in EU;");
const usa = policyOf("require country in US;");
const names = [{ slot: 1, name: "europe" }, { slot: 2, name: "usa" }];

async function open(world: PolicyWorld, named: Record<string, Policy>): Promise<Transfer> {
  world.source.policies = names;
  const { clock } = world;
  return await openWorld(world, { clock, named: new Map(Object.entries(named)) });
}

function blocksOf(world: PolicyWorld, count: number): Uint8Array[] {
  return makeBlocks(world.random, { count, bytesMax: 60_000 });
}

/** Until a step finds nothing more to do, several times. */
async function rest(transfer: Transfer): Promise<void> {
  const { signal } = new AbortController();
  for (let idle = 0; idle < 3; ) {
    idle = await transfer.uploader.step(signal) === "idle" ? idle + 1 : 0;
  }
}

/** The countries that keep shards of the segments in which these blocks lie. */
async function countriesOf(
  world: PolicyWorld, transfer: Transfer, cids: readonly Cid[],
): Promise<ReadonlySet<string | undefined>> {
  const groups = new Map(transfer.health.groups().map((one) => [one.group, one]));
  const found = new Set<string | undefined>();
  for (const cid of cids) {
    const place = world.books.pairs.get(`c/${cid}`);
    const segment = Buffer.from(place ?? []).subarray(0, 32).toString("hex");
    const state = transfer.health.segments().find((one) => one.segment === segment);
    const members = new Set(groups.get(state?.group as never)?.peers);
    for (const holder of state?.holders ?? []) {
      if (holder !== undefined && !members.has(holder)) throw new Error(`astray; ${replay}`);
      if (holder !== undefined) found.add(countryOf(world, holder));
    }
  }
  return found;
}

test("each policy's blocks lie with its own peers, in segments of their own", async (t) => {
  await using world = await makePolicyWorld(countries, seed);
  const transfer = await open(world, { europe, usa });
  const [plain, ours, theirs] = [blocksOf(world, 6), blocksOf(world, 6), blocksOf(world, 6)];
  // Written in turns, as by programs that work in several folders.
  for (let at = 0; at < 6; at++) {
    for (const [slot, some] of [plain, ours, theirs].entries()) {
      world.source.commit(`root ${at}`, some.slice(at, at + 1), slot);
    }
  }
  await transfer.flush(20_000);
  const cids = (some: readonly Uint8Array[]) => some.map((bytes) => cidOf(bytes));
  t.strictSame([...await countriesOf(world, transfer, cids(theirs))], ["US"], replay);
  const european = await countriesOf(world, transfer, cids(ours));
  t.strictSame([...european].sort(), ["DE", "FR", "IT"], replay);
  t.equal(transfer.health.segments().length, 3, "three policies, three segments");
  t.strictSame(await missing(transfer, [...plain, ...ours, ...theirs]), []);
});

test("a policy that nobody satisfies keeps only its own blocks waiting, and no head goes out",
  async (t) => {
    await using world = await makePolicyWorld(countries, seed);
    const transfer = await open(world, { europe: policyOf("require asn in 64496;"), usa });
    const [plain, ours, theirs] = [blocksOf(world, 3), blocksOf(world, 3), blocksOf(world, 3)];
    for (const [slot, some] of [plain, ours, theirs].entries()) world.source.commit("one", some, slot);
    await rest(transfer);
    const late = await transfer.flush(50).catch((error: unknown) => error);
    t.ok(isFault(late, "TimedOut"), String(late));
    t.strictSame(await missing(transfer, [...plain, ...theirs]), [], "the others are placed");
    t.equal(world.source.published, undefined);
    const bytes = ours.reduce((sum, { length }) => sum + length, 0);
    t.match(transfer.status().lanes, [
      { name: "europe", pendingBlocks: 3, pendingBytes: bytes, waiting: { for: "peers" } },
    ]);
    t.equal(transfer.status().lanes.length, 1);
    t.equal((await missing(transfer, ours)).length, 3, "and none of it under another policy");
    transfer.govern({ drive: defaultPolicy, named: new Map([["europe", europe], ["usa", usa]]) });
    await transfer.flush(20_000);
    t.strictSame(await missing(transfer, ours), [], "edited, it lets them go");
    t.strictSame(transfer.status().lanes, []);
  });

test("no head goes out before what was sent last is with enough members", async (t) => {
  await using world = await makePolicyWorld(countries, seed);
  const transfer = await open(world, { usa });
  world.source.commit("first", blocksOf(world, 2), 2);
  await transfer.flush(20_000);
  const first = world.source.published;
  const late = blocksOf(world, 2);
  world.source.commit("second", late, 2);
  const hosts = [...world.network.members.values()].map(({ host }) => host);
  const stores = hosts.map((host) => host.store);
  const refuse = async (): Promise<never> => {
    throw new HiveError("Unavailable", "test.store", "away");
  };
  // Records they take all the same.
  for (const host of hosts) Object.assign(host, { store: refuse });
  await rest(transfer);
  t.equal(world.source.published, first, replay);
  for (const [at, host] of hosts.entries()) Object.assign(host, { store: stores[at] });
  await transfer.flush(20_000);
  t.not(world.source.published, first);
  t.strictSame(await missing(transfer, late), []);
});

test("a name without a text, and a block of no known policy, wait; neither goes by the default",
  async (t) => {
    await using world = await makePolicyWorld(countries, seed);
    const transfer = await open(world, { usa });
    world.source.commit("one", blocksOf(world, 2), 1);
    world.source.commit("one", blocksOf(world, 2), unknownSlot);
    await rest(transfer);
    t.strictSame(keptByCountry(world), {});
    const [named, unknown] = transfer.status().lanes;
    t.match(named, { name: "europe", waiting: { for: "policy", why: /policy of europe/ } });
    t.match(unknown, { name: undefined, waiting: { for: "policy" } });
  });

test("what was written since joins a round that waits for peers of another policy", async (t) => {
  await using world = await makePolicyWorld(countries, seed);
  let nowMs = 0;
  const clock = { ...world.clock, now: () => world.clock.now(), monotonicMs: () => nowMs };
  const transfer = await openWorld(world, {
    clock: { ...clock, nowNs: () => world.clock.nowNs() },
    named: new Map([["europe", policyOf("require asn in 64496;")]]),
  });
  world.source.policies = names;
  world.source.commit("one", blocksOf(world, 2), 1);
  const { signal } = new AbortController();
  t.equal(await transfer.uploader.step(signal), "idle");
  const late = blocksOf(world, 2);
  world.source.commit("two", late);
  for (let turn = 0; turn < 4; turn++) {
    await transfer.uploader.step(signal);
    nowMs += 20_000;
  }
  t.strictSame(await missing(transfer, late), []);
});

test("blocks that peers gave back go by the default where there is no other policy", (t) => {
  const [block] = [{ cid: "00" as Cid, lengthBytes: 1, slot: unknownSlot }];
  t.equal(lanesOf([block])[0]?.name, "");
  t.equal(lanesOf([block], [{ slot: 0, name: "work" }])[0]?.name, "");
  t.equal(lanesOf([block], names)[0]?.name, undefined);
  t.end();
});
