/** Real nodes, and nobody at home: who leaves is copied from, and drops nothing too early. */
import { test } from "tap";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import { GuardSwarm, type Member } from "../support/guard-swarm.ts";
import { makeBlocks } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/leave.nodes.test.ts`;

test("a holder leaves while its owner is away", { timeout: 100_000 }, async (t) => {
  await using swarm = await GuardSwarm.open({ seed, peers: 7 });
  const blocks = makeBlocks(seededRandom(seed), { count: 6, bytesMax: 100_000 });
  const { full, holders } = await swarm.give(blocks);
  t.equal(holders.length, 6, `${full} shards with six holders`);
  const { node } = swarm.members.get(holders[0] as number) as Member;
  t.match(await node.leave("status"), { state: "staying", before: null });
  const { sentBytes } = (await node.status()).traffic;
  const begun = await node.leave("begin");
  t.match(begun, { state: "leaving", before: { shards: begun.shards } });
  let least = full;
  const isGone = async (): Promise<boolean> => {
    least = Math.min(least, await swarm.total());
    return (await node.leave("status")).state === "gone";
  };
  t.ok(await swarm.until(isGone, 60), replay);
  t.equal(least, full, `no shard was missing for a moment; ${replay}`);
  t.equal(await swarm.total(), full, replay);
  const sent = (await node.status()).traffic.sentBytes - sentBytes;
  const shardBytes = limits.segment.shardBytes[0];
  t.ok(sent >= begun.shards * shardBytes, `${sent} bytes: copied from it, not made anew; ${replay}`);
  await swarm.destroy(holders[0] as number);
  t.equal(await swarm.recover("new device"), "root");
});
