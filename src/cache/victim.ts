/** Which block file to empty next: a pure decision. */
import { limits } from "../base/limits.ts";

export interface Candidate {
  readonly number: number;
  readonly sizeBytes: number;
  readonly liveBytes: number;
  readonly dirtyBytes: number;
  readonly warmBytes: number;
}

/** What goes when the file goes: dead bytes, and blocks that are clean and cold. */
export function freeableBytes(file: Candidate): number {
  return file.sizeBytes - file.dirtyBytes - file.warmBytes;
}

/**
 * The file of which the most can go; among equals (to an eighth) the oldest, so that blocks leave
 * in the order in which they came. Undefined when too little would be gained from any.
 */
export function chooseVictim<T extends Candidate>(files: readonly T[]): T | undefined {
  let best: T | undefined;
  let bestEighths = 0;
  for (const file of [...files].sort((one, other) => one.number - other.number)) {
    const share = file.sizeBytes === 0 ? 1 : freeableBytes(file) / file.sizeBytes;
    const eighths = Math.floor(share * 8);
    if (share < limits.cache.victimShareMin || eighths <= bestEighths) continue;
    best = file;
    bestEighths = eighths;
  }
  return best;
}
