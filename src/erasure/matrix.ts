/**
 * The code's matrices, row after row in one Uint8Array. The generator is k rows of the identity
 * (shards 0..k-1 are the data itself), then Cauchy rows: shard i >= k has 1 / (i xor j) in column
 * j. Every square part of a Cauchy matrix can be inverted, hence any k shards give back the data;
 * and a row does not depend on n, so a segment can be given more shards later. That is why the code
 * is our own: one matrix for every n up to 256. native/README.md has its figures.
 *
 * Frozen in test/vectors/erasure.json: another matrix would make every stored shard unreadable.
 */
import { assert } from "../base/errors.ts";
import { inverse, product } from "./field.ts";

/** The row that makes shard `index` from the k data shards. */
export function generatorRow(k: number, index: number): Uint8Array {
  const row = new Uint8Array(k);
  if (index < k) row[index] = 1;
  else for (let j = 0; j < k; j++) row[j] = inverse(index ^ j);
  return row;
}

/** Rows of the generator, one below the other. */
export function generatorRows(k: number, indices: readonly number[]): Uint8Array {
  const rows = new Uint8Array(indices.length * k);
  for (const [place, index] of indices.entries()) rows.set(generatorRow(k, index), place * k);
  return rows;
}

/** (rows x k) times (k x k). */
export function multiplyMatrices(left: Uint8Array, right: Uint8Array, k: number): Uint8Array {
  assert(left.length % k === 0);
  assert(right.length === k * k);
  const result = new Uint8Array(left.length);
  for (let row = 0; row < left.length; row += k) {
    for (let inner = 0; inner < k; inner++) {
      addMultiple(result, row, right, inner * k, left[row + inner] as number, k);
    }
  }
  return result;
}

/** The inverse of a k x k matrix by Gauss and Jordan; undefined if it has none. */
export function invertMatrix(matrix: Uint8Array, k: number): Uint8Array | undefined {
  assert(matrix.length === k * k);
  const work = Uint8Array.from(matrix);
  const result = identity(k);
  for (let column = 0; column < k; column++) {
    const pivot = pivotRow(work, column, k);
    if (pivot === undefined) return undefined;
    for (const side of [work, result]) swapRows(side, pivot, column, k);
    const scale = inverse(work[column * k + column] as number);
    for (const side of [work, result]) scaleRow(side, column, scale, k);
    for (let row = 0; row < k; row++) {
      if (row === column) continue;
      const factor = work[row * k + column] as number;
      for (const side of [work, result]) addMultiple(side, row * k, side, column * k, factor, k);
    }
  }
  return result;
}

function identity(k: number): Uint8Array {
  const result = new Uint8Array(k * k);
  for (let i = 0; i < k; i++) result[i * k + i] = 1;
  return result;
}

function pivotRow(matrix: Uint8Array, column: number, k: number): number | undefined {
  for (let row = column; row < k; row++) {
    if (matrix[row * k + column] !== 0) return row;
  }
  return undefined;
}

function swapRows(matrix: Uint8Array, a: number, b: number, k: number): void {
  const kept = matrix.slice(a * k, a * k + k);
  matrix.copyWithin(a * k, b * k, b * k + k);
  matrix.set(kept, b * k);
}

function scaleRow(matrix: Uint8Array, row: number, factor: number, k: number): void {
  for (let at = row * k; at < row * k + k; at++) matrix[at] = product(matrix[at] as number, factor);
}

/** to[toAt ..] += factor * from[fromAt ..], k bytes. */
function addMultiple(
  to: Uint8Array, toAt: number, from: Uint8Array, fromAt: number, factor: number, k: number,
): void {
  if (factor === 0) return;
  for (let i = 0; i < k; i++) {
    to[toAt + i] = (to[toAt + i] as number) ^ product(from[fromAt + i] as number, factor);
  }
}
