/** The cache as a source of uploads: what a round holds, and what becomes of it. */
import { test } from "tap";
import { unknownSlot } from "../../src/base/blocks.ts";
import { isFault } from "../../src/base/errors.ts";
import { attempt, sample } from "../contract/store.ts";
import { handClock, temporaryCache } from "../support/temporary-cache.ts";

const root1 = Buffer.from("root 1");
const root2 = Buffer.from("root 2");

test("a round holds the dirty blocks of the newest commit, in the order of writing", async (t) => {
  await using made = await temporaryCache();
  const { store } = made;
  t.equal(await store.beginRound(), undefined, "nothing was committed");
  const blocks = [3, 1, 2].map((each) => sample(`block ${each}`, 1000 + each));
  for (const { cid, bytes } of blocks) await store.put(cid, bytes);
  await store.commit(root1, 0);
  const late = sample("late", 500);
  await store.put(late.cid, late.bytes);
  await store.sync();
  const round = await store.beginRound();
  t.ok(root1.equals(round?.root ?? Buffer.alloc(0)));
  t.strictSame(
    round?.blocks,
    blocks.map(({ cid, bytes }) => ({ cid, lengthBytes: bytes.length })),
    "the block put after the commit is not among them",
  );
  for (const { cid, bytes } of blocks) t.ok(bytes.equals(await store.read(cid)));
});

test("placed blocks are clean, and stay so over a new start", async (t) => {
  await using made = await temporaryCache();
  const { store } = made;
  const one = sample("one", 1000);
  const other = sample("other", 2000);
  await store.put(one.cid, one.bytes);
  await store.put(other.cid, other.bytes);
  await store.commit(root1, 0);
  await store.beginRound();
  await store.placed([one.cid]);
  t.equal(store.usage().dirtyBytes, 2000);
  const again = await made.reopen();
  t.equal(again.usage().dirtyBytes, 2000);
  const round = await again.beginRound();
  t.strictSame(round?.blocks.map(({ cid }) => cid), [other.cid], "the rest of the round is found");
  await again.placed([other.cid]);
  await again.endRound(root1);
  t.equal(await again.beginRound(), undefined, "published");
  t.equal(await (await made.reopen()).beginRound(), undefined, "also after a new start");
  await made.store.commit(root2, 0);
  t.ok(await made.store.beginRound(), "until there is a newer commit");
});

test("a block discarded during the round that needs it stays readable until its end", async (t) => {
  await using made = await temporaryCache();
  const { store } = made;
  const old = sample("old", 1000);
  await store.put(old.cid, old.bytes);
  await store.commit(root1, 0);
  const round = await store.beginRound();
  t.equal(round?.blocks.length, 1);
  await store.commit(root2, 0);
  store.discard(old.cid);
  await store.commit(Buffer.from("root 3"), 0);
  t.equal(store.has(old.cid), false);
  t.ok(old.bytes.equals(await store.read(old.cid)));
  t.equal(store.usage().dirtyBytes, 1000, "it still has to be uploaded");
  await store.endRound(root1);
  t.equal(store.usage().dirtyBytes, 0);
  await store.commit(Buffer.from("root 4"), 0);
  const error = await attempt(() => store.read(old.cid));
  t.ok(isFault(error, "NotFound"), String(error));
  t.strictSame((await store.beginRound())?.blocks, []);
});

test("a block discarded before its round is not uploaded", async (t) => {
  await using made = await temporaryCache();
  const { store } = made;
  const old = sample("old", 1000);
  await store.put(old.cid, old.bytes);
  await store.commit(root1, 0);
  await store.commit(root2, 0);
  store.discard(old.cid);
  const round = await store.beginRound();
  t.ok(root2.equals(round?.root ?? Buffer.alloc(0)));
  t.strictSame(round?.blocks, []);
});

test("a page discarded before the commit that supersedes it outlives a crash", async (t) => {
  await using made = await temporaryCache();
  const old = sample("old", 1000);
  await made.store.put(old.cid, old.bytes);
  await made.store.commit(root1, 0);
  made.store.discard(old.cid);
  await made.store.sync();
  // No commit follows: the root on disk still names it.
  const again = await made.reopen();
  t.ok(old.bytes.equals(await again.get(old.cid)));
  t.equal((await again.beginRound())?.blocks.length, 1);
});

test("a block that a synced record may name outlives its discard until the commit", async (t) => {
  await using made = await temporaryCache();
  const block = sample("named by the journal", 1000);
  await made.store.put(block.cid, block.bytes);
  made.store.append(Buffer.from("names it"));
  await made.store.sync();
  made.store.discard(block.cid);
  t.equal(made.store.usage().dirtyBytes, 0);
  await made.store.sync();
  const again = await made.reopen();
  t.ok(block.bytes.equals(await again.get(block.cid)));
  again.discard(block.cid);
  await again.commit(root1, 1);
  const last = await made.reopen();
  t.equal(last.has(block.cid), false);
});

test("a block that comes back after its discard belongs to the drive again", async (t) => {
  await using made = await temporaryCache();
  const { store } = made;
  const block = sample("comes back", 1000);
  await store.put(block.cid, block.bytes);
  await store.commit(root1, 0);
  store.discard(block.cid);
  await store.put(block.cid, block.bytes);
  await store.commit(root2, 0);
  await store.commit(Buffer.from("root 3"), 0);
  const again = await made.reopen();
  t.ok(block.bytes.equals(await again.get(block.cid)));
  t.equal((await again.beginRound())?.blocks.length, 1);
});

test("the uploader is woken by a commit and by writers that wait, not by time", async (t) => {
  const clock = handClock();
  await using made = await temporaryCache({ dirtyBytesMax: 300_000, fullWaitMs: 50, clock });
  const { store } = made;
  let woken = 0;
  const listening = store.onDirty(() => woken++);
  const first = sample("first", 250_000);
  await store.put(first.cid, first.bytes);
  await store.sync();
  t.equal(woken, 0);
  await store.commit(root1, 0);
  t.equal(woken, 1);
  const second = sample("second", 250_000);
  const waiting = attempt(() => store.put(second.cid, second.bytes));
  t.equal(woken, 2);
  clock.pass(50);
  t.ok(isFault(await waiting, "NoSpace"));
  listening[Symbol.dispose]();
  await store.commit(root2, 0);
  t.equal(woken, 2);
});

test("garbage goes though an open round has it, and the next round is without it", async (t) => {
  await using made = await temporaryCache();
  const { store } = made;
  const [kept, gone] = [sample("kept", 30_000), sample("gone", 50_000)];
  for (const { cid, bytes } of [kept, gone]) await store.put(cid, bytes);
  await store.commit(Buffer.from("first"), 0);
  t.equal((await store.beginRound())?.blocks.length, 2, "and no peer comes");
  const sweep = store.sweep();
  sweep.keep(kept.cid);
  t.equal(await sweep.finish(), 50_000);
  t.equal(store.usage().dirtyBytes, 30_000, "its room is there at once");
  await store.commit(Buffer.from("second"), 0);
  await store.commit(Buffer.from("third"), 0);
  t.ok(isFault(await attempt(() => store.read(gone.cid)), "NotFound"));
  const next = await store.beginRound();
  t.strictSame(next?.blocks.map(({ cid }) => cid), [kept.cid]);
  await store.placed([kept.cid]);
  await store.endRound(Buffer.from("third"));
  t.equal(store.usage().dirtyBytes, 0);
});

test("a block's policy goes with it: through a restart, a move, and a put of what was fetched",
  async (t) => {
    const fetched = sample("fetched", 2000);
    const fetcher = { fetch: async () => fetched.bytes };
    await using made = await temporaryCache({ fetcher });
    const some = [0, 1, 15].map((slot) => ({ slot, ...sample(`slot ${slot}`, 3000 + slot) }));
    for (const { cid, bytes, slot } of some) await made.store.put(cid, bytes, { slot });
    await made.store.get(fetched.cid);
    await made.store.commit(Buffer.from("root"), 0);
    const again = await made.reopen();
    const found = (await again.beginRound())?.blocks.map(({ slot }) => slot);
    t.strictSame(found, [undefined, 1, 15], "what was fetched is the peers' already");
    await again.placed(some.map(({ cid }) => cid));
    await again.endRound(Buffer.from("root"));
    await again.put(fetched.cid, fetched.bytes, { slot: 7 });
    const check = await again.check({ progress: () => undefined, isPlaced: async () => false });
    t.equal(check.reclaimed, 4);
    await again.commit(Buffer.from("next"), 0);
    const last = await made.reopen();
    const slots = (await last.beginRound())?.blocks.map(({ slot = 0 }) => slot);
    t.strictSame(new Set(slots), new Set([0, 1, 15, 7]));
  });

test("of a fetched block that peers lost, nobody knows the policy: it is not the default", async (t) => {
  const { cid, bytes } = sample("lost by peers", 2000);
  await using made = await temporaryCache({ fetcher: { fetch: async () => bytes } });
  await made.store.get(cid);
  await made.store.check({ progress: () => undefined, isPlaced: async () => false });
  await made.store.commit(Buffer.from("root"), 0);
  const round = await made.store.beginRound();
  t.strictSame(round?.blocks, [{ cid, lengthBytes: 2000, slot: unknownSlot }]);
});
