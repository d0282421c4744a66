/**
 * What one journal file holds: pure, from its bytes. The records of its newest generation, in the
 * order in which they lie there; a torn or flipped one is passed over, and the next whole one is
 * found by its magic number.
 */
import type { Sequence } from "../../base/blocks.ts";
import {
  type RecordHeader, fileHeaderBytes, findRecord, parseFileHeader, parseRecordHeader, recordBehind,
  recordHeaderBytes,
} from "./journal-frame.ts";

export interface FoundRecord {
  readonly sequence: Sequence;
  readonly offsetBytes: number;
  /** The first and the last record of its group. */
  readonly groupFirst: Sequence;
  readonly groupLast: Sequence;
}

export interface FileScan {
  /** 0 when nothing was ever written here. */
  readonly generation: number;
  readonly first: Sequence;
  readonly records: readonly FoundRecord[];
  /** Where the newest record of the unbroken run from the file's beginning ends. */
  readonly endBytes: number;
}

export function scanJournalFile(bytes: Buffer): FileScan {
  const header = parseFileHeader(bytes);
  const found = [...headersIn(bytes)];
  const newest = found.reduce((most, { generation }) => Math.max(most, generation), 0);
  // A header that was torn says nothing; its records say enough.
  const generation = Math.max(newest, header?.generation ?? 0);
  const records: FoundRecord[] = [];
  let endBytes = fileHeaderBytes;
  for (const record of found.filter((each) => each.generation === generation)) {
    records.push(foundRecord(record));
    if (record.offsetBytes === endBytes) endBytes += recordHeaderBytes + record.lengthBytes;
  }
  const own = header?.generation === generation ? header : undefined;
  return { generation, first: own?.first ?? records[0]?.sequence ?? 0, records, endBytes };
}

type Placed = RecordHeader & { readonly offsetBytes: number };

/** Every whole record, of whatever generation. */
function* headersIn(bytes: Buffer): Generator<Placed> {
  let at = findRecord(bytes, fileHeaderBytes);
  while (at >= 0) {
    const header = parseRecordHeader(bytes, at);
    const whole = header !== undefined && recordBehind(bytes, at, header) !== undefined;
    if (whole) yield { ...header, offsetBytes: at };
    const next = whole ? at + recordHeaderBytes + header.lengthBytes : at + 1;
    at = findRecord(bytes, next);
  }
}

function foundRecord({ sequence, before, behind, offsetBytes }: Placed): FoundRecord {
  return { sequence, offsetBytes, groupFirst: sequence - before, groupLast: sequence + behind };
}
