/**
 * Books that were damaged have lost places of blocks, runs, heads or segments: over real vaults,
 * nothing that the drive refers to is given back by them, and no head names less than the last.
 */
import { test } from "tap";
import { transferKeys } from "../../src/base/book-keys.ts";
import { isFault } from "../../src/base/errors.ts";
import type { SegmentId } from "../../src/base/ids.ts";
import { beginWithout } from "../../src/transfer/anew.ts";
import { decodeRuns } from "../../src/transfer/catalog/catalog-page.ts";
import { placeIn } from "../../src/transfer/catalog/catalog.ts";
import { doubtBooks } from "../../src/transfer/doubt.ts";
import type { Transfer } from "../../src/transfer/transfer.ts";
import { ModelDrive, keptBytes, lostBy, openModel } from "../support/model-drive.ts";
import type { HonestHost } from "../support/honest-host.ts";
import { type VaultWorld, type World, hurriedClock, makeBlocks, makeVaultWorld, makeWorld, missing, openWorld }
  from "../support/transfer-world.ts";

const timeoutMs = 20_000;
const { signal } = new AbortController();

async function filled(world: VaultWorld, seed: string): Promise<ModelDrive> {
  const drive = new ModelDrive(world, seed);
  const transfer = await openModel(drive);
  for (let part = 0; part < 3; part++) {
    drive.change({ adds: 100, removes: 0 });
    await transfer.flush(timeoutMs);
  }
  return drive;
}

/** LevelDB left these keys out, and was said to be mended. */
async function damage({ world }: ModelDrive, isLost: (key: string) => boolean): Promise<number> {
  const lost = [...world.books.pairs.keys()].filter(isLost);
  for (const key of lost) world.books.pairs.delete(key);
  await doubtBooks(world.books, "drive");
  return lost.length;
}

/** Of what lies in one segment the books know nothing. */
async function damagePlaces(drive: ModelDrive): Promise<void> {
  const { books } = drive.world;
  const [cid] = drive.living;
  const lost = new Set<string>();
  const segment = (await placeIn(books, cid!))?.segment as SegmentId;
  for (const one of drive.living) {
    if ((await placeIn(books, one))?.segment === segment) lost.add(one);
  }
  const { place, newPlace } = transferKeys;
  await damage(drive, (key) => {
    return (key.startsWith(place) || key.startsWith(newPlace)) && lost.has(key.slice(2));
  });
}

async function relearned({ relearning }: Transfer): Promise<void> {
  for (let step = 0; await relearning.step(signal) === "busy"; step++) {
    if (step === 100) throw new Error("it does not end");
  }
}

/** All that gives back, as the agent's loop would. */
async function giveBack(drive: ModelDrive, transfer: Transfer): Promise<void> {
  drive.change({ adds: 10, removes: 0 });
  await transfer.flush(timeoutMs);
  for (let turn = 0; turn < 8; turn++) {
    await transfer.reclaimer.step(signal);
    await transfer.health.dropSurplus(signal);
    await transfer.uploader.step(signal);
  }
}

test("places that damaged books have lost are no garbage, also after another start", async (t) => {
  await using world = await makeVaultWorld(6, "places");
  const drive = await filled(world, "places");
  await damagePlaces(drive);
  const before = keptBytes(world);
  await giveBack(drive, await openModel(drive));
  const transfer = await openModel(drive);
  await giveBack(drive, transfer);
  const refused: unknown = await transfer.reclaim(timeoutMs).catch((error: unknown) => error);
  t.ok(isFault(refused, "Unavailable") && refused.op === "transfer.doubt", String(refused));
  t.ok(keptBytes(world) >= before);
  t.strictSame(await lostBy(drive), []);
  t.equal(transfer.status().isDoubted, true);
});

test("a head names what the last one did, though the books have lost the catalog's runs", async (t) => {
  await using world = await makeVaultWorld(6, "runs");
  const drive = await filled(world, "runs");
  const { runs, place, newPlace } = transferKeys;
  const halfOf = (key: string): boolean => /^[cn]\/[0-7]/.test(key);
  const lost = await damage(drive, (key) => key === runs || halfOf(key));
  t.ok(lost > 200 && place === "c/" && newPlace === "n/", `${lost} entries`);
  const transfer = await openModel(drive);
  // Enough for the newest to become a run, which takes in those before.
  for (let part = 0; part < 3; part++) {
    drive.change({ adds: 100, removes: 0 });
    await transfer.flush(timeoutMs);
    t.strictSame(await lostBy(drive), []);
  }
});

test("no head is signed where the last one itself was lost", async (t) => {
  await using world = await makeVaultWorld(6, "head");
  const drive = await filled(world, "head");
  await damage(drive, (key) => key === transferKeys.ownHead);
  const transfer = await openModel(drive);
  drive.clear();
  for (let turn = 0; turn < 4; turn++) await transfer.uploader.step(signal);
  t.equal(transfer.status().waiting.for, "members");
  t.notOk(world.books.pairs.has(transferKeys.ownHead));
  await relearned(transfer);
  await transfer.flush(timeoutMs);
  t.strictSame(await lostBy(drive), []);
});

test("what damaged books lost is learned again, and then what is dead is given back alone", async (t) => {
  await using world = await makeVaultWorld(6, "relearned");
  const drive = await filled(world, "relearned");
  const whole = new Map(world.books.pairs);
  const { runs, segment } = transferKeys;
  let count = 0;
  const isLost = (key: string): boolean => key === runs || /^[cnp]\/[0-9ab]/.test(key)
    || (key.startsWith(segment) && count++ === 0);
  t.ok(await damage(drive, isLost) > 200);
  const [half] = [...world.books.pairs].filter(([key]) => key.startsWith(segment)).slice(-1);
  // Its blocks are not here any more: by the books it was never placed, and is to be given up.
  half![1][1] = 0;
  const transfer = await openModel(drive);
  for (let turn = 0; turn < 3; turn++) await transfer.uploader.step(signal);
  await relearned(transfer);
  t.equal(transfer.status().isDoubted, false);
  for (const [key, value] of whole) {
    if (/^[c]\//.test(key)) t.same(world.books.pairs.get(key), value, key);
  }
  t.strictSame(await missing(transfer, drive.bytesOf(drive.living)), []);
  const before = keptBytes(world);
  drive.change({ adds: 0, removes: drive.living.length * 2 });
  await transfer.flush(timeoutMs);
  const { blocks } = await transfer.reclaim(timeoutMs);
  t.ok(blocks > 200, `${blocks} blocks`);
  t.ok(keptBytes(world) < before);
  t.strictSame(await missing(transfer, drive.bytesOf(drive.living)), []);
  t.strictSame(await lostBy(drive), []);
  t.equal((await openModel(drive)).status().isDoubted, false);
});

test("while a holder is away that may know of a segment, the books stay in doubt", async (t) => {
  await using world = await makeVaultWorld(6, "away");
  const drive = await filled(world, "away");
  await damage(drive, (key) => key.startsWith(transferKeys.segment));
  const transfer = await openModel(drive);
  for (const member of world.network.members.values()) member.mood = { is: "dead" };
  for (let turn = 0; turn < 4; turn++) await transfer.relearning.step(signal);
  t.equal(transfer.status().isDoubted, true);
});

for (const all of [true, false]) {
  test(`${all ? "all that books knew" : "which groups there are"} is learned from who is known`, async (t) => {
    await using world = await makeVaultWorld(6, `groups ${all}`);
    const drive = await filled(world, `groups ${all}`);
    await damage(drive, (key) => all || key.startsWith(transferKeys.manifest));
    const transfer = await openModel(drive);
    await relearned(transfer);
    t.equal(transfer.status().isDoubted, false);
    drive.change({ adds: 200, removes: 0 });
    await transfer.flush(timeoutMs);
    t.strictSame(await missing(transfer, drive.bytesOf(drive.living)), []);
    t.strictSame(await lostBy(drive), []);
  });
}

test("who does not wait for a page that nobody gives has the books begun anew, and loses no block", async (t) => {
  const world = makeWorld(3, "given up");
  const whole = await openWorld(world, { clock: hurriedClock });
  const all: Uint8Array[] = [];
  for (let round = 0; round < 3; round++) {
    const blocks = makeBlocks(world.random, { count: 300, bytesMax: 400 });
    all.push(...blocks);
    world.source.commit(`root ${round}`, blocks);
    await whole.flush(timeoutMs);
  }
  for (const { place } of decodeRuns(world.books.pairs.get(transferKeys.runs) ?? Buffer.alloc(0))) {
    const { roots } = await whole.health.record(place.segment, signal);
    for (const { host } of world.network.members.values()) {
      for (const root of roots) (host as HonestHost).shards.delete(root);
    }
  }
  for (const key of [...world.books.pairs.keys()]) if (/^(p|c\/[0-7])/.test(key)) world.books.pairs.delete(key);
  await doubtBooks(world.books, "drive");
  const doubted = await openWorld(world, { clock: hurriedClock });
  for (let turn = 0; turn < 4; turn++) await doubted.relearning.step(signal);
  t.equal(doubted.status().isDoubted, true);
  t.match(doubted.status().doubtWaitsFor, /Unavailable|NotFound/);
  await beginWithout(world.books);
  let recounts = 0;
  const again = await openWorld({ ...world, recount: async () => void recounts++ } as World, { clock: hurriedClock });
  world.source.commit("after", makeBlocks(world.random, { count: 10, bytesMax: 400 }));
  for (let turn = 0; turn < 3; turn++) await again.uploader.step(signal);
  t.not(world.source.published, world.source.newest, "no head before the last one is known");
  await relearned(again);
  t.equal(again.status().isDoubted, false);
  t.equal(recounts, 1);
  await again.flush(timeoutMs);
  t.strictSame(await missing(again, all), []);
  t.equal((await openWorld(world)).status().isDoubted, false);
});
