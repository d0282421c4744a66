/** The trees that name shards, grown natively and through node: the same bytes for every shape. */
import { test } from "tap";
import { loadAddon } from "../../src/base/machine/native.ts";
import { seededRandom } from "../../src/base/random.ts";
import { nativeGrow, plainGrow, treeBy } from "../../src/crypt/blocks/merkle.ts";
import type { SealAddon } from "../../src/crypt/ciphers/seal-addon.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/crypt.merkle.test.ts`;
const leafBytes = 4096;
const addon = loadAddon("seal", (exports) => exports as SealAddon);

test("native and node grow the same tree over any number of leaves", (t) => {
  const native = nativeGrow();
  // What is compiled is used where the CPU has the instructions.
  t.equal(native === undefined, addon?.path !== "sha-ni");
  if (native === undefined) return t.end();
  const random = seededRandom(seed);
  for (const leaves of [1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 63, 64, 65, 255, 256, 257]) {
    const shard = random.bytes(leaves * leafBytes);
    t.ok(treeBy(native, shard).equals(treeBy(plainGrow, shard)), `${leaves} leaves; ${replay}`);
  }
  t.end();
});

test("the addon refuses shards and trees that do not fit, and lives on", (t) => {
  if (addon === undefined) return t.end();
  const shard = Buffer.alloc(2 * leafBytes);
  const refused: readonly (readonly [string, unknown, unknown])[] = [
    ["half a leaf", shard.subarray(1), Buffer.alloc(96)],
    ["no leaf", Buffer.alloc(0), Buffer.alloc(32)],
    ["a tree too short", shard, Buffer.alloc(64)],
    ["a tree too long", shard, Buffer.alloc(128)],
    ["other types", new Uint16Array(4096), Buffer.alloc(96)],
    ["no tree", shard, undefined],
    ["a tree inside the shard", shard, shard.subarray(32, 128)],
    ["a shard larger than any", Buffer.alloc((1 << 24) + leafBytes), Buffer.alloc(32)],
  ];
  for (const [what, ...given] of refused) {
    const call = addon.merkle as (...all: readonly unknown[]) => void;
    t.throws(() => call(...given), TypeError, what);
  }
  const tree = Buffer.alloc(96);
  addon.merkle(shard, tree);
  t.notOk(tree.equals(Buffer.alloc(96)));
  t.end();
});
