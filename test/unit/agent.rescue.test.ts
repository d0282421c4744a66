/** What holders have lost beyond repair goes up again from this machine, as long as it is here. */
import { test } from "tap";
import { openAgent } from "../../src/agent/agent.ts";
import { limits } from "../../src/base/limits.ts";
import { cidOf } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Transfer } from "../../src/transfer/transfer.ts";
import type { HonestHost } from "../support/honest-host.ts";
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
async function loseAll({ network }: World, { health }: Transfer): Promise<void> {
  for (const { host } of network.members.values()) (host as HonestHost).shards.clear();
  for (const { segment, holders } of health.segments()) {
    for (const [index, holder] of holders.entries()) {
      if (holder !== undefined) await health.dropShard({ segment, index, holder });
    }
  }
}

test("blocks of a lost segment that are here wait for peers again, and are placed", async (t) => {
  const world = makeWorld(6, "rescue");
  const clock = new WaitedClock();
  await using cache = await temporaryCache();
  const { store } = cache;
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
