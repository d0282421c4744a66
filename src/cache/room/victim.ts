/** Which block file to empty next: a pure decision. */
import { limits } from "../../base/limits.ts";

export interface Candidate {
  readonly number: number;
  readonly sizeBytes: number;
  readonly liveBytes: number;
  readonly dirtyBytes: number;
  readonly retainedBytes: number;
  readonly warmBytes: number;
}

/** What goes when the file goes: dead bytes, and blocks that are clean, cold and not pinned. */
export function freeableBytes(file: Candidate): number {
  return file.sizeBytes - file.dirtyBytes - file.retainedBytes - file.warmBytes;
}

/**
 * By cost and benefit, as log-structured file systems choose: what is freed, times how old the
 * file is, over what must be read and written for it. Only by what is freed, one dirty block
 * would keep its cold neighbours here for ever; only by age, much would be copied for little.
 * Undefined when too little would be gained from any.
 */
export function chooseVictim<T extends Candidate>(files: readonly T[]): T | undefined {
  const newest = files.reduce((most, { number }) => Math.max(most, number), 0);
  let best: T | undefined;
  let bestScore = 0;
  for (const file of files) {
    const score = scoreOf(file, newest - file.number + 1);
    if (score <= bestScore) continue;
    best = file;
    bestScore = score;
  }
  return best;
}

function scoreOf(file: Candidate, age: number): number {
  // Nothing to copy at all: no choice can be better.
  if (file.liveBytes === 0) return Infinity;
  const share = freeableBytes(file) / file.sizeBytes;
  return share < limits.cache.victimShareMin ? 0 : (share * age) / (2 - share);
}
