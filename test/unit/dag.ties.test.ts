/** A drive's ties: frozen bytes, what damage makes of them, and that devices come to the same. */
import { readFileSync } from "node:fs";
import { test } from "tap";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import { encodeRoot, parseRoot } from "../../src/dag/root.ts";
import { type Tie, type Ties, encodeTies, joinTies, noTies, parseTies, tieAfter }
  from "../../src/dag/ties.ts";
import { troubleWithDamaged } from "../support/damage.ts";
import { outcomeOf } from "../support/faults.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`dag.ties/${seed}`);
const hex = (text: string) => Buffer.from(text, "hex");
const vectors = JSON.parse(
  readFileSync(new URL("../vectors/dag-ties.json", import.meta.url), "utf8"),
) as Record<"ties" | "stamps" | "root", string>;

test("frozen: ties, and a root record that links them", (t) => {
  const ties = parseTies(hex(vectors.ties));
  t.strictSame([...ties], [
    ["c/ann", { stamp: 1, value: Buffer.from("Ann") }],
    ["r/photos/ben", { stamp: 3, value: undefined }],
    ["t/eve", { stamp: 2, value: Buffer.alloc(0) }],
  ]);
  t.equal(encodeTies(ties).toString("hex"), vectors.ties);
  const root = parseRoot(hex(vectors.root));
  t.match(root.ties, [{ lengthBytes: hex(vectors.ties).length }]);
  t.equal(root.eras.now, 0, "a drive may have ties and no eras");
  t.equal(encodeRoot(root).toString("hex"), vectors.root);
  t.end();
});

test("frozen: what changes, says less, and is taken away has these stamps", (t) => {
  const value = Buffer.from("v");
  const said: Record<string, readonly ("more" | "less" | "gone")[]> = {
    a: ["more", "more"], b: ["more", "less", "more"], c: ["more", "gone"], d: ["less", "gone", "more", "less"],
  };
  const ties = new Map(Object.entries(said).map(([key, words]) => {
    let tie: Tie | undefined;
    for (const word of words) {
      tie = tieAfter(tie, word === "gone" ? undefined : value, { isLess: word === "less" });
    }
    return [key, tie as Tie];
  }));
  t.strictSame([...ties.values()].map(({ stamp }) => stamp),
    [2, 2 ** 16 + 1, 2 ** 24, 2 ** 24 + 2 ** 16]);
  t.equal(encodeTies(ties).toString("hex"), vectors.stamps);
  t.end();
});

test("damaged ties and roots are Corrupt or well-formed", (t) => {
  for (const [bytes, parse] of [[vectors.ties, parseTies], [vectors.root, parseRoot]] as const) {
    for (const trouble of troubleWithDamaged(bytes, parse, { random, rounds: 2000 })) {
      t.fail(`${trouble}, HIVE_SEED=${seed}`);
    }
  }
  const order = new Map([["b", tieAfter(undefined, undefined)], ["a", tieAfter(undefined, undefined)]]);
  const right = encodeTies(order);
  const swapped = Buffer.from(right);
  swapped.write("b", right.indexOf("a"));
  swapped.write("a", right.indexOf("b"));
  t.equal(outcomeOf(() => parseTies(swapped)), "Corrupt", "keys ascend, so that one form is the same");
  t.equal(outcomeOf(() => parseTies(Buffer.alloc(limits.ties.bytesMax + 1, 1))), "Corrupt");
  t.end();
});

/** What several devices made of few entries, each apart from the others. */
function someTies(): Ties {
  const ties = new Map();
  for (let changes = random.below(8); changes > 0; changes--) {
    const key = `k${random.below(3)}`;
    const value = random.below(3) === 0 ? undefined : Buffer.from([random.below(3)]);
    ties.set(key, tieAfter(ties.get(key), value));
  }
  return ties;
}

test("whoever joins what others have comes to the same, in whatever order, as often as he likes", (t) => {
  const bytes = (ties: Ties): string => encodeTies(ties).toString("hex");
  for (let round = 0; round < 500; round++) {
    const [a, b, c] = [someTies(), someTies(), someTies()];
    const one = joinTies(joinTies(a, b), c);
    t.equal(bytes(joinTies(a, joinTies(c, b))), bytes(one));
    t.equal(bytes(joinTies(one, b)), bytes(one));
    t.equal(bytes(joinTies(noTies, one)), bytes(one));
  }
  t.end();
});

test("of one time what is gone counts, and nobody can keep something there for good", (t) => {
  const there = new Map([["r", { stamp: 4, value: Buffer.from("reader") }]]);
  const gone = new Map([["r", { stamp: 4, value: undefined }]]);
  t.strictSame(joinTies(there, gone), gone);
  t.strictSame(joinTies(gone, there), gone);
  const frozen = { stamp: limits.ties.stampMax, value: Buffer.from("for ever") };
  const after = new Map([["r", tieAfter(frozen, undefined)]]);
  t.strictSame(joinTies(new Map([["r", frozen]]), after), after);
  t.end();
});
