/**
 * The journal at a start: every file is read, what counts is kept for the replay, and what does not
 * is cut off for good. The first format's records lay in LevelDB: until they are committed they
 * count as the earliest file.
 */
import { isFault } from "../../base/errors.ts";
import { type Log, describe } from "../../base/log.ts";
import type { Disk } from "../disk/disk.ts";
import { notOfIndex } from "../disk/faults.ts";
import type { LevelTable } from "../index/level.ts";
import { checkedValue, journalKeys, parseJournalKey } from "../index/records.ts";
import type { JournalFile } from "./journal-file.ts";
import { JournalFiles, listJournalFiles } from "./journal-files.ts";
import { type Known, judge } from "./journal-judge.ts";
import { type FileScan, type FoundRecord, scanJournalFile } from "./journal-scan.ts";
import { Journal, type ReplayRun } from "./journal.ts";

/** What was found at the start, beyond the records that can be replayed. */
export interface JournalFindings {
  readonly corrupt: number;
  readonly lost: number;
}

interface Needs {
  readonly directory: string;
  readonly table: LevelTable;
  readonly disk: Disk;
  readonly log: Log;
}

interface Scanned {
  readonly file: JournalFile;
  readonly scan: FileScan;
}

export async function openJournal(
  needs: Needs,
  known: Known,
): Promise<{ readonly journal: Journal; readonly findings: JournalFindings }> {
  const { directory, table, disk, log } = needs;
  const files = await scanFiles(directory, log);
  const old = await scanTable(table);
  const judged = judge([old.scan, ...files.map(({ scan }) => scan)], known);
  const fileOf = new Map(files.map(({ file, scan }) => [scan, file]));
  const runs: ReplayRun[] = judged.runs
    .filter(({ records }) => records.length > 0)
    .map(({ scan, records }) => ({ file: fileOf.get(scan), records }));
  const full = runs.flatMap(({ file }) => file ?? []);
  for (const { file, records } of runs) {
    if (file !== undefined) file.last = records.at(-1)?.sequence ?? 0;
  }
  const pool = new JournalFiles(
    { directory, log, roomBytes: () => disk.roomBytes, spend: (bytes) => void disk.spend(bytes) },
    {
      generation: files.at(-1)?.scan.generation ?? 0,
      full,
      spare: files.map(({ file }) => file).filter((file) => !full.includes(file)),
    },
  );
  try {
    await pool.settleIn();
    if (judged.isCut) await disk.orWithReserve(() => pool.cutAt(judged.last + 1));
  } catch (cause) {
    await pool.close();
    throw notOfIndex(cause, "cache.journal", directory);
  }
  const journal = new Journal({ table, files: pool }, { last: judged.last, runs });
  const { lost } = judged;
  return { journal, findings: { corrupt: judged.corrupt + old.corrupt, lost } };
}

/** In the order in which they were begun; those never begun come first. */
async function scanFiles(directory: string, log: Log): Promise<readonly Scanned[]> {
  const scanned: Scanned[] = [];
  for (const file of await listJournalFiles(directory)) {
    const bytes = await file.read().catch((error: unknown) => {
      if (!isFault(error, "Corrupt")) throw error;
      // A disk that does not give them back has lost them: what follows is judged by the others.
      log.error("cache.journal-unreadable", { file: file.number, why: describe(error) });
      return Buffer.alloc(0);
    });
    scanned.push({ file, scan: scanJournalFile(bytes) });
  }
  return scanned.sort((one, other) => one.scan.generation - other.scan.generation);
}

/** Each of them was written by itself: there was nothing like a torn group. */
async function scanTable(
  table: LevelTable,
): Promise<{ readonly scan: FileScan; readonly corrupt: number }> {
  const records: FoundRecord[] = [];
  let corrupt = 0;
  for await (const [key, value] of table.range(journalKeys.from, journalKeys.to)) {
    const sequence = parseJournalKey(key);
    const whole = sequence !== undefined && checkedValue(key, value) !== undefined;
    if (whole) {
      records.push({ sequence, offsetBytes: 0, groupFirst: sequence, groupLast: sequence });
    } else corrupt++;
  }
  return { scan: { generation: 0, first: 0, records, endBytes: 0 }, corrupt };
}
