/** How large the parts of a cache are, given its limit: pure arithmetic. */
import { limits } from "../base/limits.ts";

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

export function dirtyBytesFor(options: { limitBytes: number; dirtyBytesMax?: number }): number {
  return options.dirtyBytesMax ?? Math.floor(options.limitBytes * limits.cache.dirtyShareMax);
}
