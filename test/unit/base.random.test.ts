/** The system's randomness is asked for many at once: nobody may see that. */
import { test } from "tap";
import { systemRandom } from "../../src/base/random.ts";

test("no random bytes are given out twice, whatever lengths are asked for", (t) => {
  const seen = new Set<string>();
  let count = 0;
  for (const length of [16, 24, 32, 1000, 4095, 4096, 4097, 16, 24, 9000]) {
    for (let round = 0; round < 50; round++) {
      const bytes = systemRandom.bytes(length);
      t.equal(bytes.length, length);
      for (let at = 0; at + 16 <= length; at += 16, count++) {
        seen.add(bytes.toString("hex", at, at + 16));
      }
    }
  }
  t.equal(seen.size, count);
  t.equal(systemRandom.bytes(0).length, 0);
  t.end();
});

test("what was given out is its owner's: the next bytes leave it as it is", (t) => {
  const one = systemRandom.bytes(32);
  const before = Buffer.from(one);
  for (let round = 0; round < 1000; round++) systemRandom.bytes(32).fill(0);
  t.strictSame(one, before);
  t.end();
});
