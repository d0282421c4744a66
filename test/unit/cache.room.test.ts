/** Limits: writers wait for room, cold blocks make room, and a dirty block never does. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "tap";
import { KiB, MiB } from "../../src/base/bytes.ts";
import { isFault } from "../../src/base/errors.ts";
import type { Cid } from "../../src/base/ids.ts";
import type { Cache } from "../../src/cache/cache.ts";
import { chooseVictim } from "../../src/cache/room/victim.ts";
import { type Sample, attempt, sample } from "../contract/store.ts";
import { handClock, temporaryCache } from "../support/temporary-cache.ts";

const signal = new AbortController().signal;

test("a writer that finds no room waits until blocks are placed", async (t) => {
  await using made = await temporaryCache({ dirtyBytesMax: MiB });
  const { store } = made;
  const blocks = [1, 2, 3, 4, 5, 6].map((each) => sample(`full ${each}`, 256 * KiB));
  for (const { cid, bytes } of blocks.slice(0, 4)) await store.put(cid, bytes);
  await store.commit(Buffer.from("root"), 0);
  const order: number[] = [];
  const waiting = blocks.slice(4).map(async ({ cid, bytes }, index) => {
    await store.put(cid, bytes);
    order.push(index);
  });
  const again = blocks[0] as Sample;
  await store.put(again.cid, again.bytes);
  t.strictSame(order, [], "they wait; one that is here already does not");
  await store.placed([again.cid]);
  await waiting[0];
  t.strictSame(order, [0]);
  store.discard((blocks[1] as Sample).cid);
  await waiting[1];
  t.strictSame(order, [0, 1]);
  t.ok(store.usage().dirtyBytes <= MiB);
});

test("a writer for whom nothing is placed in time fails with NoSpace, the store lives", async (t) => {
  const clock = handClock();
  await using made = await temporaryCache({ dirtyBytesMax: MiB, fullWaitMs: 30_000, clock });
  const { store } = made;
  const blocks = [1, 2, 3, 4, 5].map((each) => sample(`late ${each}`, 256 * KiB));
  for (const { cid, bytes } of blocks.slice(0, 4)) await store.put(cid, bytes);
  const last = blocks[4] as Sample;
  const waiting = attempt(() => store.put(last.cid, last.bytes));
  clock.pass(29_999);
  t.equal(store.has(last.cid), false);
  clock.pass(1);
  const error = await waiting;
  t.ok(isFault(error, "NoSpace"), String(error));
  t.equal(store.has(last.cid), false);
  const page = sample("a page of the commit", 16 * KiB);
  await store.put(page.cid, page.bytes);
  await store.commit(Buffer.from("root"), 0);
  t.equal((await store.beginRound())?.blocks.length, 5, "small pages have a reserve");
  for (const { cid, bytes } of blocks.slice(0, 4)) t.ok(bytes.equals(await store.get(cid)));
});

test("clean blocks make room, dirty ones never do, and files really shrink", async (t) => {
  const peers = new Map<Cid, Buffer>();
  await using made = await temporaryCache({ limitBytes: 16 * MiB, fetcher: fetcherOf(peers) });
  const { store, directory } = made;
  const kept = Array.from({ length: 8 }, (_, index) => sample(`kept ${index}`, 100_000));
  for (let index = 0; index < 200; index++) {
    const block = sample(`stream ${index}`, 256 * KiB);
    await store.put(block.cid, block.bytes);
    const own = index % 25 === 0 ? kept[index / 25] : undefined;
    if (own !== undefined) await store.put(own.cid, own.bytes);
    await store.sync();
    peers.set(block.cid, block.bytes);
    await store.placed([block.cid]);
    while ((await store.step.step(signal)) === "busy");
    t.ok(store.usage().usedBytes <= 17 * MiB, "about the limit");
  }
  t.equal(await bytesIn(join(directory, "blocks")), store.usage().usedBytes);
  for (const { cid, bytes } of kept) t.ok(bytes.equals(await store.read(cid)), "dirty: never gone");
  const first = sample("stream 0", 256 * KiB);
  t.equal(store.has(first.cid), false, "cold: gone");
  t.ok(first.bytes.equals(await store.get(first.cid)), "and fetched again");
  const { storedBytes, copiedBytes } = store.report();
  t.ok(copiedBytes < storedBytes / 2, `${copiedBytes} copied of ${storedBytes}`);
});

test("without steps, writers make room themselves", async (t) => {
  await using made = await temporaryCache({ limitBytes: 8 * MiB });
  const { store } = made;
  for (let index = 0; index < 100; index++) {
    const block = sample(`alone ${index}`, 256 * KiB);
    await store.put(block.cid, block.bytes);
    await store.placed([block.cid]);
  }
  t.ok(store.usage().usedBytes <= 9 * MiB);
});

test("what is read often stays when what is not read goes", async (t) => {
  await using made = await temporaryCache({ limitBytes: 16 * MiB });
  const { store } = made;
  const hot = Array.from({ length: 8 }, (_, index) => sample(`hot ${index}`, 100_000));
  for (const block of hot) await putClean(store, block);
  for (let index = 0; index < 150; index++) {
    await putClean(store, sample(`cold ${index}`, 256 * KiB));
    for (const { cid } of hot) if (store.has(cid)) await store.get(cid);
    while ((await store.step.step(signal)) === "busy");
  }
  t.ok(hot.filter(({ cid }) => store.has(cid)).length >= 7, "the hot ones");
});

test("dropping what is clean gives its space back and leaves what is dirty", async (t) => {
  await using made = await temporaryCache();
  const { store } = made;
  const dirty = sample("dirty", 50_000);
  for (let index = 0; index < 40; index++) await putClean(store, sample(`c ${index}`, 200_000));
  await store.put(dirty.cid, dirty.bytes);
  t.equal(await store.dropClean(), 40 * 200_000);
  t.ok(store.usage().usedBytes < 200_000);
  t.ok(dirty.bytes.equals(await store.read(dirty.cid)));
  const again = await made.reopen();
  t.ok(dirty.bytes.equals(await again.read(dirty.cid)));
  t.equal(again.report().lostBlocks, 0);
});

test("a smaller limit holds at once", async (t) => {
  await using made = await temporaryCache();
  const { store } = made;
  for (let index = 0; index < 60; index++) await putClean(store, sample(`s ${index}`, 256 * KiB));
  t.ok(store.usage().usedBytes > 15 * MiB);
  await store.setLimit(8 * MiB);
  t.ok(store.usage().usedBytes <= 8 * MiB);
  t.equal(store.usage().dirtyBytesMax, 6 * MiB);
});

test("discarded blocks give their space back", async (t) => {
  await using made = await temporaryCache();
  const { store } = made;
  const blocks = Array.from({ length: 40 }, (_, index) => sample(`d ${index}`, 200_000));
  for (const { cid, bytes } of blocks) await store.put(cid, bytes);
  await store.sync();
  for (const { cid } of blocks.slice(1)) store.discard(cid);
  await store.commit(Buffer.from("root"), 0);
  while ((await store.step.step(signal)) === "busy");
  t.ok(store.usage().usedBytes < 1.3 * MiB, String(store.usage().usedBytes));
  const first = blocks[0] as Sample;
  t.ok(first.bytes.equals(await store.get(first.cid)));
});

test("the victim is a file that frees much for little, the older the sooner", (t) => {
  const file = (number: number, live: number, dirty: number, warm: number) => ({
    number, sizeBytes: 100, liveBytes: live, dirtyBytes: dirty, retainedBytes: 0, warmBytes: warm,
  });
  t.equal(chooseVictim([]), undefined);
  t.equal(chooseVictim([file(1, 100, 100, 0)]), undefined, "all dirty");
  t.equal(chooseVictim([file(1, 100, 60, 35)]), undefined, "too little to gain");
  t.equal(chooseVictim([file(3, 100, 0, 0), file(2, 100, 0, 0)])?.number, 2);
  t.equal(chooseVictim([file(1, 100, 80, 0), file(2, 100, 0, 20)])?.number, 2, "frees more");
  t.equal(chooseVictim([file(1, 100, 10, 0), file(9, 100, 0, 0)])?.number, 1, "is much older");
  t.equal(chooseVictim([file(1, 100, 10, 0), file(9, 0, 0, 0)])?.number, 9, "costs nothing");
  t.end();
});

async function putClean(store: Cache, { cid, bytes }: Sample): Promise<void> {
  await store.put(cid, bytes);
  await store.placed([cid]);
}

function fetcherOf(peers: ReadonlyMap<Cid, Buffer>) {
  return {
    async fetch(cid: Cid): Promise<Uint8Array> {
      const bytes = peers.get(cid);
      if (bytes === undefined) throw new Error(`no peer has ${cid}`);
      return bytes;
    },
  };
}

async function bytesIn(directory: string): Promise<number> {
  const names = await readdir(directory);
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(directory, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
