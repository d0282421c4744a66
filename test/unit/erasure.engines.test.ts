/** Every engine and every native path against the TypeScript twin, on random input. */
import { test } from "tap";
import { seededRandom } from "../../src/base/random.ts";
import { addonKernels } from "../../src/erasure/addon.ts";
import { coderOf, openCoder } from "../../src/erasure/erasure.ts";
import { type Kernel, twinKernel } from "../../src/erasure/kernel.ts";
import { wasmKernel } from "../../src/erasure/wasm.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/erasure.engines.test.ts`;

const native = addonKernels();
const wasm = wasmKernel();
const engines = wasm === undefined ? native : [...native, wasm];

test("the addon was built, its last path is the portable one, and WebAssembly runs", (t) => {
  t.equal(native.at(-1)?.engine, "scalar");
  t.equal(wasm?.engine, "wasm-simd");
  t.equal(new Set(engines.map((kernel) => kernel.engine)).size, engines.length);
  t.end();
});

test("the best engine is chosen, and the one asked for is given", (t) => {
  t.equal(openCoder().engine, native[0]?.engine);
  t.equal(openCoder({ engine: "native" }).engine, native[0]?.engine);
  t.equal(openCoder({ engine: "wasm" }).engine, "wasm-simd");
  t.equal(openCoder({ engine: "typescript" }).engine, "typescript");
  t.end();
});

/** The twin is slow and always right: each trial is put to it once, and serves for all engines. */
const truths = new Map<string, Truth>();

const encodedByTwin = once(() => {
  const random = seededRandom(`${seed}/cross`);
  const code = { k: 8, n: 24 };
  const data = Array.from({ length: code.k }, () => random.bytes(70_001));
  return { code, data, parity: openCoder({ engine: "typescript" }).encode(code, data) };
});

for (const kernel of engines) {
  test(`${kernel.engine} equals the twin at every length up to 600`, (t) => {
    for (let length = 1; length <= 600; length++) {
      const trial = { rows: 1 + (length % 13), columns: 1 + (length % 5), length, offsets: 64 };
      if (!equalsTwin(kernel, trial, `${seed}/${length}`)) t.fail(`${length} bytes; ${replay}`);
    }
    t.pass(kernel.engine);
    t.end();
  });

  test(`${kernel.engine} equals the twin for every number of outputs up to 40`, (t) => {
    for (let rows = 1; rows <= 40; rows++) {
      const trial = { rows, columns: 3, length: 1000 + rows, offsets: 64 };
      if (!equalsTwin(kernel, trial, `${seed}/rows/${rows}`)) t.fail(`${rows} rows; ${replay}`);
    }
    t.pass(kernel.engine);
    t.end();
  });

  test(`${kernel.engine} equals the twin on random shapes, alignments and factors`, (t) => {
    const random = seededRandom(`${seed}/shapes`);
    for (let round = 0; round < 30; round++) {
      const trial = {
        rows: 1 + random.below(30), columns: 1 + random.below(30),
        length: 1 + random.below(9000), offsets: 1 + random.below(64),
      };
      const what = `${JSON.stringify(trial)}; ${replay}`;
      if (!equalsTwin(kernel, trial, `${seed}/shapes/${round}`)) t.fail(what);
    }
    t.pass(kernel.engine);
    t.end();
  });

  test(`${kernel.engine} equals the twin beyond the size from which stores pass the cache`, (t) => {
    const random = seededRandom(`${seed}/large`);
    for (let round = 0; round < 6; round++) {
      const trial = {
        rows: 3 + random.below(11), columns: 2, length: 100_000 + random.below(20_000),
        offsets: round < 4 ? 1 : 64,
      };
      const what = `${JSON.stringify(trial)}; ${replay}`;
      if (!equalsTwin(kernel, trial, `${seed}/large/${round}`)) t.fail(what);
    }
    t.pass(kernel.engine);
    t.end();
  });

  test(`${kernel.engine} equals the twin on the largest matrix`, (t) => {
    const trial = { rows: 256, columns: 256, length: 40, offsets: 64 };
    t.ok(equalsTwin(kernel, trial, `${seed}/side`), replay);
    t.end();
  });

  test(`${kernel.engine} rebuilds what another engine encoded`, (t) => {
    const { code, data, parity } = encodedByTwin();
    const have = new Map(parity.slice(3, 11).map((shard, i) => [code.k + 3 + i, shard]));
    const rebuilt = coderOf(kernel).rebuild(code, have, [...data.keys()]);
    t.ok(Buffer.concat(rebuilt).equals(Buffer.concat(data)), replay);
    t.end();
  });
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

interface Trial {
  readonly rows: number;
  readonly columns: number;
  readonly length: number;
  /** Each buffer starts at some odd place below this; 1 gives all the same one. */
  readonly offsets: number;
}

interface Truth {
  readonly matrix: Buffer;
  readonly inputs: readonly Buffer[];
  /** What the twin makes of them. */
  readonly expected: readonly Uint8Array[];
  /** Where in its frame each output begins. */
  readonly starts: readonly number[];
}

function truthOf({ rows, columns, length, offsets }: Trial, from: string): Truth {
  const known = truths.get(from);
  if (known !== undefined) return known;
  const random = seededRandom(from);
  const matrix = random.bytes(rows * columns);
  const common = random.below(64);
  const inputs = Array.from({ length: columns }, () =>
    slice(random.bytes(length + 128), random.below(64), length));
  const expected = Array.from({ length: rows }, () => new Uint8Array(length));
  const starts = expected.map(() => (common + random.below(offsets)) % 128);
  twinKernel.multiply(matrix, inputs, expected);
  const truth = { matrix, inputs, expected, starts };
  truths.set(from, truth);
  return truth;
}

/** On slices of larger buffers; bytes around an output must stay as they were. */
function equalsTwin(kernel: Kernel, trial: Trial, from: string): boolean {
  const { matrix, inputs, expected, starts } = truthOf(trial, from);
  const { rows, length } = trial;
  const frameBytes = Math.ceil((length + 192) / 64) * 64;
  const backing = Buffer.alloc(rows * frameBytes, 0xa5);
  const frames = expected.map((_, i) => slice(backing, i * frameBytes, frameBytes));
  const outputs = frames.map((frame, i) => slice(frame, starts[i] as number, length));
  kernel.multiply(matrix, inputs, outputs);
  return frames.every((frame, i) => {
    const start = starts[i] as number;
    return slice(frame, start, length).equals(expected[i] as Uint8Array) &&
      isUntouched(frame.subarray(0, start)) && isUntouched(frame.subarray(start + length));
  });
}

function isUntouched(bytes: Buffer): boolean {
  return bytes.equals(Buffer.alloc(bytes.length, 0xa5));
}

function slice(bytes: Buffer, start: number, length: number): Buffer {
  return bytes.subarray(start, start + length);
}
