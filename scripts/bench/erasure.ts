/**
 * How fast the erasure code encodes: each engine in turns, round after round, in one process, and
 * beside them ISA-L, the reference of the field, where its headers are installed. Counts bytes of
 * data (not of parity) per second, the median of the rounds.
 *
 *   node scripts/bench/erasure.ts [--json]
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { MiB, asBuffer } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import { loadAddonFile } from "../../src/base/machine/native.ts";
import { seededRandom } from "../../src/base/random.ts";
import { addonKernels } from "../../src/erasure/addon.ts";
import type { Code } from "../../src/erasure/erasure.ts";
import type { Kernel } from "../../src/erasure/kernel.ts";
import { generatorRows } from "../../src/erasure/matrix.ts";
import { wasmKernel } from "../../src/erasure/wasm.ts";
import { allocateShards } from "../../test/support/aligned-shards.ts";

export interface ErasureFigure {
  readonly code: string;
  readonly shardBytes: number;
  readonly engine: string;
  /** Bytes of data encoded per second, the median. */
  readonly dataBytesPerSecond: number;
  /** Against ISA-L in the same run; absent where it is not installed. */
  readonly timesIsal?: number;
}

export interface ErasureBenchOptions {
  readonly codes: readonly Code[];
  readonly shardBytes: number;
  readonly rounds: number;
}

const usual: ErasureBenchOptions = {
  codes: [{ k: 10, n: 16 }, { k: 4, n: 12 }, { k: 16, n: 40 }, { k: 20, n: 60 }],
  shardBytes: MiB,
  rounds: 18,
};

/** Something that encodes with the code's matrix, prepared beforehand. */
interface Contender {
  readonly engine: string;
  prepare(matrix: Uint8Array, columns: number): void;
  encode(inputs: readonly Uint8Array[], outputs: readonly Uint8Array[]): void;
}

export function benchErasure(options: Partial<ErasureBenchOptions> = {}): ErasureFigure[] {
  const { codes, shardBytes, rounds } = { ...usual, ...options };
  // The portable path takes seconds a round, and is nobody's engine: WebAssembly comes before it.
  const kernels = addonKernels().filter((kernel) => kernel.engine !== "scalar");
  const wasm = wasmKernel();
  const contenders = [...kernels, ...(wasm === undefined ? [] : [wasm])].map(contenderOf);
  const isal = openIsal();
  if (isal !== undefined) contenders.push(isal);
  return codes.flatMap((code) => race(contenders, code, shardBytes, rounds));
}

function race(
  contenders: readonly Contender[], code: Code, shardBytes: number, rounds: number,
): ErasureFigure[] {
  const random = seededRandom("bench-erasure");
  const pattern = random.bytes(4096);
  const data = allocateShards(code.k, shardBytes);
  const parity = allocateShards(code.n - code.k, shardBytes);
  for (const shard of [...data, ...parity]) asBuffer(shard).fill(pattern);
  const indices = parity.map((_, place) => code.k + place);
  const matrix = generatorRows(code.k, indices);
  const timesMs = contenders.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const turn of contenders.keys()) {
      // Another one starts each round: who runs after whom decides what the caches hold.
      const place = (round + turn) % contenders.length;
      const contender = contenders[place] as Contender;
      contender.prepare(matrix, code.k);
      const startMs = systemClock.monotonicMs();
      contender.encode(data, parity);
      timesMs[place]?.push(systemClock.monotonicMs() - startMs);
    }
  }
  return figures(contenders, code, shardBytes, timesMs.map(median));
}

function figures(
  contenders: readonly Contender[], code: Code, shardBytes: number, mediansMs: readonly number[],
): ErasureFigure[] {
  const isalMs = mediansMs[contenders.findIndex(({ engine }) => engine.startsWith("isa-l"))];
  return contenders.map(({ engine }, place) => {
    const ms = mediansMs[place] as number;
    const dataBytesPerSecond = Math.round((code.k * shardBytes * 1000) / ms);
    const figure = { code: `${code.k}/${code.n}`, shardBytes, engine, dataBytesPerSecond };
    return isalMs === undefined ? figure : { ...figure, timesIsal: isalMs / ms };
  });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

function contenderOf(kernel: Kernel): Contender {
  let prepared = new Uint8Array(0);
  return {
    engine: kernel.engine,
    prepare: (matrix) => { prepared = matrix.slice(); },
    encode: (inputs, outputs) => kernel.multiply(prepared, inputs, outputs),
  };
}

interface IsalAddon {
  readonly version: string;
  prepare(matrix: Uint8Array, columns: number): void;
  multiply(inputs: readonly Uint8Array[], outputs: readonly Uint8Array[]): void;
}

/** ISA-L as an addon of its own; undefined where it cannot be compiled and linked. */
function openIsal(): Contender | undefined {
  const folder = mkdtempSync(join(tmpdir(), "hive-bench-"));
  try {
    const headers = createRequire(import.meta.url).resolve("node-api-headers/package.json");
    const source = fileURLToPath(new URL("isal.c", import.meta.url));
    const file = join(folder, "isal.node");
    const flags = ["-O3", "-fPIC", "-shared", "-I", join(dirname(headers), "include")];
    spawnSync("cc", [...flags, "-o", file, source, "-lisal"]);
    const addon = loadAddonFile(file, (exports) => exports as IsalAddon);
    if (addon === undefined) return undefined;
    return {
      engine: `isa-l ${addon.version}`,
      prepare: (matrix, columns) => addon.prepare(matrix, columns),
      encode: (inputs, outputs) => addon.multiply(inputs, outputs),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function print(results: readonly ErasureFigure[]): void {
  console.log("code    engine        data GB/s   x ISA-L");
  for (const { code, engine, dataBytesPerSecond, timesIsal } of results) {
    const rate = (dataBytesPerSecond / 1e9).toFixed(2);
    const times = timesIsal?.toFixed(2) ?? "-";
    console.log(`${code.padEnd(8)}${engine.padEnd(14)}${rate.padStart(9)}${times.padStart(10)}`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const results = benchErasure();
  if (process.argv.includes("--json")) console.log(JSON.stringify(results, null, 2));
  else print(results);
}
