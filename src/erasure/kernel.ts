/**
 * What an engine does: multiply a matrix over GF(2^8) with rows of bytes. All else of the code is
 * arithmetic on small matrices. This one is the twin: short, plain and slow, the reference that the
 * fast engines are tested against, and the last resort where neither of them runs.
 */
import { product } from "./field.ts";

export interface Kernel {
  /** Which path computes: "avx512-gfni", .. "scalar", "wasm-simd" or "typescript". */
  readonly engine: string;
  /**
   * output[r] = sum over c of matrix[r * inputs.length + c] * inputs[c], byte by byte. All inputs
   * and outputs have one length of at least 1; no output overlaps an input or another output.
   */
  multiply(
    matrix: Uint8Array, inputs: readonly Uint8Array[], outputs: readonly Uint8Array[],
  ): void;
}

export const twinKernel: Kernel = {
  engine: "typescript",
  multiply(matrix, inputs, outputs) {
    for (const [row, output] of outputs.entries()) {
      output.fill(0);
      for (const [column, input] of inputs.entries()) {
        addProducts(output, matrix[row * inputs.length + column] as number, input);
      }
    }
  },
};

function addProducts(output: Uint8Array, factor: number, input: Uint8Array): void {
  const products = Uint8Array.from({ length: 256 }, (_, value) => product(factor, value));
  for (let at = 0; at < output.length; at++) {
    output[at] = (output[at] as number) ^ (products[input[at] as number] as number);
  }
}
