/** What the user wants here stays here, whatever else comes; and all else may leave. */
import { existsSync, writeFileSync } from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { test } from "tap";
import { KiB, MiB } from "../../src/base/bytes.ts";
import { isFault } from "../../src/base/errors.ts";
import type { Cid } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import type { Cache } from "../../src/cache/cache.ts";
import { type Sample, attempt, sample } from "../contract/store.ts";
import { temporaryCache } from "../support/temporary-cache.ts";

const signal = new AbortController().signal;
const list = Buffer.from("a sealed list");

/** Peers that have whatever was placed. */
function peersWith(samples: readonly Sample[]) {
  const bytesOf = new Map(samples.map(({ cid, bytes }) => [cid, bytes]));
  const asked: Cid[] = [];
  const fetch = async (cid: Cid): Promise<Uint8Array> => {
    asked.push(cid);
    return bytesOf.get(cid) as Buffer;
  };
  return { fetch, asked };
}

async function putClean(store: Cache, samples: readonly Sample[]): Promise<void> {
  for (const { cid, bytes } of samples) await store.put(cid, bytes);
  await store.commit(Buffer.from(`root ${samples[0]?.cid}`), 0);
  await store.beginRound();
  await store.placed(samples.map(({ cid }) => cid));
}

const samples = (name: string, count: number, bytes = 128 * KiB): readonly Sample[] =>
  Array.from({ length: count }, (_, at) => sample(`${name} ${at}`, bytes));

function here(store: Cache, those: readonly Sample[]): number {
  return those.filter(({ cid }) => store.has(cid)).length;
}

async function rest(store: Cache): Promise<void> {
  let turns = 0;
  while ((await store.step.step(signal)) === "busy") if (++turns > 2000) throw new Error("for ever");
}

test("pinned blocks stay through a full store and a drop, until they are not any more", async (t) => {
  const [pinned, cold] = [samples("pinned", 12), samples("cold", 100)];
  await using made = await temporaryCache({ limitBytes: 8 * MiB });
  const { store } = made;
  await putClean(store, pinned);
  await store.pins.save(list);
  const judgement = store.pins.judge();
  for (const { cid } of pinned) judgement.keep(cid);
  await judgement.finish();
  for (let from = 0; from < cold.length; from += 10) {
    await putClean(store, cold.slice(from, from + 10));
    const other = store.pins.judge();
    for (const { cid } of pinned) other.keep(cid);
    await other.finish();
    await rest(store);
  }
  t.equal(here(store, pinned), pinned.length);
  t.ok(here(store, cold) < 60, "the others made room");
  t.ok(store.usage().usedBytes <= 8 * MiB, `${store.usage().usedBytes}`);
  await store.dropClean();
  t.equal(here(store, pinned), pinned.length, "a drop leaves them");
  t.equal(here(store, cold), 0);
  for (const { cid, bytes } of pinned) t.ok(bytes.equals(await store.get(cid)));
  t.equal(store.pins.room().pinnedBytes > 12 * 128 * KiB, true);
  await store.pins.save(undefined);
  await store.pins.judge().finish();
  t.equal(store.pins.room().pinnedBytes, 0);
  await store.dropClean();
  t.equal(here(store, pinned), 0, "unpinned, they go");
});

test("whatever may be pinned stays until a judgement has seen it", async (t) => {
  const [old, fresh] = [samples("old", 8), samples("fresh", 8)];
  await using made = await temporaryCache({ limitBytes: 8 * MiB });
  await putClean(made.store, old);
  await made.store.pins.save(list);
  const store = await made.reopen();
  t.ok(list.equals(store.pins.list() ?? Buffer.alloc(0)), "the list is there after a restart");
  await store.dropClean();
  t.equal(here(store, old), old.length, "nobody has said yet that they are not");
  const judgement = store.pins.judge();
  for (const { cid } of old.slice(0, 3)) judgement.keep(cid);
  await putClean(store, fresh);
  await judgement.finish();
  await store.dropClean();
  t.equal(here(store, old), 3);
  t.equal(here(store, fresh), fresh.length, "they came when it was under way");
  const [again] = old.slice(5);
  const next = store.pins.judge();
  await putClean(store, [again as Sample]);
  await next.finish();
  await store.dropClean();
  t.equal(here(store, fresh), 0, "the next one judges them");
  t.ok(store.has((again as Sample).cid), "what is put again counts as new");
  await store.pins.save(undefined);
  t.notOk(existsSync(join(made.directory, "pins")));
  t.equal((await made.reopen()).pins.list(), undefined);
});

test("what is brought takes the place of cold blocks, and no more than pins may", async (t) => {
  const limitBytes = 8 * MiB;
  const [wanted, cold] = [samples("wanted", 80), samples("cold", 70)];
  const peers = peersWith([...wanted, ...cold]);
  await using made = await temporaryCache({ limitBytes, fetcher: peers });
  const { store } = made;
  for (let from = 0; from < cold.length; from += 10) {
    await putClean(store, cold.slice(from, from + 10));
    await rest(store);
  }
  await store.pins.save(list);
  let brought = 0;
  let fault: unknown;
  for (const { cid } of wanted) {
    fault = await attempt(() => store.pins.bring(cid, { signal }));
    if (fault !== undefined) break;
    brought++;
  }
  t.ok(isFault(fault, "NoSpace"), String(fault));
  const { pinnedBytes, pinnedBytesMax } = store.pins.room();
  t.equal(pinnedBytesMax, limitBytes * limits.pins.shareMax);
  t.ok(pinnedBytes <= pinnedBytesMax && pinnedBytes > pinnedBytesMax - 512 * KiB, `${pinnedBytes}`);
  t.equal(here(store, wanted), brought);
  await rest(store);
  t.equal(here(store, wanted), brought, "and stay");
  t.ok(store.usage().usedBytes <= limitBytes);
  t.equal(peers.asked.length, brought, "the one that has no room is not asked for");
  t.ok(store.usage().dirtyBytesMax <= limitBytes - pinnedBytes, "writers have the rest");
});

test("a store that is full of what must stay comes to rest, and still takes what is written", async (t) => {
  await using made = await temporaryCache({ limitBytes: 8 * MiB });
  const { store } = made;
  await store.pins.save(list);
  const all = samples("all", 66);
  for (let from = 0; from < all.length; from += 11) await putClean(store, all.slice(from, from + 11));
  await rest(store);
  t.equal(here(store, all), all.length, "not one was judged");
  const more = sample("more", 256 * KiB);
  await store.put(more.cid, more.bytes);
  await store.sync();
  await rest(store);
  t.ok(store.has(more.cid));
});

test("a crash while the list is saved leaves the old one", async (t) => {
  await using made = await temporaryCache();
  await made.store.pins.save(list);
  const store = await made.reopen((directory) => {
    writeFileSync(join(directory, "pins.new"), "half a li");
  });
  t.ok(list.equals(store.pins.list() ?? Buffer.alloc(0)));
  await store.pins.save(Buffer.from("another"));
  t.equal(String((await made.reopen()).pins.list()), "another");
});

test("a list that was saved, or taken back, has its name on the disk", async (t) => {
  await using made = await temporaryCache();
  const { directory, store } = made;
  const { open } = promises;
  /** What the directory had when it was last synced. */
  let durable = false;
  promises.open = async (...asked) => {
    const handle = await open(...asked);
    const sync = handle.sync.bind(handle);
    if (asked[0] === directory) handle.sync = async () => {
      durable = existsSync(join(directory, "pins"));
      await sync();
    };
    return handle;
  };
  t.teardown(() => {
    promises.open = open;
    syncBuiltinESMExports();
  });
  syncBuiltinESMExports();
  await store.pins.save(list);
  t.ok(durable);
  await store.pins.save(undefined);
  t.notOk(durable);
});
