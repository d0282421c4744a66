/**
 * The face of this room: a segment's k data shards into n, and any k of the n back. It knows bytes
 * and indices only, neither keys nor peers, and it does no I/O. matrix.ts says which code it is.
 */
import { HiveError, assert } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { addonKernels } from "./addon.ts";
import { Inverses } from "./inverses.ts";
import { type Kernel, twinKernel } from "./kernel.ts";
import { generatorRows, multiplyMatrices } from "./matrix.ts";
import { wasmKernel } from "./wasm.ts";

/** Any k of n shards suffice. Shards 0..k-1 are the data, k..n-1 the parity. */
export interface Code {
  readonly k: number;
  readonly n: number;
}

/** All shards given to one call have one length, of at least 1 byte; any alignment will do. */
export interface Coder {
  /** Which path computes, for status and benchmarks, such as "avx512-gfni" or "wasm-simd". */
  readonly engine: string;
  /** The n - k parity shards of the k data shards, in fresh memory. */
  encode(code: Code, data: readonly Uint8Array[]): Uint8Array[];
  /** The same into memory of the caller's, which must overlap nothing else. */
  encodeInto(code: Code, data: readonly Uint8Array[], parity: readonly Uint8Array[]): void;
  /** The wanted shards, in fresh memory. Unavailable if fewer than k are at hand. */
  rebuild(
    code: Code, have: ReadonlyMap<number, Uint8Array>, want: readonly number[],
  ): Uint8Array[];
}

export type Engine = "native" | "wasm" | "typescript";

/** The best engine that runs here, or the one asked for; Unsupported if that one does not run. */
export function openCoder(options: { readonly engine?: Engine } = {}): Coder {
  const kernel = options.engine === undefined ? bestKernel() : kernelOf[options.engine]();
  if (kernel === undefined) {
    throw new HiveError("Unsupported", "erasure.open", options.engine ?? "any engine");
  }
  return coderOf(kernel);
}

const kernelOf = {
  native: () => addonKernels()[0],
  wasm: wasmKernel,
  typescript: () => twinKernel,
} satisfies Record<Engine, () => Kernel | undefined>;

function bestKernel(): Kernel {
  return kernelOf.native() ?? kernelOf.wasm() ?? kernelOf.typescript();
}

/** A coder on one kernel. `openCoder` chooses; tests and benchmarks take each in turn. */
export function coderOf(kernel: Kernel): Coder {
  return new MatrixCoder(kernel);
}

class MatrixCoder implements Coder {
  readonly engine: string;
  readonly #kernel: Kernel;
  readonly #inverses = new Inverses(limits.erasure.inversesMax);

  constructor(kernel: Kernel) {
    this.engine = kernel.engine;
    this.#kernel = kernel;
  }

  encode(code: Code, data: readonly Uint8Array[]): Uint8Array[] {
    assertCode(code);
    const parity = freshShards(code.n - code.k, lengthOf(data));
    this.encodeInto(code, data, parity);
    return parity;
  }

  encodeInto(code: Code, data: readonly Uint8Array[], parity: readonly Uint8Array[]): void {
    assertCode(code);
    assert(data.length === code.k, "k data shards");
    assert(parity.length === code.n - code.k, "n - k parity shards");
    const indices = parity.map((_, place) => code.k + place);
    this.#multiply(generatorRows(code.k, indices), data, parity);
  }

  rebuild(
    code: Code, have: ReadonlyMap<number, Uint8Array>, want: readonly number[],
  ): Uint8Array[] {
    assertCode(code);
    for (const index of [...have.keys(), ...want]) assertIndex(code, index);
    if (have.size < code.k) {
      throw new HiveError("Unavailable", "erasure.rebuild", `${have.size} of ${code.k} shards`);
    }
    const sources = chooseSources(code, have);
    const present = sources.map(([index]) => index);
    const data = sources.map(([, shard]) => shard);
    const inverse = this.#inverses.of(code.k, present);
    const matrix = multiplyMatrices(generatorRows(code.k, want), inverse, code.k);
    const rebuilt = freshShards(want.length, lengthOf(data));
    this.#multiply(matrix, data, rebuilt);
    return rebuilt;
  }

  #multiply(
    matrix: Uint8Array, inputs: readonly Uint8Array[], outputs: readonly Uint8Array[],
  ): void {
    const length = lengthOf(inputs);
    for (const shard of [...inputs, ...outputs]) assert(shard.length === length, "equal lengths");
    assert(matrix.length === inputs.length * outputs.length);
    if (outputs.length > 0) this.#kernel.multiply(matrix, inputs, outputs);
  }
}

function assertCode(code: Code): void {
  assert(Number.isInteger(code.k) && Number.isInteger(code.n), "whole numbers of shards");
  assert(code.k >= 1 && code.k <= code.n, "1 <= k <= n");
  assert(code.n <= limits.erasure.shardsMax, "n fits the field");
}

function assertIndex(code: Code, index: number): void {
  assert(Number.isInteger(index) && index >= 0 && index < code.n, `shard ${index} of ${code.n}`);
}

function lengthOf(shards: readonly Uint8Array[]): number {
  const length = shards[0]?.length ?? 0;
  assert(length >= 1, "shards have at least one byte");
  return length;
}

/** The k lowest indices: data shards first, since their rows cost nothing to invert. */
function chooseSources(
  code: Code, have: ReadonlyMap<number, Uint8Array>,
): readonly (readonly [number, Uint8Array])[] {
  return [...have].sort(([a], [b]) => a - b).slice(0, code.k);
}

/** One allocation each, so that keeping one shard keeps no other; unzeroed, as all is written. */
function freshShards(count: number, lengthBytes: number): Uint8Array[] {
  return Array.from({ length: count }, () => Buffer.allocUnsafeSlow(lengthBytes));
}
