/** What holders have lost beyond repair goes up again from this machine, as long as it is here. */
import { test } from "tap";
import { openAgent } from "../../src/agent/agent.ts";
import { limits } from "../../src/base/limits.ts";
import { cidOf } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Cache } from "../../src/cache/cache.ts";
import type { Transfer } from "../../src/transfer/transfer.ts";
import type { HonestHost } from "../support/honest-host.ts";
import { loopbackKeys } from "../support/loopback-network.ts";
import { temporaryCache } from "../support/temporary-cache.ts";
import { MemoryBooks, ShiftedClock, type World, makeBlocks, makeWorld, missing, openWorld }
  from "../support/transfer-world.ts";

const { signal } = new AbortController();

/** Time that a step waits for goes by when a test says so. */
class WaitedClock extends ShiftedClock {
  waitedMs = 0;
  override readonly monotonicMs = (): number => performance.now() + this.waitedMs;
}

/** Every holder has lost every shard, as audits find out. */
async function loseAll({ network }: World, transfer: Transfer): Promise<void> {
  for (const { host } of network.members.values()) (host as HonestHost).shards.clear();
  await missAll(transfer);
}

/** Every shard was missed when its holder was asked. */
async function missAll({ health }: Transfer): Promise<void> {
  for (const { segment, holders } of health.segments()) {
    for (const [index, holder] of holders.entries()) {
      if (holder !== undefined) await health.dropShard({ segment, index, holder });
    }
  }
}

/** A drive of some blocks, all with peers and here; `look` is what the step does in time. */
async function openAll(world: World, store: Cache) {
  const clock = new WaitedClock();
  const transfer = await openWorld({ ...world, source: store } as unknown as World, { clock });
  const needs = { ...world, transfer, books: new MemoryBooks(), clock, log: silentLog };
  const agent = await openAgent(needs, { auditIntervalMs: 1_000_000_000 });
  const step = agent.steps.find(({ name }) => name === "rescue");
  const look = async (): Promise<void> => {
    clock.waitedMs += limits.agent.rescueEveryMs + 1;
    await step?.step(signal);
  };
  const blocks = makeBlocks(world.random, { count: 20, bytesMax: 30_000 });
  for (const bytes of blocks) await store.put(cidOf(bytes), bytes);
  await store.commit(Buffer.from("root"), 0);
  await transfer.flush(20_000);
  return { transfer, blocks, look };
}

test("blocks of a lost segment that are here wait for peers again, and are placed", async (t) => {
  const world = makeWorld(6, "rescue");
  await using cache = await temporaryCache();
  const { store } = cache;
  const { transfer, blocks, look } = await openAll(world, store);
  t.equal(store.usage().dirtyBytes, 0);
  await look();
  t.equal(store.usage().dirtyBytes, 0, "nothing is lost");

  await loseAll(world, transfer);
  await look();
  const bytes = blocks.reduce((sum, { length }) => sum + length, 0);
  t.equal(store.usage().dirtyBytes, bytes, "nobody evicts them");
  await transfer.flush(20_000);
  t.equal(store.usage().dirtyBytes, 0);
  const other = await openWorld({ ...world, books: new MemoryBooks() });
  t.equal(Buffer.from((await other.recover())?.root ?? []).toString(), "root");
  t.strictSame(await missing(other, blocks), []);
  await look();
  const lost = transfer.health.segments().filter(({ holders }) => holders.every((one) => !one));
  t.strictSame(lost, [], "and what has nothing in it any more alarms nobody");
});

test("what another device has brought does not go up again, and what is lost does", async (t) => {
  const world = makeWorld(6, "rescue of several");
  await using cache = await temporaryCache();
  const { store } = cache;
  const { transfer, look } = await openAll(world, store);
  transfer.devices.there = () => new Set([loopbackKeys("another device").peer]);
  await missAll(transfer);
  await look();
  t.equal(store.usage().dirtyBytes, 0, "it is with those who should have it");
  const holders = transfer.health.segments().flatMap((state) => state.holders);
  t.notOk(holders.includes(undefined), "as the books know now");

  await loseAll(world, transfer);
  await look();
  t.ok(store.usage().dirtyBytes > 0);
});
