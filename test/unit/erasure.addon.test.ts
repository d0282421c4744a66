/** The door of native/gf256: bad arguments throw, nothing crashes, workers come and go. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { test } from "tap";
import { HiveError, isFault } from "../../src/base/errors.ts";
import { loadAddon, loadAddonFile } from "../../src/base/machine/native.ts";
import { seededRandom } from "../../src/base/random.ts";
import { parseAddon } from "../../src/erasure/addon.ts";
import { twinKernel } from "../../src/erasure/kernel.ts";
import { thrownBy } from "../support/faults.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/erasure.addon.test.ts`;

const addonFile = fileURLToPath(new URL("../../native/build/gf256.node", import.meta.url));
const addon = createRequire(import.meta.url)(addonFile) as {
  readonly paths: readonly string[];
  readonly multiply: (...given: readonly unknown[]) => unknown;
};

const eight = () => new Uint8Array(8);

const refused: Readonly<Record<string, () => readonly unknown[]>> = {
  "nothing": () => [],
  "too few": () => [0, eight(), [eight()]],
  "a path that is text": () => ["avx2", new Uint8Array(1), [eight()], [eight()]],
  "a path below 0": () => [-1, new Uint8Array(1), [eight()], [eight()]],
  "a path past the last": () => [addon.paths.length, new Uint8Array(1), [eight()], [eight()]],
  "a path that is no number": () => [Number.NaN, new Uint8Array(1), [eight()], [eight()]],
  "an endless path": () => [Number.POSITIVE_INFINITY, new Uint8Array(1), [eight()], [eight()]],
  "no matrix": () => [0, null, [eight()], [eight()]],
  "a matrix of numbers": () => [0, [1], [eight()], [eight()]],
  "a matrix too short": () => [0, new Uint8Array(3), [eight(), eight()], [eight(), eight()]],
  "a matrix too long": () => [0, new Uint8Array(2), [eight()], [eight()]],
  "a matrix of wider elements": () => [0, new Uint16Array(1), [eight()], [eight()]],
  "a matrix that is a plain buffer": () => [0, new ArrayBuffer(1), [eight()], [eight()]],
  "inputs that are no array": () => [0, new Uint8Array(1), eight(), [eight()]],
  "inputs that only look like one": () => [0, new Uint8Array(1), { length: 1 }, [eight()]],
  "no inputs": () => [0, new Uint8Array(0), [], [eight()]],
  "no outputs": () => [0, new Uint8Array(0), [eight()], []],
  "257 inputs": () => [0, new Uint8Array(257), Array.from({ length: 257 }, eight), [eight()]],
  "257 outputs": () => [0, new Uint8Array(257), [eight()], Array.from({ length: 257 }, eight)],
  "an endless array": () => [0, new Uint8Array(1), new Array(2 ** 32 - 1), [eight()]],
  "an array with a hole": () => [0, new Uint8Array(2), [eight(), , eight()].slice(0, 2), [eight()]],
  "an input that is null": () => [0, new Uint8Array(1), [null], [eight()]],
  "an output that is undefined": () => [0, new Uint8Array(1), [eight()], [undefined]],
  "an output of signed bytes": () => [0, new Uint8Array(1), [eight()], [new Int8Array(8)]],
  "an output that is a DataView": () => [
    0, new Uint8Array(1), [eight()], [new DataView(new ArrayBuffer(8))],
  ],
  "a shorter input": () => [0, new Uint8Array(2), [eight(), new Uint8Array(7)], [eight()]],
  "a shorter output": () => [0, new Uint8Array(1), [eight()], [new Uint8Array(7)]],
  "a longer output": () => [0, new Uint8Array(1), [eight()], [new Uint8Array(9)]],
  "shards without bytes": () => [0, new Uint8Array(1), [new Uint8Array(0)], [new Uint8Array(0)]],
  "a detached input": () => [0, new Uint8Array(1), [detached()], [eight()]],
  "an output that is its input": () => {
    const both = eight();
    return [0, new Uint8Array(1), [both], [both]];
  },
  "an output that overlaps an input by a byte": () => {
    const bytes = new Uint8Array(15);
    return [0, new Uint8Array(1), [bytes.subarray(0, 8)], [bytes.subarray(7)]];
  },
  "outputs that overlap each other": () => {
    const bytes = new Uint8Array(15);
    return [0, new Uint8Array(2), [eight()], [bytes.subarray(7), bytes.subarray(0, 8)]];
  },
};

for (const [what, given] of Object.entries(refused)) {
  test(`the addon refuses ${what}`, (t) => {
    for (const path of addon.paths.keys()) {
      const values = given();
      const chosen = values[0] === 0 ? [path, ...values.slice(1)] : values;
      t.throws(() => addon.multiply(...chosen), TypeError);
    }
    t.end();
  });
}

test("a getter that detaches a shard in the midst of the call is harmless", (t) => {
  const first = new Uint8Array(1 << 20);
  const inputs: unknown[] = [first];
  Object.defineProperty(inputs, 1, {
    get: () => {
      structuredClone(first, { transfer: [first.buffer] });
      return new Uint8Array(1 << 20);
    },
  });
  const outputs = [new Uint8Array(1 << 20)];
  t.throws(() => addon.multiply(0, new Uint8Array(2), inputs, outputs), TypeError);
  t.end();
});

test("an error thrown by a getter is the one that the caller sees", (t) => {
  const inputs: unknown[] = [];
  Object.defineProperty(inputs, 0, { get: () => { throw new RangeError("mine"); } });
  t.throws(() => addon.multiply(0, new Uint8Array(1), inputs, [eight()]), RangeError);
  t.end();
});

test("a shard whose buffer was shrunk is refused by the length it has now", (t) => {
  const buffer = new ArrayBuffer(64, { maxByteLength: 64 });
  const tracking = new Uint8Array(buffer);
  const fixed = new Uint8Array(buffer, 32, 32);
  buffer.resize(16);
  const call = (input: Uint8Array, length: number) =>
    addon.multiply(0, new Uint8Array([1]), [input], [new Uint8Array(length)]);
  t.throws(() => call(tracking, 64), TypeError);
  t.throws(() => call(fixed, 32), TypeError);
  call(tracking, 16);
  t.end();
});

test("random arguments never crash it, and what it accepts it computes", (t) => {
  const random = seededRandom(`${seed}/random`);
  const pick = <T>(items: readonly T[]): T => items[random.below(items.length)] as T;
  const span = () => pick<() => unknown>([
    () => random.bytes(8), () => random.bytes(8), () => random.bytes(random.below(20)),
    () => null, () => "shard", () => new Float64Array(1), () => detached(), () => ({}),
  ])();
  const clean = () => Array.from({ length: random.below(4) }, () => random.bytes(8));
  const list = () => pick<() => unknown>([
    clean, clean, clean, () => Array.from({ length: random.below(4) }, span), span,
  ])();
  let accepted = 0;
  for (let round = 0; round < 5000; round++) {
    const [inputs, outputs] = [list(), list()];
    const lists = Array.isArray(inputs) && Array.isArray(outputs);
    const size = lists ? inputs.length * outputs.length : 1;
    const matrix = pick([random.bytes(size), random.bytes(size), random.bytes(size + 1), span()]);
    const given = [random.below(addon.paths.length + 1), matrix, inputs, outputs];
    try {
      addon.multiply(...given);
    } catch (error) {
      if (!(error instanceof TypeError)) t.fail(`${String(error)}; ${replay}`);
      continue;
    }
    accepted++;
    if (!isProduct(given[1], given[2], given[3])) t.fail(replay);
  }
  t.ok(accepted > 200, `${accepted} accepted`);
  t.end();
});

test("shared memory will do for inputs and outputs", (t) => {
  const random = seededRandom(`${seed}/shared`);
  const input = new Uint8Array(new SharedArrayBuffer(1000)).fill(7);
  const output = new Uint8Array(new SharedArrayBuffer(1000));
  const matrix = random.bytes(1);
  addon.multiply(0, matrix, [input], [output]);
  const expected = new Uint8Array(1000);
  twinKernel.multiply(matrix, [input], [expected]);
  t.ok(Buffer.from(output).equals(expected));
  t.end();
});

test("workers may load it, compute at once, and end at any moment", async (t) => {
  const code = `
    const { parentPort, workerData } = require("node:worker_threads");
    const addon = require(workerData.file);
    const inputs = [0, 1, 2, 3].map((i) => Buffer.alloc(50000, i + workerData.fill));
    const outputs = inputs.map(() => Buffer.alloc(50000));
    const matrix = Buffer.from(Array.from({ length: 16 }, (_, i) => 17 * i));
    const run = () => addon.multiply(0, matrix, inputs, outputs);
    run();
    parentPort.postMessage(outputs.map((output) => output[49999]));
    if (workerData.forever) for (;;) run();
  `;
  const matrix = Buffer.from(Array.from({ length: 16 }, (_, i) => 17 * i));
  for (let round = 0; round < 4; round++) {
    await Promise.all([1, 2, 3, 4].map(async (fill) => {
      const workerData = { file: addonFile, fill, forever: fill % 2 === 0 };
      const worker = new Worker(code, { eval: true, workerData });
      const ended = new Promise((resolve) => { worker.once("exit", resolve); });
      const answer = await new Promise<number[]>((resolve, reject) => {
        worker.once("message", resolve);
        worker.once("error", reject);
      });
      if (workerData.forever) await worker.terminate();
      await ended;
      const expected = [0, 1, 2, 3].map(() => new Uint8Array(1));
      twinKernel.multiply(matrix, [0, 1, 2, 3].map((i) => new Uint8Array([i + fill])), expected);
      t.strictSame(answer, expected.map(([byte]) => byte));
    }));
  }
  addon.multiply(0, new Uint8Array([1]), [eight()], [eight()]);
  t.pass("the main thread goes on");
});

test("an addon that was never built is undefined, a broken file a fault", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "hive-addon-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const broken = join(folder, "broken.node");
  writeFileSync(broken, "not a library");
  t.equal(loadAddon("no-such-addon", () => 1), undefined);
  t.equal(loadAddonFile(join(folder, "absent.node"), () => 1), undefined);
  const error = thrownBy(() => loadAddonFile(broken, () => 1));
  t.ok(isFault(error, "Corrupt"));
  t.ok(error instanceof HiveError && error.cause instanceof Error, "the cause is kept");
  t.match(error, { subject: /node native\/build\.mjs/ });
  t.end();
});

test("an addon of another shape is refused by its parser", (t) => {
  for (const other of [null, undefined, 1, {}, { paths: [] }, { paths: [1], multiply() {} }]) {
    t.ok(isFault(thrownBy(() => parseAddon(other)), "Corrupt"));
  }
  t.equal(loadAddon("gf256", parseAddon)?.paths.at(-1), "scalar");
  t.end();
});

/** Whether outputs are the product, for arguments that the addon accepted. */
function isProduct(matrix: unknown, inputs: unknown, outputs: unknown): boolean {
  const [left, data, found] = [matrix, inputs, outputs] as [Buffer, Buffer[], Buffer[]];
  const expected = found.map((output) => new Uint8Array(output.length));
  twinKernel.multiply(left, data, expected);
  return found.every((output, row) => output.equals(expected[row] as Uint8Array));
}

function detached(): Uint8Array {
  const bytes = new Uint8Array(8);
  structuredClone(bytes, { transfer: [bytes.buffer] });
  return bytes;
}
