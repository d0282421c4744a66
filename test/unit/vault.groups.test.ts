/** Of an owner's groups each is looked up by itself, however much is here of the others. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "tap";
import type { PeerId, SegmentId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import type { Requester } from "../../src/base/network.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Manifest } from "../../src/base/records.ts";
import { openKeyValue } from "../../src/cache/index/key-value.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { parseSegmentRecord } from "../../src/crypt/records/records.ts";
import { type Piece, World, refused } from "../contract/host.ts";
import { MemoryKeyValue } from "../support/memory-host.ts";
import { type House, newDirectory, openHouse, openHouseIn } from "../support/vault-house.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`${seed}/vault.groups`);
const leastBytes = limits.segment.shardBytes[0];

/** Books in memory, of which is counted what is listed. */
class Counted extends MemoryKeyValue {
  listed = 0;

  override async *list(...asked: Parameters<MemoryKeyValue["list"]>) {
    for await (const pair of super.list(...asked)) {
      this.listed++;
      yield pair;
    }
  }
}

/** Another group of the owner's, with this holder and somebody who may be in no other. */
function groupBeside(world: World, name = "cd", peer = peerKeysOf(random.bytes(32)).peer) {
  const peers = [world.holder.peer, peer, peerKeysOf(random.bytes(32)).peer];
  const manifest = world.manifestOf(peers, 1, name.padStart(32, "0"));
  return { manifest, member: { peer, owners: [] } };
}

function segmentOf(world: World, { group }: Manifest): Piece {
  return world.segment({ group, sizeBytes: leastBytes });
}

async function told(
  { vault }: House, { drive }: World, from: Requester,
  options: Parameters<House["vault"]["segments"]>[2] = { after: undefined, limit: 256 },
): Promise<readonly SegmentId[]> {
  const records = await vault.segments(from, drive.owner, options);
  return records.map((bytes) => parseSegmentRecord(bytes).segment);
}

test(`a group's segments are told without a look at those of others (HIVE_SEED=${seed})`, async (t) => {
  const world = new World(random);
  const books = new Counted();
  await using house = await openHouse(world.holder, { books });
  for (let at = 0; at < 40; at++) await world.store(house.vault, segmentOf(world, world.manifest));
  const { manifest, member } = groupBeside(world);
  await house.vault.putRecord(world.owner, "manifest", manifest.bytes);
  books.listed = 0;
  t.strictSame(await told(house, world, member), []);
  t.ok(books.listed < 10, `${books.listed} entries for a group of no segments`);
  const own = segmentOf(world, manifest);
  await world.store(house.vault, own, world.owner, manifest);
  books.listed = 0;
  t.strictSame(await told(house, world, member), [own.record.segment]);
  t.ok(books.listed < 10, `${books.listed} for a group of one`);
  t.equal((await told(house, world, world.owner)).length, 41, "the owner hears of all");
  await house.vault.release(world.owner, world.release(own));
  t.strictSame(await told(house, world, member), [], "what is gone is not told");
});

test("who is in some of the groups hears of theirs in one order, page by page", async (t) => {
  const world = new World(random);
  await using house = await openHouse(world.holder, { books: new Counted() });
  const [, , third] = world.manifest.peers as [PeerId, PeerId, PeerId];
  const manifests = [
    world.manifest, groupBeside(world, "01", third).manifest, groupBeside(world, "02").manifest,
  ];
  const his: SegmentId[] = [];
  for (let at = 0; at < 18; at++) {
    const manifest = manifests[at % 3] as Manifest;
    const piece = segmentOf(world, manifest);
    await world.store(house.vault, piece, world.owner, manifest);
    if (at % 3 < 2) his.push(piece.record.segment);
  }
  const heard: SegmentId[] = [];
  for (let page = 0; page < 4; page++) {
    const from = { peer: third, owners: [] };
    heard.push(...await told(house, world, from, { after: heard.at(-1), limit: 5 }));
    t.equal(heard.length, Math.min(5 * (page + 1), his.length));
  }
  t.strictSame(heard, his.sort());
});

test("whether a group is idle is seen without a look at all that is here", async (t) => {
  const world = new World(random);
  const books = new Counted();
  await using house = await openHouse(world.holder, { books });
  const groupsMax = limits.vault.groupsPerOwnerMax;
  for (let at = 0; at < groupsMax; at++) {
    const { manifest } = groupBeside(world, at.toString(16));
    for (let one = 0; one < 5; one++) {
      await world.store(house.vault, segmentOf(world, manifest), world.owner, manifest);
    }
  }
  books.listed = 0;
  const { manifest } = groupBeside(world, "ff");
  await refused(t, "one more", house.vault.putRecord(world.owner, "manifest", manifest.bytes), "Quota");
  t.ok(books.listed <= 4 * groupsMax, `${books.listed} entries, of ${groupsMax} groups of five`);
});

test("in books of before each group is told which segments are of it", async (t) => {
  const world = new World(random);
  const directory = await newDirectory();
  t.teardown(() => rm(directory, { recursive: true }));
  const { manifest, member } = groupBeside(world);
  const own = segmentOf(world, manifest);
  await (async () => {
    await using house = await openHouseIn(directory, world.holder);
    await world.store(house.vault, segmentOf(world, world.manifest));
    await world.store(house.vault, own, world.owner, manifest);
  })();
  await (async () => {
    await using books = await openKeyValue(join(directory, "books"));
    for await (const [key] of books.list("grouped/")) await books.delete(key);
    await books.put("vault", Buffer.from("1"));
  })();
  await using house = await openHouseIn(directory, world.holder);
  t.strictSame(await told(house, world, member), [own.record.segment]);
});
