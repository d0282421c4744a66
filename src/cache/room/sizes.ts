/** How large the parts of a cache are, given its limit: pure arithmetic. */
import { limits } from "../../base/limits.ts";

/** A whole number of file-system pages, so that writes into a new file start on one. */
export function fileBytesFor(limitBytes: number): number {
  const { blockFileShare, blockFileBytesMin, blockFileBytesMax } = limits.cache;
  const share = Math.floor((limitBytes * blockFileShare) / 4096) * 4096;
  return Math.min(blockFileBytesMax, Math.max(blockFileBytesMin, share));
}

export function journalFileBytesFor(limitBytes: number): number {
  const { journalFileShare, journalFileBytesMin, journalFileBytesMax } = limits.cache;
  const share = Math.floor((limitBytes * journalFileShare) / 4096) * 4096;
  return Math.min(journalFileBytesMax, Math.max(journalFileBytesMin, share));
}

/**
 * What no peer has may not push the store over its limit where pins leave little, but always has
 * the share that pins may not take.
 */
export function dirtyBytesFor(options: {
  limitBytes: number; dirtyBytesMax?: number; pinnedBytes?: number;
}): number {
  const { limitBytes, pinnedBytes = 0 } = options;
  const { dirtyBytesMax = Math.floor(limitBytes * limits.cache.dirtyShareMax) } = options;
  const leastBytes = Math.floor(limitBytes * (1 - limits.pins.shareMax));
  return Math.min(dirtyBytesMax, Math.max(leastBytes, limitBytes - pinnedBytes));
}
