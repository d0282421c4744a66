/** A start over a store that is full of what no peer has: the journal's bytes are let in. */
import t, { test } from "tap";
import { MiB } from "../../src/base/bytes.ts";
import { isFault } from "../../src/base/errors.ts";
import { cidOf } from "../../src/base/ids.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Cache } from "../../src/cache/cache.ts";
import { temporaryCache } from "../support/temporary-cache.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`replay room ${seed}`);
// A mount would keep the process alive; timers of those who wait do not.
const alive = setInterval(() => undefined, 1000);
t.teardown(() => clearInterval(alive));

test("what the journal brings back waits for no room until it is committed", async (t) => {
  await using made = await temporaryCache({ limitBytes: 16 * MiB, fullWaitMs: 50 });
  await made.store.commit(Buffer.from("root"), 0);
  made.store.append(Buffer.from("a change"));
  await made.store.sync();
  t.ok(await fill(made.store) > 4, "until a writer was turned away");

  const store = await made.reopen();
  const records: string[] = [];
  for await (const record of store.replay()) records.push(Buffer.from(record).toString());
  t.strictSame(records, ["a change"]);
  for (let extra = 0; extra < 4; extra++) await put(store);
  t.ok(store.usage().dirtyBytes > store.usage().dirtyBytesMax, "beyond the room");
  await store.commit(Buffer.from("newer root"), 1);
  t.equal(await fill(store), 0, "from then on all wait as ever");
});

test("a start with nothing to bring back lets nobody in beyond the room", async (t) => {
  await using made = await temporaryCache({ limitBytes: 16 * MiB, fullWaitMs: 50 });
  await made.store.commit(Buffer.from("root"), 0);
  await fill(made.store);
  const store = await made.reopen();
  for await (const _record of store.replay()) t.fail("there is none");
  t.equal(await fill(store), 0);
});

/** How many blocks found room. */
async function fill(store: Cache): Promise<number> {
  for (let count = 0; ; count++) {
    try {
      await put(store);
    } catch (error) {
      if (!isFault(error, "NoSpace")) throw error;
      return count;
    }
  }
}

async function put(store: Cache): Promise<void> {
  const block = Buffer.alloc(256 * 1024, random.bytes(4096));
  await store.put(cidOf(block), block);
}
