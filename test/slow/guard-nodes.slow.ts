/** Real nodes, and nobody at home: the members of a group bring back what their fellows lost. */
import { test } from "tap";
import { seededRandom } from "../../src/base/random.ts";
import { GuardSwarm, unread } from "../support/guard-swarm.ts";
import { makeBlocks } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/slow/guard-nodes.slow.ts`;

test("a third of a group dies while its owner is away", { timeout: 240_000 }, async (t) => {
  await using swarm = await GuardSwarm.open({ seed, peers: 8 });
  const blocks = makeBlocks(seededRandom(seed), { count: 12, bytesMax: 100_000 });
  const { full, holders: before } = await swarm.give(blocks);
  t.equal(before.length, 6, `${full} shards with six holders`);
  await Promise.all(before.slice(0, 2).map((number) => swarm.destroy(number)));
  const isWhole = async (): Promise<boolean> => await swarm.total() === full;
  t.ok(await swarm.until(isWhole, 150), `${await swarm.total()} of ${full} shards; ${replay}`);
  t.equal(await swarm.recover("new device"), "root");
  const fresh = await swarm.owner("new device");
  t.equal(await unread(fresh, blocks), 0, `every block is read; ${replay}`);
  await fresh.close();
  const back = await swarm.owner();
  t.ok(await swarm.isProvenTo(back, full), `every shard is proven to the owner; ${replay}`);
  await back.close();
});
