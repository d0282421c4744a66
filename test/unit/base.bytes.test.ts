/** Varints beside their definition: groups of seven bits, the lowest first. */
import { AssertionError } from "node:assert";
import { test } from "tap";
import { Reader, Writer } from "../../src/base/bytes.ts";
import { isFault } from "../../src/base/errors.ts";
import { seededRandom } from "../../src/base/random.ts";

const seed = process.env["HIVE_SEED"] ?? "1";

function defined(value: number): Buffer {
  const groups: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) groups.push((rest % 128) + 128);
  return Buffer.from([...groups, rest]);
}

test("a varint of any size is written as it is defined, and read again", (t) => {
  const random = seededRandom(`varints ${seed}`);
  const edges = Array.from({ length: 53 }, (_, bit) => [2 ** bit - 1, 2 ** bit, 2 ** bit + 1]);
  const others = Array.from({ length: 20_000 }, () => random.below(2 ** (1 + random.below(47))));
  const values = [0, Number.MAX_SAFE_INTEGER, ...edges.flat(), ...others];
  for (const value of values.filter((one) => Number.isSafeInteger(one))) {
    const written = new Writer().varint(value).finish();
    const isRight = written.equals(defined(value)) && new Reader(written, "t").varint() === value;
    if (!isRight) t.fail(`${value}: HIVE_SEED=${seed}`);
  }
  for (const wrong of [-1, 0.5, Number.NaN, 2 ** 53]) {
    t.throws(() => new Writer().varint(wrong), AssertionError);
  }
  t.end();
});

test("a varint that does not end, or is larger than an exact number, is Corrupt", (t) => {
  for (const bytes of [[], [128], [255, 255, 255, 255], Array(7).fill(255), Array(9).fill(255),
    [255, 255, 255, 255, 255, 255, 255, 31]]) {
    try {
      new Reader(Buffer.from(bytes), "t").varint();
      t.fail(`${bytes.length} bytes are one`);
    } catch (error) {
      t.ok(isFault(error, "Corrupt"));
    }
  }
  t.end();
});

test("a writer that begins again has nothing left of before, and no more room than at first", (t) => {
  const writer = new Writer(8);
  for (const length of [3, 8, 100, 5]) {
    const bytes = Buffer.alloc(length, length);
    t.strictSame(writer.again().raw(bytes).finish(), bytes);
    t.equal(writer.lengthBytes, length);
  }
  t.end();
});
