/**
 * The same C kernel as WebAssembly with 128-bit vectors, for machines where the addon cannot be
 * built. Shards are copied through its memory slice by slice, small enough to stay in the cache.
 * gf256.wasm lies beside this file (and must lie beside its compiled form);
 * `node native/build.mjs --wasm` rebuilds it, and a test checks that it matches its source.
 */
import { readFileSync } from "node:fs";
import { assert } from "../base/errors.ts";
import type { Kernel } from "./kernel.ts";

/** Node has it; its type declarations do not. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  prepare(): void;
  arena_at(): number;
  arena_bytes(): number;
  matrix_at(): number;
  multiply(rows: number, columns: number, lengthBytes: number, strideBytes: number): number;
}

/** 8 KiB of each shard at a time: copies are few, and 80 slices fit in a second-level cache. */
const sliceBytesMax = 8192;

/** undefined where this Node runs no WebAssembly with vectors, as under --jitless. */
export function wasmKernel(): Kernel | undefined {
  if (typeof WebAssembly === "undefined") return undefined;
  const bytes = readFileSync(new URL("./gf256.wasm", import.meta.url));
  const wasm = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as Exports;
  wasm.prepare();
  const memory = new Uint8Array(wasm.memory.buffer);
  return {
    engine: "wasm-simd",
    multiply: (matrix, inputs, outputs) => multiply(wasm, memory, matrix, inputs, outputs),
  };
}

function multiply(
  wasm: Exports, memory: Uint8Array, matrix: Uint8Array,
  inputs: readonly Uint8Array[], outputs: readonly Uint8Array[],
): void {
  const shards = inputs.length + outputs.length;
  const stride = Math.min(sliceBytesMax, floorTo(64, wasm.arena_bytes() / shards));
  const arena = wasm.arena_at();
  const length = outputs[0]?.length ?? 0;
  memory.set(matrix, wasm.matrix_at());
  for (let from = 0; from < length; from += stride) {
    const end = Math.min(length, from + stride);
    for (const [place, input] of inputs.entries()) {
      memory.set(input.subarray(from, end), arena + place * stride);
    }
    const done = wasm.multiply(outputs.length, inputs.length, end - from, stride);
    assert(done === 1, "the arena holds a slice of every shard");
    for (const [place, output] of outputs.entries()) {
      const start = arena + (inputs.length + place) * stride;
      output.set(memory.subarray(start, start + end - from), from);
    }
  }
}

function floorTo(unit: number, value: number): number {
  return Math.floor(value / unit) * unit;
}
