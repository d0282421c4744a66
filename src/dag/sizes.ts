/**
 * The ladder of sizes to which every block is padded before it is sealed, so that the blocks of
 * another person's segment tell little: a size is worth four bits at most. Padding is zeros. The
 * step is at most a half more than the last: on average a sixth of a block, on the disk of others.
 */
import { KiB } from "../base/bytes.ts";
import { assert } from "../base/errors.ts";

export const blockSizes: readonly number[] = [
  1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256,
].map((size) => size * KiB);

/** The smallest step that holds this many bytes. */
export function stepFor(lengthBytes: number): number {
  const step = blockSizes.find((size) => size >= lengthBytes);
  assert(step !== undefined, `a block of ${lengthBytes} bytes`);
  return step;
}

/** The bytes and zeros up to the next step; the same bytes when they fill one. */
export function padded(bytes: Uint8Array): Uint8Array {
  const step = stepFor(bytes.length);
  if (bytes.length === step) return bytes;
  const whole = Buffer.allocUnsafe(step);
  whole.set(bytes);
  return whole.fill(0, bytes.length);
}
