/**
 * Room is given back on peers, and nothing else: over real vaults, with a model of what the drive
 * refers to, at every moment a machine that has only the words finds all that the newest published
 * head names. Some steps are cut off by a power cut.
 */
import { test } from "tap";
import { transferKeys } from "../../src/base/book-keys.ts";
import { CidFilter } from "../../src/base/cid-filter.ts";
import { isFault } from "../../src/base/errors.ts";
import { type Cid, type SegmentId, cidOf } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Manifest } from "../../src/base/records.ts";
import type { SegmentState } from "../../src/transfer/books.ts";
import { type Occupied, planRepacking } from "../../src/transfer/placed/occupancy.ts";
import { loopbackKeys } from "../support/loopback-network.ts";
import { ModelDrive, keptBytes, lostBy, openModel as open } from "../support/model-drive.ts";
import { Crash, MemoryBooks, makeVaultWorld } from "../support/transfer-world.ts";
import { missing, openWorld } from "../support/transfer-world.ts";

const first = Number(process.env["HIVE_SEED"] ?? 1);
const count = process.env["HIVE_SEED"] === undefined ? 6 : 1;
const timeoutMs = 20_000;
const lap = loopbackKeys("lap").peer;

/** Lists what was there when the list began, as LevelDB does, and tells when an entry was read. */
class WatchedBooks extends MemoryBooks {
  passing: (() => Promise<void>) | undefined;

  override async *list(prefix: string): AsyncIterable<readonly [string, Uint8Array]> {
    const pairs: (readonly [string, Uint8Array])[] = [];
    for await (const pair of super.list(prefix)) pairs.push(pair);
    for (const pair of pairs) {
      yield pair;
      if (prefix === transferKeys.place) await this.passing?.();
    }
  }
}

/** True when the power went away in the middle of it. */
async function isCut(act: () => Promise<unknown>): Promise<boolean> {
  try {
    await act();
    return false;
  } catch (error) {
    if (error instanceof Crash) return true;
    throw error;
  }
}

for (let seed = first; seed < first + count; seed++) {
  const replay = `replay: HIVE_SEED=${seed} node test/unit/transfer.reclaim.test.ts`;

  test(`seed ${seed}: nothing that a published head names is ever dropped`, async (t) => {
    await using world = await makeVaultWorld(6, `reclaim ${seed}`);
    const drive = new ModelDrive(world, `model ${seed}`);
    let transfer = await open(drive);
    const { random, living } = drive;
    t.equal(living.length, 0);
    for (let turn = 0; turn < 12; turn++) {
      drive.change({ adds: 5 + random.below(40), removes: random.below(30) });
      drive.meanwhile = async () => {
        if (random.below(2) === 0) drive.change({ adds: random.below(9), removes: 3 });
        if (random.below(2) === 0) await transfer.flush(timeoutMs);
      };
      world.books.crashAfter = random.below(2) === 0 ? random.below(60) : Infinity;
      const wasCut = await isCut(async () => {
        if (random.below(3) > 0) await transfer.flush(timeoutMs);
        await transfer.reclaim(timeoutMs);
      });
      world.books.crashAfter = Infinity;
      if (wasCut) transfer = await open(drive);
      if (turn % 3 === 2) t.strictSame(await lostBy(drive), [], replay);
    }
    await transfer.flush(timeoutMs);
    await transfer.reclaim(timeoutMs);
    t.strictSame(await missing(transfer, drive.bytesOf(drive.living)), [], replay);
    t.strictSame(await lostBy(drive), [], replay);
  });
}

test("what was deleted is with no holder any more, and what is left is packed closely", async (t) => {
  await using world = await makeVaultWorld(6, "space");
  const drive = new ModelDrive(world, "space");
  const transfer = await open(drive);
  for (let part = 0; part < 5; part++) {
    drive.change({ adds: 150, removes: 0 });
    await transfer.flush(timeoutMs);
  }
  const before = keptBytes(world);
  drive.change({ adds: 0, removes: drive.living.length * 2 });
  await transfer.flush(timeoutMs);
  t.equal(keptBytes(world) >= before, true, "a deletion alone gives nothing back");
  const found = await transfer.reclaim(timeoutMs);
  const stays = drive.bytesOf(drive.living).reduce((sum, { length }) => sum + length, 0);
  t.ok(found.blocks > 400, String(found.blocks));
  // Class tiny: six shards for two, in rooms of a short ladder.
  const after = keptBytes(world);
  t.ok(after < before / 2, `${before} bytes, then ${after}`);
  t.ok(after < 3 * (stays / 0.6) + 1_500_000, `${after} bytes for ${stays}`);
  t.strictSame(await missing(transfer, drive.bytesOf(drive.living)), []);
  t.strictSame(await lostBy(drive), []);
});

test("what is fetched while a count is under way keeps its place: it may be written again", async (t) => {
  await using world = await makeVaultWorld(6, "fetched");
  const drive = new ModelDrive(world, "fetched");
  const transfer = await open(drive);
  drive.change({ adds: 20, removes: 0 });
  await transfer.flush(timeoutMs);
  const [gone] = drive.living as [Cid];
  drive.clear();
  await transfer.flush(timeoutMs);
  drive.meanwhile = async () => {
    // A program that began to read it before it went; the cache keeps what came.
    await transfer.fetch(gone, {});
    world.source.placedCids.add(gone);
  };
  await transfer.reclaim(timeoutMs);
  drive.again([gone]);
  await transfer.flush(timeoutMs);
  t.strictSame(await missing(transfer, drive.bytesOf([gone])), []);
  t.strictSame(await lostBy(drive), []);
});

test("what is moved while the catalog is gone through is not taken for empty", async (t) => {
  await using world = await makeVaultWorld(6, "moved");
  const books = new WatchedBooks();
  const drive = new ModelDrive({ ...world, books }, "moved");
  const transfer = await open(drive);
  drive.change({ adds: 20, removes: 0 });
  await transfer.flush(timeoutMs);
  const [before] = transfer.health.segments() as [SegmentState];
  const [target] = transfer.health.groups() as [Manifest];
  drive.meanwhile = async () => {
    books.passing = async () => {
      books.passing = undefined;
      const { signal } = new AbortController();
      t.ok(await transfer.health.moveSegment(before.segment, target, signal));
    };
  };
  await transfer.reclaim(timeoutMs);
  t.equal(books.passing, undefined);
  const now = transfer.health.segments().map(({ segment }) => segment);
  t.equal(now.length, 1, "its shards are proven and mended as ever");
  t.not(now[0], before.segment);
  t.strictSame(await missing(transfer, drive.bytesOf(drive.living)), []);
});

test("a segment that has something in it after all is looked after again", async (t) => {
  await using world = await makeVaultWorld(6, "stays");
  const drive = new ModelDrive(world, "stays");
  const before = await open(drive);
  drive.change({ adds: 20, removes: 0 });
  await before.flush(timeoutMs);
  const [{ segment }] = before.health.segments() as [SegmentState];
  await world.books.put(transferKeys.outgoingSegment + segment, Buffer.from([0]));
  const transfer = await open(drive);
  t.equal(transfer.health.segments().length, 0, "nobody would mend it");
  await transfer.health.dropSurplus(new AbortController().signal);
  t.strictSame(transfer.health.segments().map((one) => one.segment), [segment]);
  t.notOk(world.books.pairs.has(transferKeys.outgoingSegment + segment));
});

test("a count is void once another device is there", async (t) => {
  await using world = await makeVaultWorld(6, "device");
  const drive = new ModelDrive(world, "device");
  const transfer = await open(drive);
  drive.change({ adds: 20, removes: 0 });
  await transfer.flush(timeoutMs);
  const gone = drive.living;
  drive.clear();
  await transfer.flush(timeoutMs);
  drive.meanwhile = async () => void (transfer.devices.there = () => new Set([lap]));
  t.strictSame(await transfer.reclaim(timeoutMs), { blocks: 0, segments: 0, bytes: 0 });
  t.strictSame(await missing(transfer, drive.bytesOf(gone)), [], "its own root may name them all");
});

test("what cannot be counted gives nothing back", async (t) => {
  await using world = await makeVaultWorld(6, "uncounted");
  const drive = new ModelDrive(world, "uncounted");
  const transfer = await openWorld(world);
  drive.change({ adds: 20, removes: 0 });
  await transfer.flush(timeoutMs);
  drive.clear();
  await transfer.flush(timeoutMs);
  const before = keptBytes(world);
  t.strictSame(await transfer.reclaim(timeoutMs), { blocks: 0, segments: 0, bytes: 0 });
  t.equal(keptBytes(world), before);
});

test("a filter has all that was added, and little else", (t) => {
  const random = seededRandom(`filter ${first}`);
  const name = (): Cid => cidOf(random.bytes(8));
  const names = Array.from({ length: 20_000 }, name);
  const filter = CidFilter.for(names.length);
  for (const cid of names) filter.add(cid);
  t.ok(names.every((cid) => filter.has(cid)));
  const wrong = Array.from({ length: 20_000 }, name).filter((cid) => filter.has(cid)).length;
  t.ok(wrong < 40, `${wrong} of 20,000`);
  t.end();
});

test("only segments that save room are packed anew, together up to a full one", (t) => {
  const [small = 0, , large = 0] = limits.segment.shardBytes;
  const of = (segment: string, k: number, shardBytes: number, share: number): Occupied => {
    const state = { segment: segment as SegmentId, k, n: 3 * k, shardBytes } as SegmentState;
    return { state, usedBytes: Math.floor(share * k * shardBytes) };
  };
  t.strictSame(planRepacking([of("full", 4, large, 0.9), of("empty", 4, large, 0)]), []);
  t.strictSame(planRepacking([of("small", 4, small, 0.5)]), [], "there is nothing smaller");
  t.strictSame(planRepacking([of("low", 4, large, 0.05)]), [["low"]], "a shorter step of the ladder");
  const many = Array.from({ length: 6 }, (_, at) => of(`s${at}`, 4, large, 0.3));
  t.strictSame(planRepacking(many).map((batch) => batch.length), [2, 2, 2]);
  t.end();
});

test("a reclaim that no member hears of is late, and says so", async (t) => {
  await using world = await makeVaultWorld(6, "late");
  const drive = new ModelDrive(world, "late");
  const transfer = await open(drive);
  drive.change({ adds: 30, removes: 0 });
  await transfer.flush(timeoutMs);
  drive.clear();
  await transfer.flush(timeoutMs);
  drive.meanwhile = async () => {
    for (const member of world.network.members.values()) member.mood = { is: "dead" };
  };
  const late: unknown = await transfer.reclaim(300).then(() => undefined, (error) => error);
  t.ok(isFault(late, "TimedOut"), String(late));
});
