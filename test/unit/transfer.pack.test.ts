/** Packing: the shards laid end to end are a CAR that other people's readers take. */
import { CarReader } from "@ipld/car";
import { test } from "tap";
import type { BlockInfo } from "../../src/base/blocks.ts";
import { isFault } from "../../src/base/errors.ts";
import { type Cid, cidOf, parseCidBytes } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { type Layout, frameShard, planRound, planSegment } from "../../src/transfer/segments/pack.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/transfer.pack.test.ts`;

test("any blocks come back from the CAR, in place, with only zeros beside them", async (t) => {
  for (let round = 0; round < 40; round++) {
    const random = seededRandom(`${seed}/${round}`);
    const blocks = makeBlocks(random, 1 + random.below(60));
    const k = [1, 2, 4, 8][random.below(4)] as number;
    const layouts = planRound(infosOf(blocks), k);
    const seen = new Set<Cid>();
    for (const layout of layouts) await checkSegment(t, { layout, blocks, seen });
    t.equal(seen.size, blocks.size, replay);
  }
});

test("a gap of every awkward size is filled", async (t) => {
  const shardBytes = limits.segment.shardBytes[0];
  const overhead = 18 + 3 + 36;
  for (const gap of [0, 37, 38, 128, 129, 130, 131, 16385, 16386, 16387, 16388]) {
    const bytes = Buffer.alloc(shardBytes - overhead - gap, 7);
    const blocks = new Map([[cidOf(bytes), bytes]]);
    const { layout } = planSegment(infosOf(blocks), { from: 0, k: 1 });
    t.equal(layout.shardBytes, shardBytes, `gap ${gap}`);
    await checkSegment(t, { layout, blocks, seen: new Set() });
  }
});

test("a gap too small for a filler moves the block to a larger shard", (t) => {
  const overhead = 18 + 3 + 36;
  const bytes = Buffer.alloc(limits.segment.shardBytes[0] - overhead - 36, 7);
  const { layout } = planSegment([{ cid: cidOf(bytes), lengthBytes: bytes.length }], { from: 0, k: 1 });
  t.equal(layout.shardBytes, limits.segment.shardBytes[1]);
  t.end();
});

test("the same blocks in the same order make the same bytes", (t) => {
  const blocks = makeBlocks(seededRandom(seed), 30);
  const once = planRound(infosOf(blocks), 4).map((layout) => bytesOf(layout, blocks));
  const again = planRound(infosOf(blocks), 4).map((layout) => bytesOf(layout, blocks));
  t.strictSame(once.map((bytes) => cidOf(bytes)), again.map((bytes) => cidOf(bytes)));
  t.end();
});

test("four full chunks fill the largest shard", (t) => {
  const lengthBytes = limits.dag.blockBytesMax;
  const blocks = Array.from({ length: 16 }, (_, i) => ({ cid: cidOf(Buffer.from([i])), lengthBytes }));
  const layouts = planRound(blocks, 4);
  t.equal(layouts.length, 1);
  t.equal(layouts[0]?.shardBytes, limits.segment.shardBytes.at(-1));
  t.end();
});

test("a block that no shard holds is too large", (t) => {
  const cid = cidOf(Buffer.from("x"));
  const lengthBytes = (limits.segment.shardBytes.at(-1) ?? 0) - 50;
  try {
    planSegment([{ cid, lengthBytes }], { from: 0, k: 20 });
    t.fail("must throw");
  } catch (error) {
    t.ok(isFault(error, "TooLarge"));
  }
  t.end();
});

async function checkSegment(
  t: { ok(value: boolean, why: string): unknown; equal(a: unknown, b: unknown, why: string): unknown },
  given: { layout: Layout; blocks: ReadonlyMap<Cid, Buffer>; seen: Set<Cid> },
): Promise<void> {
  const { layout, blocks, seen } = given;
  const car = bytesOf(layout, blocks);
  for (const { cid, offsetBytes, lengthBytes } of layout.blocks) {
    const place = car.subarray(offsetBytes, offsetBytes + lengthBytes);
    t.ok(place.equals(blocks.get(cid) as Buffer), replay);
    const last = offsetBytes + Math.max(lengthBytes, 1) - 1;
    const first = Math.floor(offsetBytes / layout.shardBytes);
    t.equal(first, Math.floor(last / layout.shardBytes), "a block straddles no shard");
    seen.add(cid);
  }
  const reader = await CarReader.fromBytes(car);
  t.equal((await reader.getRoots()).length, 0, "no roots are told");
  let real = 0;
  for await (const block of reader.blocks()) {
    const cid = parseCidBytes(block.cid.bytes);
    if (cidOf(block.bytes) !== cid) t.ok(false, `a false CID: ${replay}`);
    if (blocks.has(cid)) real++;
    else if (!block.bytes.every((byte) => byte === 0)) t.ok(false, `not a filler: ${replay}`);
  }
  t.equal(real, layout.blocks.length, replay);
}

function bytesOf(layout: Layout, blocks: ReadonlyMap<Cid, Buffer>): Buffer {
  const car = Buffer.alloc(layout.k * layout.shardBytes, 0xee);
  for (let index = 0; index < layout.k; index++) {
    const shard = car.subarray(index * layout.shardBytes, (index + 1) * layout.shardBytes);
    for (const { cid, room } of frameShard(layout, { index, shard })) {
      room.set(blocks.get(cid) as Buffer);
    }
  }
  return car;
}

function makeBlocks(random: Random, count: number): Map<Cid, Buffer> {
  const sizes = [1, 90, 127, 128, 4096, 16_300, 65_000, limits.dag.blockBytesMax];
  return new Map(Array.from({ length: count }, (_, at) => {
    const most = sizes[random.below(sizes.length)] as number;
    const bytes = Buffer.alloc(1 + random.below(most), 1 + random.below(255));
    bytes.writeUInt8(at + 1, 0);
    return [cidOf(bytes), bytes] as const;
  }));
}

function infosOf(blocks: ReadonlyMap<Cid, Buffer>): BlockInfo[] {
  return [...blocks].map(([cid, bytes]) => ({ cid, lengthBytes: bytes.length }));
}
