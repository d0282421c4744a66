/** Real nodes leave, one after the other: every shard has another home before it is gone. */
import { test } from "tap";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import { noOrders } from "../../src/base/traffic.ts";
import { GuardSwarm, type Member, unread } from "../support/guard-swarm.ts";
import { makeBlocks } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/slow/leave.slow.ts`;

test("holders leave: nobody at home, then one that may keep less, then one that is too slow", {
  timeout: 200_000,
}, async (t) => {
  await using swarm = await GuardSwarm.open({ seed, peers: 9 });
  const blocks = makeBlocks(seededRandom(seed), { count: 12, bytesMax: 100_000 });
  const { full, holders } = await swarm.give(blocks);
  t.equal(holders.length, 6, `${full} shards with six holders`);
  let least = full;
  const [first, second, slow] = holders.map((at) => swarm.members.get(at) as Member);
  const leaves = async ({ node }: Member): Promise<boolean> => {
    await node.leave("begin");
    return swarm.until(async () => {
      least = Math.min(least, await swarm.total());
      return (await node.leave("status")).state === "gone";
    }, 60);
  };
  const before = await first!.node.status();
  t.match(await first!.node.leave("begin"), { state: "leaving", before: { shards: before.vault.shards } });
  t.match(await first!.node.leave("cancel"), { state: "staying", before: null });
  t.ok(await leaves(first!), `its fellows see to it; ${replay}`);
  t.equal(least, full, `no shard was missing for a moment; ${replay}`);
  const sent = (await first!.node.status()).traffic.sentBytes - before.traffic.sentBytes;
  const all = before.vault.shards * limits.segment.shardBytes[0];
  t.ok(sent >= all, `${sent} bytes: copied from it, not made anew; ${replay}`);
  await swarm.destroy(first!.number);
  t.equal(await swarm.recover("new device"), "root");

  const owner = await swarm.owner();
  await swarm.until(async () => (await owner.status()).peers.online >= 8, 30);
  await second!.node.setQuota(0);
  const isEmpty = async (): Promise<boolean> => (await second!.node.status()).vault.shards === 0;
  t.ok(await swarm.until(isEmpty, 60), `a quota below what is there: its owner sees to it; ${replay}`);
  // Nothing at all goes over its line: what it has is made anew out of the others'.
  const upload = [{ days: [0, 1, 2, 3, 4, 5, 6], fromMinute: 0, toMinute: 0, perSecond: 0 }];
  await slow!.node.limit({ ...noOrders, upload, limitLan: true });
  t.ok(await leaves(slow!), `however slow it is; ${replay}`);
  t.ok(await swarm.isProvenTo(owner, full), `every shard is proven to the owner; ${replay}`);
  t.equal(await unread(owner, blocks), 0, `every block is read; ${replay}`);
  await owner.close();
});
