/**
 * What every DriveStore must do, whoever implements it: the cache on disk, and stores in memory
 * that stand in for it elsewhere. Each test gets a store of its own from the factory.
 */
import { test } from "tap";
import type { DriveStore } from "../../src/base/blocks.ts";
import { CidFilter } from "../../src/base/cid-filter.ts";
import { isFault } from "../../src/base/errors.ts";
import { type Cid, cidOf } from "../../src/base/ids.ts";
import { seededRandom } from "../../src/base/random.ts";

export interface StoreUnderTest extends AsyncDisposable {
  readonly store: DriveStore;
  /** Closes the store and opens it again on what is durable; absent where nothing can be. */
  readonly reopen?: () => Promise<DriveStore>;
}

export interface Sample {
  readonly cid: Cid;
  readonly bytes: Buffer;
}

export function sample(seed: string, lengthBytes: number): Sample {
  const random = seededRandom(seed);
  const block = random.bytes(Math.min(lengthBytes, 4096));
  const bytes = Buffer.alloc(lengthBytes, block);
  return { cid: cidOf(bytes), bytes };
}

export async function records(store: DriveStore): Promise<string[]> {
  const found: string[] = [];
  for await (const record of store.replay()) found.push(Buffer.from(record).toString());
  return found;
}

export function storeContract(name: string, make: () => Promise<StoreUnderTest>): void {
  blockContract(name, make);
  journalContract(name, make);
  reopenContract(name, make);
  recordsContract(name, make);
}

function blockContract(name: string, make: () => Promise<StoreUnderTest>): void {
  test(`${name}: a block that was put is here, and comes back as it was`, async (t) => {
    await using made = await make();
    const { store } = made;
    for (const lengthBytes of [1, 63, 64, 4096, 65_536, 256 * 1024]) {
      const { cid, bytes } = sample(`block ${lengthBytes}`, lengthBytes);
      t.equal(store.has(cid), false);
      await store.put(cid, bytes);
      t.equal(store.has(cid), true);
      t.ok(bytes.equals(await store.get(cid)), `${lengthBytes} bytes at once`);
      await store.sync();
      t.ok(bytes.equals(await store.get(cid)), `${lengthBytes} bytes after a sync`);
    }
  });

  test(`${name}: a part of a block is those bytes of it, or nothing`, async (t) => {
    await using made = await make();
    const { store } = made;
    const { cid, bytes } = sample("in parts", 100_000);
    const range = { offsetBytes: 40_018, lengthBytes: 8192 };
    t.equal(await store.getPart(cid, range), undefined, "it is not here");
    await store.put(cid, bytes);
    for (const when of ["at once", "after a sync"]) {
      const part = await store.getPart(cid, range);
      t.ok(part === undefined || bytes.subarray(40_018, 48_210).equals(part), when);
      await store.sync();
    }
    t.not(await store.getPart(cid, range), undefined, "it is on the disk");
    const beyond = await store.getPart(cid, { ...range, offsetBytes: 95_000 });
    t.ok(beyond === undefined || beyond.length === 5000, "no byte of another block");
  });

  test(`${name}: putting a block twice costs nothing`, async (t) => {
    await using made = await make();
    const { store } = made;
    const { cid, bytes } = sample("twice", 10_000);
    await store.put(cid, bytes);
    const { dirtyBytes } = store.usage();
    await store.put(cid, Buffer.from(bytes));
    t.equal(store.usage().dirtyBytes, dirtyBytes);
    t.ok(dirtyBytes >= 10_000);
  });

  test(`${name}: a sweep takes what nobody kept, and nothing that was put meanwhile`, async (t) => {
    await using made = await make();
    const { store } = made;
    const [kept, gone, again] = ["kept", "gone", "again"].map((seed) => sample(seed, 50_000));
    for (const one of [kept, gone, again] as Sample[]) await store.put(one.cid, one.bytes);
    await store.sync();
    const sweep = store.sweep();
    sweep.keep((kept as Sample).cid);
    await store.put((again as Sample).cid, (again as Sample).bytes);
    const fresh = sample("fresh", 50_000);
    await store.put(fresh.cid, fresh.bytes);
    t.equal(await sweep.finish(), 50_000);
    t.equal(store.usage().dirtyBytes, 150_000);
    for (const one of [kept, again, fresh] as Sample[]) t.ok(store.has(one.cid));
    t.notOk(store.has((gone as Sample).cid));
  });

  test(`${name}: a sweep of all keeps what is referred to and notes it`, async (t) => {
    await using made = await make();
    const { store } = made;
    const [kept, gone, again] = ["kept", "gone", "again"].map((seed) => sample(seed, 50_000));
    for (const one of [kept, gone, again] as Sample[]) await store.put(one.cid, one.bytes);
    await store.sync();
    const living = CidFilter.for(3);
    const sweep = store.sweep(living);
    sweep.keep((kept as Sample).cid);
    await store.put((again as Sample).cid, (again as Sample).bytes);
    await sweep.finish();
    t.ok(living.has((kept as Sample).cid));
    for (const one of [kept, again] as Sample[]) t.ok(store.has(one.cid));
    t.notOk(living.has((gone as Sample).cid));
    t.notOk(store.has((gone as Sample).cid));
  });

  test(`${name}: an absent block with no peers to ask is Unavailable or NotFound`, async (t) => {
    await using made = await make();
    const { cid } = sample("absent", 10);
    t.equal(made.store.has(cid), false);
    const error: unknown = await attempt(() => made.store.get(cid));
    t.ok(isFault(error, "Unavailable", "NotFound"), String(error));
  });

  test(`${name}: a discarded block frees its dirty bytes, and can be put again`, async (t) => {
    await using made = await make();
    const { store } = made;
    const one = sample("one", 5000);
    const other = sample("other", 7000);
    await store.put(one.cid, one.bytes);
    await store.put(other.cid, other.bytes);
    store.discard(one.cid);
    t.equal(store.has(one.cid), false);
    t.equal(store.usage().dirtyBytes, 7000);
    store.discard(one.cid);
    t.equal(store.usage().dirtyBytes, 7000);
    await store.put(one.cid, one.bytes);
    t.equal(store.usage().dirtyBytes, 12_000);
    t.ok(one.bytes.equals(await store.get(one.cid)));
    t.ok(other.bytes.equals(await store.get(other.cid)));
  });

  test(`${name}: a block of the old root may go after the commit of a new one`, async (t) => {
    await using made = await make();
    const { store } = made;
    const old = sample("old page", 3000);
    const young = sample("new page", 3000);
    await store.put(old.cid, old.bytes);
    await store.commit(Buffer.from("root 1"), 0);
    await store.put(young.cid, young.bytes);
    await store.commit(Buffer.from("root 2"), 0);
    store.discard(old.cid);
    await store.commit(Buffer.from("root 3"), 0);
    t.equal(store.has(old.cid), false);
    t.ok(young.bytes.equals(await store.get(young.cid)));
    t.equal(store.usage().dirtyBytes, 3000);
  });
}

function journalContract(name: string, make: () => Promise<StoreUnderTest>): void {
  test(`${name}: a new store has no root and no records`, async (t) => {
    await using made = await make();
    t.equal(made.store.root(), undefined);
    t.strictSame(await records(made.store), []);
  });

  test(`${name}: sequences of records grow by one`, async (t) => {
    await using made = await make();
    const first = made.store.append(Buffer.from("a"));
    const second = made.store.append(Buffer.from("b"));
    await made.store.sync();
    const third = made.store.append(Buffer.from(""));
    t.ok(first >= 1);
    t.strictSame([second, third], [first + 1, first + 2]);
    await made.store.sync();
  });

  test(`${name}: the newest committed root is the root`, async (t) => {
    await using made = await make();
    const { store } = made;
    await store.commit(Buffer.from("root 1"), 0);
    t.ok(Buffer.from("root 1").equals(store.root() ?? Buffer.alloc(0)));
    const one = store.commit(Buffer.from("root 2"), 0);
    const other = store.commit(Buffer.from("root 3"), 0);
    await Promise.all([one, other]);
    t.ok(Buffer.from("root 3").equals(store.root() ?? Buffer.alloc(0)));
  });

  test(`${name}: many syncs at once all resolve`, async (t) => {
    await using made = await make();
    const { store } = made;
    const rounds = Array.from({ length: 20 }, async (_, index) => {
      const { cid, bytes } = sample(`sync ${index}`, 100 + index);
      await store.put(cid, bytes);
      store.append(Buffer.from(`record ${index}`));
      await store.sync();
    });
    await Promise.all(rounds);
    t.equal(rounds.length, 20);
  });
}

function reopenContract(name: string, make: () => Promise<StoreUnderTest>): void {
  test(`${name}: what was committed and synced is there after a new start`, async (t) => {
    await using made = await make();
    if (made.reopen === undefined) return t.pass("nothing is durable here");
    const { store } = made;
    const page = sample("page", 4000);
    const chunk = sample("chunk", 200_000);
    await store.put(page.cid, page.bytes);
    const first = store.append(Buffer.from("in the root"));
    await store.commit(Buffer.from("the root"), first);
    await store.put(chunk.cid, chunk.bytes);
    store.append(Buffer.from("after 1"));
    store.append(Buffer.from("after 2"));
    await store.sync();
    const again = await made.reopen();
    t.ok(Buffer.from("the root").equals(again.root() ?? Buffer.alloc(0)));
    t.strictSame(await records(again), ["after 1", "after 2"]);
    t.ok(page.bytes.equals(await again.get(page.cid)));
    t.ok(chunk.bytes.equals(await again.get(chunk.cid)));
    t.equal(again.usage().dirtyBytes, 204_000);
    t.equal(again.append(Buffer.from("after 3")), first + 3);
    await again.commit(Buffer.from("next root"), first + 3);
    t.strictSame(await records(again), []);
  });
}

function recordsContract(name: string, make: () => Promise<StoreUnderTest>): void {
  test(`${name}: records are durable by themselves, or with the blocks they may name`, async (t) => {
    await using made = await make();
    if (made.reopen === undefined) return t.pass("nothing is durable here");
    const { store } = made;
    const [kept, other] = [sample("kept", 90_000), sample("other", 80_000)];
    await store.put(kept.cid, kept.bytes);
    store.append(Buffer.from("names kept"));
    await store.syncRecords();
    await store.put(other.cid, other.bytes);
    store.append(Buffer.from("names nothing new"), { namesDurableOnly: true });
    await Promise.all(Array.from({ length: 10 }, () => store.syncRecords()));
    const again = await made.reopen();
    t.strictSame(await records(again), ["names kept", "names nothing new"]);
    t.ok(kept.bytes.equals(await again.get(kept.cid)));
  });
}

/** What the act throws or rejects with; undefined when it does neither. */
export async function attempt(act: () => unknown): Promise<unknown> {
  try {
    await act();
    return undefined;
  } catch (error) {
    return error;
  }
}
