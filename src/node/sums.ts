/** What the drive and each folder of others that is written here came to, as one report. Pure. */
import { isFault } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { ReclaimReport, VerifyReport } from "../base/views/drive.ts";
import { doubtedOp } from "../transfer/doubt.ts";

export function verifiedInAll(reports: readonly VerifyReport[]): VerifyReport {
  const sum = (of: (report: VerifyReport) => number): number => total(reports.map(of));
  return {
    blocks: sum(({ blocks }) => blocks), segments: sum(({ segments }) => segments),
    proofsRight: sum(({ proofsRight }) => proofsRight),
    proofsWrong: sum(({ proofsWrong }) => proofsWrong),
    late: sum(({ late }) => late), offline: sum(({ offline }) => offline),
    missing: sum(({ missing }) => missing),
    bad: reports.flatMap(({ bad }) => bad).slice(0, limits.agent.badMax),
  };
}

export function reclaimedInAll(reports: readonly ReclaimReport[]): ReclaimReport {
  return {
    blocks: total(reports.map(({ blocks }) => blocks)),
    segments: total(reports.map(({ segments }) => segments)),
    bytes: total(reports.map(({ bytes }) => bytes)),
    doubted: total(reports.map(({ doubted = 0 }) => doubted)),
  };
}

/** One folder whose books were damaged keeps nothing of the others from being given back. */
export async function unlessDoubted(reclaiming: Promise<ReclaimReport>): Promise<ReclaimReport> {
  try {
    return await reclaiming;
  } catch (error) {
    const isDoubted = isFault(error, "Unavailable") && error.op === doubtedOp;
    if (!isDoubted) throw error;
    return { blocks: 0, segments: 0, bytes: 0, doubted: 1 };
  }
}

function total(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}
