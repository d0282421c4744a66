/** What a count of all that is referred to took away is not brought back by a crash. */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "tap";
import { CidFilter } from "../../src/base/cid-filter.ts";
import type { Cache } from "../../src/cache/cache.ts";
import { sample } from "../contract/store.ts";
import { openIn, temporaryCache } from "../support/temporary-cache.ts";

const gone = sample("gone", 20_000);
const kept = sample("kept", 30_000);

/** Both are with the peers, and one of them is referred to no more. */
async function counted(store: Cache): Promise<void> {
  for (const { cid, bytes } of [gone, kept]) await store.put(cid, bytes);
  const root = Buffer.from("root");
  await store.commit(root, 0);
  await store.beginRound();
  await store.placed([gone.cid, kept.cid]);
  await store.endRound(root);
  const sweep = store.sweep(CidFilter.for(2));
  sweep.keep(kept.cid);
  await sweep.finish();
}

/** The cache as a crash leaves it at this moment. */
async function crashed(directory: string) {
  const copy = await mkdtemp(join(tmpdir(), "hive-sweep-"));
  await cp(directory, copy, { recursive: true });
  const store = await openIn(copy);
  return {
    store,
    async [Symbol.asyncDispose]() {
      await store.close();
      await rm(copy, { recursive: true });
    },
  };
}

test("what holders may drop now is not here after a crash either", async (t) => {
  await using made = await temporaryCache();
  await counted(made.store);
  await using after = await crashed(made.directory);
  t.ok(after.store.has(kept.cid));
  t.notOk(after.store.has(gone.cid), "or the next who writes it would count on holders");
});

test("written again, it waits for the peers again, whatever crashes", async (t) => {
  await using made = await temporaryCache();
  await counted(made.store);
  await made.store.put(gone.cid, gone.bytes);
  await made.store.sync();
  await using after = await crashed(made.directory);
  t.equal(after.store.usage().dirtyBytes, gone.bytes.length);
  await after.store.commit(Buffer.from("next"), 0);
  const round = await after.store.beginRound();
  t.strictSame(round?.blocks.map(({ cid }) => cid), [gone.cid]);
});
