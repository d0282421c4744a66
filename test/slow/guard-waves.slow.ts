/**
 * Two thirds of a group die in two waves while its owner is away, and one more forgets everything.
 * HIVE_LOUD tells all.
 */
import { test } from "tap";
import { lineLog, silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { GuardSwarm, unread } from "../support/guard-swarm.ts";
import { makeBlocks } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/slow/guard-waves.slow.ts`;
const isLoud = process.env["HIVE_LOUD"] !== undefined;
const write = (line: string): void => void process.stderr.write(line);
const log = isLoud ? lineLog({ level: "debug", write }) : silentLog;

test("two thirds of a group die in turn while its owner is away, and nothing is lost", {
  timeout: 600_000,
}, async (t) => {
  await using swarm = await GuardSwarm.open({ seed, peers: 11, log });
  const blocks = makeBlocks(seededRandom(seed), { count: 12, bytesMax: 100_000 });
  const { full, holders: before } = await swarm.give(blocks);
  t.equal(before.length, 6, `${full} shards with six holders`);
  const isWhole = async (): Promise<boolean> => await swarm.total() === full;
  for (const wave of [before.slice(0, 2), before.slice(2, 4)]) {
    await Promise.all(wave.map((number) => swarm.destroy(number)));
    t.ok(await swarm.until(isWhole, 150), `${await swarm.total()} of ${full} shards; ${replay}`);
  }
  // One comes back with its name and nothing else: it has no vote, but it is given its shards.
  await swarm.destroy(before[5] as number);
  await swarm.start(before[5] as number);
  t.ok(await swarm.until(isWhole, 150), `${await swarm.total()} of ${full} shards; ${replay}`);
  t.equal(await swarm.recover("new device"), "root", "the head outlived all that had it first");
  const fresh = await swarm.owner("new device");
  t.equal(await unread(fresh, blocks), 0, `every block is read; ${replay}`);
  await fresh.close();
  const back = await swarm.owner();
  t.ok(await swarm.isProvenTo(back, full), `every shard is proven to the owner; ${replay}`);
  t.equal((await back.status()).drive?.survives, 4);
  await back.close();
});
