/** Books, or the store beside them, that were set back to a copy: by the number that both have in common. */
import { test } from "tap";
import { HiveError } from "../../src/base/errors.ts";
import { keepLife, openLife } from "../../src/transfer/life.ts";
import type { Transfer } from "../../src/transfer/transfer.ts";
import { ModelDrive, lostBy, openModel } from "../support/model-drive.ts";
import { MemoryBooks, type VaultWorld, makeVaultWorld, missing } from "../support/transfer-world.ts";

const timeoutMs = 20_000;
const { signal } = new AbortController();

/** The store that these books stand beside has this number. */
function opened(drive: ModelDrive, storeLife: number, recount?: () => Promise<void>): Promise<Transfer> {
  const { world } = drive;
  const storeView = of(storeLife);
  return openModel(Object.assign(Object.create(drive) as ModelDrive, { world: { ...world, storeView, recount } }));
}

async function relearned({ relearning }: Transfer): Promise<void> {
  for (let step = 0; await relearning.step(signal) === "busy"; step++) {
    if (step === 100) throw new Error("it does not end");
  }
}

function of(life: number) {
  return { life, isPublished: true };
}

/** Starts it once more, as a drive does, and has it publish what is new. */
async function livedOn(drive: ModelDrive, life: number, change: { adds: number; removes: number }) {
  const transfer = await opened(drive, life - 1);
  await transfer.keepLife({ number: life, other: life });
  drive.change(change);
  await transfer.flush(timeoutMs);
  return transfer;
}

for (const how of ["an older copy", "gone"] as const) {
  test(`books that are ${how} are learned again, and nothing is published before`, async (t) => {
    await using world: VaultWorld = await makeVaultWorld(6, how);
    const drive = new ModelDrive(world, how);
    await livedOn(drive, 1, { adds: 200, removes: 0 });
    const older = how === "gone" ? [] : [...world.books.pairs];
    const transfer = await livedOn(drive, 2, { adds: 100, removes: 150 });
    // What the older books name is given back.
    await transfer.reclaim(timeoutMs);
    world.books.pairs.clear();
    for (const [key, value] of older) world.books.pairs.set(key, value);
    let recounts = 0;
    const again = await opened(drive, 2, async () => {
      if (recounts++ === 0) throw new HiveError("Unavailable", "drive.recount", "starting");
    });
    t.match(again.life, { number: 3, areBooksOld: true, isStoreOld: false });
    await again.keepLife({ number: 3, other: 3 });
    drive.change({ adds: 10, removes: 0 });
    for (let turn = 0; turn < 3; turn++) await again.uploader.step(signal);
    t.equal(again.status().waiting.for, "members", "no head names less than the last one");
    await relearned(again);
    t.equal(again.status().isDoubted, true, "as long as the store was not looked through");
    const last = await opened(drive, 3);
    await relearned(last);
    t.equal(last.status().isDoubted, false);
    await last.flush(timeoutMs);
    t.strictSame(await missing(last, drive.bytesOf(drive.living)), []);
    t.strictSame(await lostBy(drive), []);
    t.equal(last.status().segments.lost, 0);
  });
}

test("no older head is taken for the last one while those who have that are away", async (t) => {
  await using world: VaultWorld = await makeVaultWorld(3, "away");
  const drive = new ModelDrive(world, "away");
  await livedOn(drive, 1, { adds: 50, removes: 0 });
  const [behind, ...others] = [...world.network.members.values()];
  behind!.mood = { is: "dead" };
  await livedOn(drive, 2, { adds: 50, removes: 0 });
  behind!.mood = { is: "honest" };
  for (const member of others) member.mood = { is: "dead" };
  world.books.pairs.clear();
  const alone = await opened(drive, 2);
  for (let step = 0; step < 4; step++) await alone.relearning.step(signal);
  t.match(alone.status().doubtWaitsFor, /no member that answers has the last head/);
  for (const member of others) member.mood = { is: "honest" };
  const again = await opened(drive, 2);
  await relearned(again);
  drive.change({ adds: 5, removes: 0 });
  await again.flush(timeoutMs);
  t.strictSame(await missing(again, drive.bytesOf(drive.living)), []);
  t.strictSame(await lostBy(drive), []);
});

test("which of both is older is told by their numbers, and a crash between them is no copy", async (t) => {
  const books = new MemoryBooks();
  t.match(await openLife(books, undefined), { number: 0, isStoreOld: false, areBooksOld: false });
  t.match(await openLife(books, of(0)), { number: 1, isStoreOld: false, areBooksOld: false });
  await keepLife(books, { number: 5, other: 4 });
  for (const store of [4, 5]) {
    t.match(await openLife(books, of(store)), { number: 6, isStoreOld: false, areBooksOld: false }, `${store}`);
  }
  t.match(await openLife(books, of(3)), { number: 6, isStoreOld: true, areBooksOld: false });
  await keepLife(books, { number: 5, other: 5 });
  t.match(await openLife(books, of(4)), { isStoreOld: true, areBooksOld: false });
  t.match(await openLife(books, of(7)), { number: 8, isStoreOld: false, areBooksOld: true });
});
