/** When a round begins, and how its blocks are read by a thread that does not keep the cache. */
import { truncate } from "node:fs/promises";
import { test } from "tap";
import { KiB, MiB } from "../../src/base/bytes.ts";
import { assert } from "../../src/base/errors.ts";
import { limits } from "../../src/base/limits.ts";
import { readAside } from "../../src/cache/cache.ts";
import { sample } from "../contract/store.ts";
import { faultOf } from "../support/faults.ts";
import { handClock, temporaryCache } from "../support/temporary-cache.ts";

const { uploadRestMs, uploadRestMsMax, uploadRestShareMax } = limits.cache;
const patient = { patient: true };
const root = Buffer.from("root");

test("what was written rests until a silence, and who was sent away is told then", async (t) => {
  const clock = handClock();
  await using made = await temporaryCache({ clock });
  const { store } = made;
  const block = sample("block", 1000);
  await store.put(block.cid, block.bytes);
  await store.commit(root, 0);
  let told = 0;
  using _listener = store.onDirty(() => told++);
  t.equal(await store.beginRound(patient), undefined);
  clock.pass(uploadRestMs - 1);
  store.append(Buffer.from("a record is work too"));
  t.equal(await store.beginRound(patient), undefined, "the silence begins anew");
  clock.pass(uploadRestMs - 1);
  t.equal(told, 0);
  clock.pass(1);
  t.equal(told, 1);
  t.equal((await store.beginRound(patient))?.blocks.length, 1);
});

test("what is removed while it rests never goes up", async (t) => {
  const clock = handClock();
  await using made = await temporaryCache({ clock });
  const { store } = made;
  const [kept, removed] = [sample("kept", 1000), sample("removed", 1000)];
  for (const { cid, bytes } of [kept, removed]) await store.put(cid, bytes);
  await store.commit(root, 0);
  t.equal(await store.beginRound(patient), undefined);
  store.discard(removed.cid);
  await store.commit(Buffer.from("root without it"), 0);
  clock.pass(uploadRestMs);
  t.strictSame((await store.beginRound(patient))?.blocks.map(({ cid }) => cid), [kept.cid]);
});

test("work without end goes up all the same, a while after it began", async (t) => {
  const clock = handClock();
  await using made = await temporaryCache({ clock });
  const { store } = made;
  const begun: number[] = [];
  for (let ms = 0; ms <= 2 * uploadRestMsMax + 1000; ms += 1000) {
    const { cid, bytes } = sample(`at ${ms}`, 1000);
    await store.put(cid, bytes);
    await store.commit(Buffer.from(`root ${ms}`), 0);
    const round = await store.beginRound(patient);
    if (round !== undefined) {
      begun.push(ms);
      await store.placed(round.blocks.map((block) => block.cid));
      await store.endRound(round.root);
    }
    clock.pass(1000);
  }
  t.strictSame(begun, [uploadRestMsMax, 2 * uploadRestMsMax + 1000]);
});

test("a store that fills, an open round, a new start and whoever waits need no rest", async (t) => {
  const clock = handClock();
  await using made = await temporaryCache({ clock, dirtyBytesMax: MiB });
  const { store } = made;
  const blockBytes = 64 * KiB;
  const count = uploadRestShareMax * MiB / blockBytes + 1;
  for (let number = 1; number <= count; number++) {
    const { cid, bytes } = sample(`block ${number}`, blockBytes);
    await store.put(cid, bytes);
    await store.commit(Buffer.from(`root ${number}`), 0);
    const much = await store.beginRound(patient);
    t.equal(much !== undefined, number === count, `${number} blocks`);
  }
  await store.placed((await store.beginRound(patient))?.blocks.map(({ cid }) => cid) ?? []);
  t.ok(await store.beginRound(patient), "a round that has begun goes on");
  await store.endRound(store.root() ?? root);
  const last = sample("last", 1000);
  await store.put(last.cid, last.bytes);
  await store.commit(root, 0);
  t.equal(await store.beginRound(patient), undefined);
  t.ok(await (await made.reopen()).beginRound(patient), "what was here before has rested");
  await made.store.endRound(root);
  await made.store.commit(Buffer.from("another"), 0);
  t.ok(await made.store.beginRound(), "somebody waits");
});

test("blocks are read where they lie, and only what is not right there is asked for", async (t) => {
  await using made = await temporaryCache();
  const asked: string[] = [];
  const { store } = made;
  const aside = readAside({
    beginRound: () => store.beginRound(),
    place: (cid) => store.place(cid),
    placed: (cids) => store.placed(cids),
    endRound: (each) => store.endRound(each),
    lost: (cids) => store.lost(cids),
    read: (cid) => {
      asked.push(cid);
      return store.read(cid);
    },
  });
  const block = sample("block", 100_000);
  await store.put(block.cid, block.bytes);
  const into = Buffer.alloc(block.bytes.length);
  t.ok(block.bytes.equals(await aside.read(block.cid, into)), "out of memory, before it is written");
  await store.commit(root, 0);
  asked.length = 0;
  const read = await aside.read(block.cid, into);
  t.ok(block.bytes.equals(read));
  t.ok(read.buffer === into.buffer, "into the room that was offered");
  t.ok(block.bytes.equals(await aside.read(block.cid, Buffer.alloc(10))), "or elsewhere");
  t.strictSame(asked, [], "the cache gave no bytes");
  t.equal(await faultOf(aside.read(sample("never", 10).cid)), "NotFound");
});

test("bytes that are wrong where they lie are the cache's to judge", async (t) => {
  await using made = await temporaryCache();
  const { store } = made;
  const block = sample("block", 100_000);
  await store.put(block.cid, block.bytes);
  await store.commit(root, 0);
  const place = await store.place(block.cid);
  assert(place !== undefined);
  const moved = readAside({
    beginRound: () => store.beginRound(),
    place: async () => ({ ...place, offsetBytes: place.offsetBytes + 1 }),
    placed: (cids) => store.placed(cids),
    endRound: (each) => store.endRound(each),
    lost: (cids) => store.lost(cids),
    read: (cid) => store.read(cid),
  });
  t.ok(block.bytes.equals(await moved.read(block.cid)), "it had only moved");
  const again = await made.reopen();
  await truncate(place.path, place.offsetBytes + place.lengthBytes - 1);
  t.equal(await faultOf(readAside(again).read(block.cid)), "Corrupt", "its end is gone");
});

test("what counts as placed and is in no books goes up again", async (t) => {
  await using made = await temporaryCache();
  const { store } = made;
  const blocks = ["known", "unknown"].map((name) => sample(name, 1000));
  for (const { cid, bytes } of blocks) await store.put(cid, bytes);
  await store.commit(root, 0);
  const cids = blocks.map(({ cid }) => cid);
  await store.beginRound();
  await store.placed(cids);
  await store.endRound(root);
  t.equal(await store.reclaim(async (some) => some.map(() => true)), 0);
  t.equal(await store.beginRound(), undefined);
  t.equal(await store.reclaim(async (some) => some.map((cid) => cid === cids[0])), 1);
  const again = await made.reopen();
  t.strictSame((await again.beginRound())?.blocks.map(({ cid }) => cid), [cids[1]]);
});
