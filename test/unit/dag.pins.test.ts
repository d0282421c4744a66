/** The list of pins as bytes, frozen, and what damage makes of it. */
import { readFileSync } from "node:fs";
import { test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import { parseIno } from "../../src/base/ids.ts";
import { seededRandom } from "../../src/base/random.ts";
import { openPins, sealPins, treeKeys } from "../../src/dag/keys.ts";
import { encodePins, parsePins } from "../../src/dag/pins.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const hex = (text: string) => Buffer.from(text, "hex");
const vectors = JSON.parse(
  readFileSync(new URL("../vectors/dag-pins.json", import.meta.url), "utf8"),
) as { readonly secret: string; readonly plain: string; readonly sealed: string };
const keys = treeKeys(hex(vectors.secret));

test("frozen: the list of pins", (t) => {
  const pins = parsePins(openPins(keys, hex(vectors.sealed)));
  t.strictSame(pins, [
    { ino: parseIno(1), isKept: true, path: [] },
    { ino: parseIno(300), isKept: false, path: ["caf\u00c3\u00a9", "x"] },
  ]);
  t.equal(encodePins(pins).toString("hex"), vectors.plain);
  t.end();
});

test("a damaged list is Corrupt or well-formed", (t) => {
  const random = seededRandom(`pins ${seed}`);
  for (let round = 0; round < 2000; round++) {
    const whole = hex(vectors.plain);
    const damaged = whole.subarray(0, whole.length - random.below(4));
    for (let flips = random.below(4); flips >= 0; flips--) {
      damaged[random.below(damaged.length)] = random.below(256);
    }
    try {
      parsePins(damaged);
    } catch (error) {
      if (!isFault(error, "Corrupt")) t.fail(`${String(error)}; HIVE_SEED=${seed}`);
    }
  }
  const sealed = sealPins(keys, hex(vectors.plain), random);
  sealed[sealed.length - 1] = (sealed.at(-1) ?? 0) ^ 1;
  try {
    openPins(keys, sealed);
    t.fail("it opens");
  } catch (error) {
    t.ok(isFault(error, "Corrupt"));
  }
  t.end();
});
