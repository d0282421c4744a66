/** The blocks of a round, read by a thread that does not keep the cache. */
import { truncate } from "node:fs/promises";
import { test } from "tap";
import { assert } from "../../src/base/errors.ts";
import { readAside } from "../../src/cache/cache.ts";
import { sample } from "../contract/store.ts";
import { faultOf } from "../support/faults.ts";
import { temporaryCache } from "../support/temporary-cache.ts";

const root = Buffer.from("root");

test("blocks are read where they lie, and only what is not right there is asked for", async (t) => {
  await using made = await temporaryCache();
  const asked: string[] = [];
  const { store } = made;
  const aside = readAside({
    beginRound: () => store.beginRound(),
    place: (cid) => store.place(cid),
    placed: (cids) => store.placed(cids),
    endRound: (each) => store.endRound(each),
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
    read: (cid) => store.read(cid),
  });
  t.ok(block.bytes.equals(await moved.read(block.cid)), "it had only moved");
  const again = await made.reopen();
  await truncate(place.path, place.offsetBytes + place.lengthBytes - 1);
  t.equal(await faultOf(readAside(again).read(block.cid)), "Corrupt", "its end is gone");
});
