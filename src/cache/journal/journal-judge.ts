/**
 * Which of the records that a start finds are the journal, and what that says of the others: a pure
 * decision. The record after a gap or a bad one never counts, as it may build on what is lost.
 */
import type { Sequence } from "../../base/blocks.ts";
import type { FileScan, FoundRecord } from "./journal-scan.ts";

export interface Known {
  /** The newest record that the root has. */
  readonly through: Sequence;
  /** The newest record that was ever durable, as far as the books tell. */
  readonly last: Sequence;
}

export interface Judgement {
  /** The newest record that counts. */
  readonly last: Sequence;
  /** Places inside a file where a record was durable and is not what was written. */
  readonly corrupt: number;
  /** Records that were durable and do not count: gone, or behind a gap or a corrupt one. */
  readonly lost: number;
  /** Something lies behind the newest that counts, and must never be taken to follow on it. */
  readonly isCut: boolean;
  /** What counts and the root does not have, oldest first: for each scan its records. */
  readonly runs: readonly Run[];
}

export interface Run {
  readonly scan: FileScan;
  readonly records: readonly FoundRecord[];
}

/** The scans in the order of their generations. */
export function judge(scans: readonly FileScan[], known: Known): Judgement {
  const runs = runsOf(scans, known.through);
  const found = runs.flatMap(({ records }) => records);
  const end = runEnd(found, known.through);
  const rest = found.filter(({ sequence }) => sequence > end);
  // A group is begun when the one before it is durable: so much was kept once.
  const later = rest.filter(({ groupFirst }) => groupFirst > end + 1);
  const wanted = later.reduce((most, { sequence }) => Math.max(most, sequence), known.last);
  const tail = found.findLast(({ sequence }) => sequence === end);
  // Nobody was ever told that an unfinished group is kept: it goes whole, as it came.
  const isTorn = tail !== undefined && tail.groupLast > Math.max(end, wanted);
  const last = isTorn ? Math.max(known.through, tail.groupFirst - 1) : end;
  const broken = scans.filter((scan) => {
    return scan.first <= end + 1 && scan.records.some((record) => later.includes(record));
  });
  return {
    last,
    corrupt: broken.length,
    lost: Math.max(0, wanted - last),
    isCut: isTorn || rest.length > 0,
    runs: runs.map(({ scan, records }) => {
      return { scan, records: records.filter(({ sequence }) => sequence <= last) };
    }),
  };
}

/** What no later generation has taken the place of. */
function runsOf(scans: readonly FileScan[], through: Sequence): Run[] {
  let before = Infinity;
  const runs = scans.toReversed().map((scan) => {
    const limit = before;
    if (scan.generation > 0) before = Math.min(before, scan.first);
    const counts = ({ sequence }: FoundRecord) => sequence > through && sequence < limit;
    return { scan, records: scan.records.filter(counts) };
  });
  return runs.reverse();
}

/** The last of an unbroken run of records that begins behind `through`. */
function runEnd(found: readonly FoundRecord[], through: Sequence): Sequence {
  let end = through;
  for (const { sequence } of found) {
    if (sequence > end + 1) return end;
    end = sequence;
  }
  return end;
}
