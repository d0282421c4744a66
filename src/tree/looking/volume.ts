/** What df shows: the drive's own files, and how much more can be written now. */
import type { VolumeStats } from "../../base/filesystem.ts";
import { nameBytesMax } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { State } from "../state/state.ts";

export function volumeStats(state: State): VolumeStats {
  const { dirtyBytes, dirtyBytesMax } = state.needs.store.usage();
  const leftBytes = dirtyBytesMax - dirtyBytes;
  // What does not hold a chunk is no room: the next large write would be refused.
  const freeBytes = leftBytes < limits.dag.blockBytesMax ? 0 : leftBytes;
  const { files, bytes } = state.totals;
  return { totalBytes: bytes + freeBytes, freeBytes, files, nameBytesMax };
}
