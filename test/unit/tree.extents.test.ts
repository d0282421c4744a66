/** Written bytes in pieces, against a plain buffer and a map of what was written. */
import { test } from "tap";
import { limits } from "../../src/base/limits.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { Extents } from "../../src/tree/state/extents.ts";

const { chunkBytes } = limits.tree;
const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/tree.extents.test.ts`;

/** Pages as the kernel writes them, or a few bytes anywhere. */
function somewhere(random: Random): { start: number; end: number } {
  if (random.below(2) === 0) {
    const start = random.below(chunkBytes / 4096) * 4096;
    const end = Math.min(chunkBytes, start + 4096 * (1 + random.below(4)));
    return { start, end };
  }
  const start = random.below(chunkBytes - 1);
  return { start, end: Math.min(chunkBytes, start + 1 + random.below(9000)) };
}

test("what was written is there, and nothing else is said to be", (t) => {
  const random = seededRandom(`extents ${seed}`);
  for (let round = 0; round < 60; round++) {
    const extents = new Extents();
    const bytes = Buffer.alloc(chunkBytes);
    const known = Buffer.alloc(chunkBytes);
    for (let turn = 0; turn < 1 + random.below(60); turn++) {
      const { start, end } = somewhere(random);
      bytes.fill(random.below(256), start, end);
      known.fill(1, start, end);
      extents.write(start, bytes.subarray(start, end));
      const asked = somewhere(random);
      const covers = known.subarray(asked.start, asked.end).every((one) => one === 1);
      if (extents.covers(asked.start, asked.end) !== covers) t.fail(`covers, ${replay}`);
    }
    const copied = Buffer.alloc(chunkBytes);
    extents.copyTo(copied, 0);
    const spoken = Buffer.alloc(chunkBytes);
    for (const [start, end] of extents.spans) spoken.fill(1, start, end);
    if (!spoken.equals(known) || !copied.equals(bytes)) t.fail(`round ${round}, ${replay}`);
    if (extents.end !== known.lastIndexOf(1) + 1) t.fail(`end, ${replay}`);
  }
  t.pass("60 rounds");
  t.end();
});

test("a page in the middle of a chunk takes a page of memory", (t) => {
  const extents = new Extents();
  extents.write(30 * 4096, Buffer.alloc(4096, 1));
  t.equal(extents.heldBytes, 4096);
  extents.write(40 * 4096, Buffer.alloc(4096, 2));
  t.equal(extents.heldBytes, 2 * 4096);
  t.equal(extents.takeWhole(41 * 4096), undefined, "it is not whole");
  extents.clear();
  t.strictSame([extents.heldBytes, extents.isEmpty, extents.end], [0, true, 0]);
  t.end();
});

test("a chunk written from its beginning is given away without a copy", (t) => {
  const extents = new Extents();
  for (let at = 0; at < 64; at++) extents.write(at * 4096, Buffer.alloc(4096, at));
  t.equal(extents.count, 1);
  const whole = extents.takeWhole(chunkBytes);
  t.ok(whole !== undefined && Array.from({ length: 64 }, (_, at) => at).every((at) => {
    return whole.subarray(at * 4096, (at + 1) * 4096).every((byte) => byte === at);
  }));
  t.strictSame([extents.heldBytes, extents.isEmpty], [0, true]);
  t.end();
});
