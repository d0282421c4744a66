/** Placing anew a drive whose catalog has runs: the pages leave the old segments too. */
import { test } from "tap";
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
