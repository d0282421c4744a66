/** Placing segments anew: what lies in the old ones leaves them, and a try that failed leaves nothing. */
import { test } from "tap";
import { HiveError } from "../../src/base/errors.ts";
import { policyOf } from "../support/policies.ts";
import { MemoryBooks, makeBlocks, missing } from "../support/transfer-world.ts";
import { keptByCountry, makePolicyWorld, openPolicyDrive } from "../support/policy-world.ts";
import { settle } from "../support/policy-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/transfer.move.test.ts`;

test("catalog pages are written anew, and only then the old segments go", async (t) => {
  await using world = await makePolicyWorld(Array.from({ length: 8 }, () => "DE"), seed);
  const { transfer, agent } = await openPolicyDrive(world, policyOf("protect class tiny;"));
  const blocks = makeBlocks(world.random, { count: 900, bytesMax: 200 });
  for (let part = 0; part < 3; part++) {
    world.source.commit(`${part}`, blocks.slice(part * 300, part * 300 + 300));
    await transfer.flush(20_000);
  }
  t.ok(world.books.pairs.has("x/runs"), "the catalog has runs");
  const old = new Set(transfer.health.segments().map(({ segment }) => segment));
  const mirror = policyOf("protect class mirror;");
  transfer.govern({ drive: mirror, driveName: "mirror", named: new Map() });
  await settle(agent);
  const now = transfer.health.segments();
  t.notOk(now.some(({ segment }) => old.has(segment)), replay);
  t.strictSame(transfer.health.groups().map((one) => one.class.name), ["mirror"]);
  t.strictSame(keptByCountry(world), { DE: 3 * now.length }, "nothing of the old is left");
  t.strictSame([...world.books.pairs.keys()].filter((key) => /^([dov]\/|x\/renew)/.test(key)), []);
  t.strictSame(await missing(transfer, blocks), [], replay);
  const bare = { ...world, books: new MemoryBooks() };
  const found = await openPolicyDrive(bare, mirror);
  t.equal(Buffer.from((await found.transfer.recover())?.root ?? []).toString(), "2");
  t.strictSame(await missing(found.transfer, blocks), [], "a machine with nothing finds it all");
});

test("a move that is given up leaves nothing with members whose receipts were lost", async (t) => {
  await using world = await makePolicyWorld(Array.from({ length: 8 }, () => "DE"), seed);
  const { network } = world;
  const { transfer } = await openPolicyDrive(world, policyOf("protect class tiny;"));
  world.source.commit("root", makeBlocks(world.random, { count: 3, bytesMax: 9_000 }));
  await transfer.flush(20_000);
  const [manifest] = transfer.health.groups();
  const kept = keptByCountry(world);
  const store = network.store.bind(network);
  network.store = async (...parcel) => {
    const receipt = await store(...parcel);
    if (receipt.index === 0) return receipt;
    throw new HiveError("Unavailable", "test", "the line went down before the answer came");
  };
  const { signal } = new AbortController();
  for (const { segment } of transfer.health.segments()) {
    t.notOk(await transfer.health.moveSegment(segment, manifest!, signal), replay);
  }
  t.not(keptByCountry(world)["DE"], kept["DE"], "members took shards that nobody will name");
  while (await transfer.health.dropSurplus(signal) > 0);
  t.strictSame(keptByCountry(world), kept, replay);
});
