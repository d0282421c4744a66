/** The code itself: its frozen bytes, that any k of n shards suffice, and what is a fault. */
import { readFileSync } from "node:fs";
import { test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import { type Random, seededRandom, shuffled } from "../../src/base/random.ts";
import { type Code, type Coder, openCoder } from "../../src/erasure/erasure.ts";
import { inverse, product } from "../../src/erasure/field.ts";
import { Inverses } from "../../src/erasure/inverses.ts";
import { generatorRow, generatorRows, invertMatrix } from "../../src/erasure/matrix.ts";
import { multiplyMatrices } from "../../src/erasure/matrix.ts";
import { allocateShards } from "../support/aligned-shards.ts";
import { thrownBy } from "../support/faults.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/erasure.code.test.ts`;

const small: readonly Code[] = [{ k: 1, n: 3 }, { k: 2, n: 6 }, { k: 4, n: 12 }];
const large: readonly Code[] = [
  { k: 8, n: 24 }, { k: 16, n: 40 }, { k: 20, n: 60 }, { k: 20, n: 80 },
];

interface Vector extends Code {
  readonly matrix?: readonly string[];
  readonly firstRow?: string;
  readonly lastRow?: string;
  readonly data: readonly string[];
  readonly parity: readonly string[];
}

interface Vectors {
  readonly products: readonly (readonly [number, number, number])[];
  readonly codes: readonly Vector[];
}

const vectors = JSON.parse(
  readFileSync(new URL("../vectors/erasure.json", import.meta.url), "utf8"),
) as Vectors;

test("products and inverses are those of the polynomial 0x11d", (t) => {
  for (const [a, b, expected] of vectors.products) t.equal(product(a, b), expected);
  for (let a = 1; a < 256; a++) {
    if (product(a, inverse(a)) !== 1) t.fail(`inverse of ${a}`);
    if (product(2, a) !== (a < 128 ? 2 * a : (2 * a) ^ 0x11d)) t.fail(`2 x ${a}`);
  }
  t.throws(() => inverse(0));
  t.end();
});

for (const vector of vectors.codes) {
  const { k, n } = vector;
  test(`the code ${k}/${n} makes the frozen bytes, and takes them back`, (t) => {
    const rows = Array.from({ length: n - k }, (_, i) => hex(generatorRow(k, k + i)));
    if (vector.matrix !== undefined) t.strictSame(rows, vector.matrix);
    if (vector.firstRow !== undefined) t.equal(rows.at(0), vector.firstRow);
    if (vector.lastRow !== undefined) t.equal(rows.at(-1), vector.lastRow);
    const data = vector.data.map((text) => Buffer.from(text, "hex"));
    for (const engine of ["native", "wasm", "typescript"] as const) {
      const coder = openCoder({ engine });
      t.strictSame(coder.encode({ k, n }, data).map(hex), vector.parity, coder.engine);
      const all = [...vector.data, ...vector.parity].map((text) => Buffer.from(text, "hex"));
      const last = new Map([...all.entries()].slice(-k));
      t.strictSame(coder.rebuild({ k, n }, last, [...data.keys()]).map(hex), vector.data);
    }
    t.end();
  });
}

for (const code of small) {
  test(`every choice of ${code.k} of ${code.n} shards gives back all the others`, (t) => {
    const coder = openCoder();
    const random = seededRandom(`${seed}/${code.k}/${code.n}`);
    const shards = makeShards(code, 100 + random.below(100), random);
    const choices = subsets(code);
    const wrong = choices.filter((present) => !givesBack(coder, code, shards, present));
    t.equal(choices.length, binomial(code.n, code.k));
    t.strictSame(wrong, [], replay);
    t.end();
  });
}

for (const code of large) {
  test(`random choices of ${code.k} of ${code.n} shards give back all the others`, (t) => {
    const coder = openCoder();
    const random = seededRandom(`${seed}/${code.k}/${code.n}`);
    const shards = makeShards(code, 1 + random.below(300), random);
    const all = [...shards.keys()];
    const choices = [
      all.slice(-code.k),
      all.slice(1, code.k + 1),
      ...Array.from({ length: 100 }, () => shuffled(all, random).slice(0, code.k)),
    ];
    const wrong = choices.filter((present) => !givesBack(coder, code, shards, present));
    t.strictSame(wrong, [], replay);
    t.end();
  });
}

test("any k rows of the generator can be inverted, up to the largest code", (t) => {
  const random = seededRandom(`${seed}/mds`);
  for (const code of small) {
    for (const rows of subsets(code)) {
      if (invertMatrix(generatorRows(code.k, rows), code.k) === undefined) t.fail(`${rows}`);
    }
  }
  for (const code of [...large, { k: 60, n: 256 }, { k: 128, n: 256 }]) {
    const all = Array.from({ length: code.n }, (_, i) => i);
    for (let round = 0; round < (code.k > 20 ? 5 : 200); round++) {
      const rows = generatorRows(code.k, shuffled(all, random).slice(0, code.k));
      const inverted = invertMatrix(rows, code.k);
      if (inverted === undefined) t.fail(replay);
      else if (!isIdentity(multiplyMatrices(rows, inverted, code.k), code.k)) t.fail(replay);
    }
  }
  t.equal(invertMatrix(new Uint8Array([1, 2, 1, 2]), 2), undefined, "equal rows have no inverse");
  t.end();
});

test("a shard does not depend on how many others the code has", (t) => {
  const coder = openCoder();
  const data = makeData(20, 33, seededRandom(`${seed}/more`));
  const parity60 = coder.encode({ k: 20, n: 60 }, data);
  const parity80 = coder.encode({ k: 20, n: 80 }, data);
  t.strictSame(parity80.slice(0, 40).map(hex), parity60.map(hex));
  t.end();
});

test("more than k shards do no harm, and the order in which they came does not matter", (t) => {
  const random = seededRandom(`${seed}/order`);
  const code = { k: 8, n: 24 };
  const shards = makeShards(code, 50, random);
  const have = new Map(shuffled([...shards.entries()].slice(5, 20), random));
  const want = [...shards.keys()];
  t.strictSame(openCoder().rebuild(code, have, want).map(hex), shards.map(hex), replay);
  t.end();
});

test("a range of each shard is coded like a whole one, so a small read rebuilds little", (t) => {
  const code = { k: 4, n: 12 };
  const shards = makeShards(code, 5000, seededRandom(`${seed}/range`));
  const range = (index: number) => shards[index]?.subarray(1234, 1334) ?? new Uint8Array(0);
  const have = new Map([1, 5, 7, 11].map((index) => [index, range(index)]));
  t.equal(hex(openCoder().rebuild(code, have, [0])[0]), hex(range(0)));
  t.end();
});

test("shards for reuse are apart, equally aligned, and take the same parity", (t) => {
  for (const length of [1, 64, 1000, 4097]) {
    const data = makeData(4, length, seededRandom(`${seed}/${length}`));
    const parity = allocateShards(8, length);
    t.ok(parity.every((shard) => shard.length === length && shard.byteOffset % 64 === 0));
    openCoder().encodeInto({ k: 4, n: 12 }, data, parity);
    t.strictSame(parity.map(hex), openCoder().encode({ k: 4, n: 12 }, data).map(hex), replay);
  }
  t.end();
});

test("fewer than k shards are a fault of the kind Unavailable", (t) => {
  const coder = openCoder();
  const have = new Map([[0, new Uint8Array(8)], [5, new Uint8Array(8)], [11, new Uint8Array(8)]]);
  const three = thrownBy(() => coder.rebuild({ k: 4, n: 12 }, have, [1]));
  t.ok(isFault(three, "Unavailable"));
  t.match(three, { subject: "3 of 4 shards" });
  t.ok(isFault(thrownBy(() => coder.rebuild({ k: 1, n: 3 }, new Map(), [0])), "Unavailable"));
  t.end();
});

test("what only a bug can ask for is an assertion, not a fault", (t) => {
  const coder = openCoder();
  const four = makeData(4, 16, seededRandom(seed));
  const have = new Map(four.entries());
  const code = { k: 4, n: 12 };
  const bugs: readonly (() => unknown)[] = [
    () => coder.encode({ k: 0, n: 12 }, []),
    () => coder.encode({ k: 13, n: 12 }, four),
    () => coder.encode({ k: 4, n: 257 }, four),
    () => coder.encode({ k: 4, n: 12.5 }, four),
    () => coder.encode(code, four.slice(1)),
    () => coder.encode(code, [...four.slice(1), new Uint8Array(15)]),
    () => coder.encode(code, four.map(() => new Uint8Array(0))),
    () => coder.encodeInto(code, four, four.slice(1)),
    () => coder.encodeInto({ k: 4, n: 5 }, four, [new Uint8Array(17)]),
    () => coder.rebuild(code, have, [12]),
    () => coder.rebuild(code, have, [-1]),
    () => coder.rebuild(code, new Map([...have, [4.5, new Uint8Array(16)]]), [5]),
    () => coder.rebuild(code, new Map([...have, [3, new Uint8Array(15)]]), [5]),
  ];
  for (const [index, bug] of bugs.entries()) {
    const error = thrownBy(bug);
    t.ok(error instanceof Error && !isFault(error), `bug ${index}`);
  }
  t.end();
});

test("nothing wanted and nothing to add are answered with nothing", (t) => {
  const coder = openCoder();
  const data = makeData(4, 16, seededRandom(seed));
  t.strictSame(coder.encode({ k: 4, n: 4 }, data), []);
  t.strictSame(coder.rebuild({ k: 4, n: 12 }, new Map(data.entries()), []), []);
  t.end();
});

test("a wanted shard that is at hand comes back as a copy", (t) => {
  const coder = openCoder();
  const data = makeData(4, 16, seededRandom(seed));
  const [copy] = coder.rebuild({ k: 4, n: 12 }, new Map(data.entries()), [2]);
  t.equal(hex(copy), hex(data[2]));
  t.not(copy, data[2]);
  t.end();
});

test("inverses are remembered up to a bound, the least recently used goes first", (t) => {
  const inverses = new Inverses(2);
  const first = inverses.of(2, [0, 2]);
  inverses.of(2, [0, 3]);
  t.equal(inverses.of(2, [0, 2]), first, "the very same matrix");
  inverses.of(2, [0, 4]);
  t.equal(inverses.count, 2);
  t.equal(inverses.of(2, [0, 2]), first, "used since, so kept");
  t.end();
});

function givesBack(
  coder: Coder, code: Code, shards: readonly Uint8Array[], present: readonly number[],
): boolean {
  const have = new Map(present.map((index) => [index, shards[index] as Uint8Array]));
  const want = [...shards.keys()].filter((index) => !have.has(index));
  const rebuilt = coder.rebuild(code, have, want);
  return want.every((index, i) => hex(rebuilt[i]) === hex(shards[index]));
}

function makeShards(code: Code, lengthBytes: number, random: Random): Uint8Array[] {
  const data = makeData(code.k, lengthBytes, random);
  return [...data, ...openCoder({ engine: "typescript" }).encode(code, data)];
}

function makeData(k: number, lengthBytes: number, random: Random): Uint8Array[] {
  return Array.from({ length: k }, () => random.bytes(lengthBytes));
}

/** All k-subsets of 0..n-1, in ascending order. */
function subsets(code: Code, from = 0): number[][] {
  if (code.k === 0) return [[]];
  return Array.from({ length: Math.max(0, code.n - from) }, (_, i) => from + i).flatMap((first) =>
    subsets({ k: code.k - 1, n: code.n }, first + 1).map((rest) => [first, ...rest]));
}

function binomial(n: number, k: number): number {
  return k === 0 ? 1 : (binomial(n - 1, k - 1) * n) / k;
}

function isIdentity(matrix: Uint8Array, k: number): boolean {
  return matrix.every((value, at) => value === (at % (k + 1) === 0 ? 1 : 0));
}

function hex(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString("hex");
}
