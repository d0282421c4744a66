/** What the local store found wrong with itself, as problems in words: a pure translation. */
import type { FsckProblem } from "../base/damages.ts";
import type { BlockCheck, Report } from "../cache/cache.ts";

/** What opening the store showed, and mended as far as it can be. */
export function storeProblems(report: Readonly<Report>): FsckProblem[] {
  const { mending, rebuiltBlocks, corruptRecords, cutOffRecords, indexStale } = report;
  const problems: FsckProblem[] = [];
  if (mending !== "none") {
    const how = mending === "repaired" ? "repaired" : "begun anew, the old one set aside";
    const blocks = "blocks that only it knew to be with peers may be uploaded again";
    problems.push(mended("index", `the index was damaged: it is ${how}; ${blocks}`));
  }
  if (indexStale && !report.changesLost) {
    const words =
      "the index had lost its newest records: the newest root and blocks were found in the " +
      "block files";
    problems.push(mended("index", words));
  }
  if (report.changesLost) {
    const words = "the newest root is lost: neither index nor block files have it any more";
    problems.push({ ...mended("journal", words), loss: true });
  }
  if (rebuiltBlocks > 0) {
    const words = `${rebuiltBlocks} blocks that the index had lost were found in the block files`;
    problems.push(mended("index", words));
  }
  if (corruptRecords > 0) {
    problems.push(mended("index", `${corruptRecords} records of the index or journal are damaged`));
  }
  if (cutOffRecords > 0) {
    const words =
      `${cutOffRecords} of the newest changes are lost: their records are damaged or gone, or ` +
      "come after such a one";
    problems.push({ ...mended("journal", words), loss: true });
  }
  return problems;
}

/** What reading every block showed. `onPeers`: how many of the spoilt ones peers have. */
export function blockProblems(found: BlockCheck, onPeers: number): FsckProblem[] {
  const { forgotten, rewritten, reclaimed, spoilt } = found;
  const problems: FsckProblem[] = [];
  const fetched = forgotten + onPeers;
  if (fetched > 0) {
    const words = `${fetched} blocks are damaged here and whole with peers: they are fetched again`;
    problems.push(mended("block", words));
  }
  if (rewritten > 0) {
    problems.push(mended("block", `${rewritten} blocks stand under damaged headers`));
  }
  if (reclaimed > 0) {
    const words =
      `${reclaimed} blocks count as safe with peers, and the books do not tell with whom: they ` +
      "are uploaded again";
    problems.push(mended("catalogue", words));
  }
  if (spoilt.length > onPeers) {
    const words =
      `${spoilt.length - onPeers} blocks that no peer has yet are damaged or gone; what that ` +
      "costs is told by file";
    problems.push(mended("block", words));
  }
  return problems;
}

/** The store itself is well again; what a loss means for files is theirs to tell. */
function mended(what: FsckProblem["what"], words: string): FsckProblem {
  return { what, path: null, words, mended: true, loss: false };
}
