/**
 * Room for shards that is used again and again: slices of one slab, alike in alignment, so that a
 * kernel may write past the cache. Fresh memory costs more time than the coding itself.
 */
export function allocateShards(count: number, lengthBytes: number): Uint8Array[] {
  const strideBytes = Math.ceil(lengthBytes / 64) * 64;
  const slab = Buffer.allocUnsafeSlow(count * strideBytes);
  return Array.from({ length: count }, (_, index) =>
    slab.subarray(index * strideBytes, index * strideBytes + lengthBytes));
}
