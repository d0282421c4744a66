/** What is here may be the last copy of it while the books of what peers have are in doubt. */
import { test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import type { NodeStatus } from "../../src/base/views/drive.ts";
import { keptHere } from "../../src/drive/kept-here.ts";
import { attempt, sample } from "../contract/store.ts";
import { temporaryCache } from "../support/temporary-cache.ts";

test("the cache is not dropped by books that may not tell of all that is in it", async (t) => {
  await using made = await temporaryCache();
  const { store } = made;
  const block = sample("placed since the last head", 1000);
  await store.put(block.cid, block.bytes);
  await store.commit(Buffer.from("root"), 0);
  await store.placed([block.cid]);
  const alerts = [{ kind: "doubted" as const, policy: null, text: "" }];
  const node = { status: async () => ({ drive: { alerts } }) as unknown as NodeStatus };
  const parts = { cache: store, tree: { knownInos: () => [] }, mounted: {}, node, wake: () => undefined };
  const here = keptHere(parts as unknown as Parameters<typeof keptHere>[0]);
  const fault = await attempt(() => here.cache({ drop: true }));
  t.ok(isFault(fault, "Unavailable") && fault.op === "drive.doubt", String(fault));
  t.equal(store.has(block.cid), true);
  alerts.length = 0;
  t.ok((await here.cache({ drop: true })).droppedBytes >= 1000);
  t.equal(store.has(block.cid), false);
});
