/** A block that moves while its bytes are still on their way to its first place. */
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { setImmediate } from "node:timers/promises";
import { type Test, test } from "tap";
import { sample } from "../contract/store.ts";
import { temporaryCache } from "../support/temporary-cache.ts";

/** Writes to block files go one by one, each when it is let. */
function slowWrites(t: Test) {
  const { open } = promises;
  let next = Promise.withResolvers<void>();
  let isFree = false;
  let done = 0;
  promises.open = async (...opening) => {
    const handle = await open(...opening);
    if (!String(opening[0]).endsWith(".blocks")) return handle;
    const writev = handle.writev.bind(handle);
    const slow = async (...asked: Parameters<typeof writev>) => {
      if (!isFree) await next.promise;
      next = Promise.withResolvers<void>();
      const written = await writev(...asked);
      done++;
      return written;
    };
    return Object.assign(handle, { writev: slow });
  };
  syncBuiltinESMExports();
  const free = (): void => {
    isFree = true;
    next.resolve();
    promises.open = open;
    syncBuiltinESMExports();
  };
  t.teardown(free);
  return { one: () => next.resolve(), free, done: () => done };
}

test("is read from memory until it is in its new place", async (t) => {
  const writes = slowWrites(t);
  await using made = await temporaryCache();
  const { store } = made;
  // Five of them fill a file, of which the first is dead: that is enough to empty it.
  const blocks = Array.from({ length: 6 }, (_, at) => sample(`moving ${at}`, 200_000));
  for (const { cid, bytes } of blocks) void store.put(cid, bytes);
  store.discard(blocks[0]!.cid);
  const dropping = store.dropClean();
  for (let turn = 0; turn < 20; turn++) await setImmediate();
  writes.one();
  while (writes.done() === 0) await setImmediate();
  for (let turn = 0; turn < 20; turn++) await setImmediate();
  for (const { cid, bytes } of blocks.slice(1)) t.same(await store.get(cid), bytes);
  writes.free();
  await dropping;
  for (const { cid, bytes } of blocks.slice(1)) t.same(await store.get(cid), bytes);
  t.equal(store.report().corruptBlocks, 0);
  await store.sync();
  const again = await made.reopen();
  for (const { cid, bytes } of blocks.slice(1)) t.same(await again.get(cid), bytes);
});
