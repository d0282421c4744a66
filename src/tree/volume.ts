/** What df shows: the drive's own files, and how much more can be written now. */
import type { VolumeStats } from "../base/filesystem.ts";
import { nameBytesMax } from "../base/ids.ts";
import type { State } from "./state.ts";

export function volumeStats(state: State): VolumeStats {
  const { dirtyBytes, dirtyBytesMax } = state.needs.store.usage();
  const freeBytes = Math.max(0, dirtyBytesMax - dirtyBytes);
  const { files, bytes } = state.totals;
  return { totalBytes: bytes + freeBytes, freeBytes, files, nameBytesMax };
}
