/**
 * The journal: sealed records in order, each with a check, until a commit has what they say. The
 * record after a gap or a bad one is never replayed: it may build on what is lost.
 */
import type { Sequence } from "../base/blocks.ts";
import { HiveError, assert } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Change, LevelTable } from "./level.ts";
import {
  type CommitRecord, checkedValue, journalKey, journalKeys, parseJournalKey, withCheck,
} from "./records.ts";

/** What was found at the start, beyond the records that can be replayed. */
export interface JournalFindings {
  /** Records that are there and not what was written. */
  readonly corrupt: number;
  /** Records that were durable and cannot be replayed: gone, or behind a gap or a corrupt one. */
  readonly lost: number;
}

export class Journal {
  readonly #table: LevelTable;
  #pending: { readonly sequence: Sequence; readonly record: Uint8Array }[] = [];
  #pendingBytes = 0;
  #last: Sequence;
  /** Where this run's records begin: replay stops before. */
  readonly #replayTo: Sequence;
  /** The oldest record that may still lie in LevelDB. */
  #oldest: Sequence;

  constructor(table: LevelTable, range: { oldest: Sequence; last: Sequence }) {
    this.#table = table;
    this.#oldest = range.oldest;
    this.#last = range.last;
    this.#replayTo = range.last;
  }

  get last(): Sequence {
    return this.#last;
  }

  get hasPending(): boolean {
    return this.#pending.length > 0;
  }

  /** Held in memory until the next group commit. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  append(record: Uint8Array): Sequence {
    const fits = record.length <= limits.cache.recordBytesMax;
    if (!fits) throw new HiveError("TooLarge", "cache.append", `${record.length} bytes`);
    const sequence = ++this.#last;
    this.#pending.push({ sequence, record });
    this.#pendingBytes += record.length;
    return sequence;
  }

  takeChanges(): Change[] {
    const taken = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    return taken.map(({ sequence, record }) => {
      const key = journalKey(sequence);
      return { type: "put", key, value: withCheck(key, record) };
    });
  }

  /** Records after the given one that were there when the cache was opened. */
  async *replay(after: Sequence): AsyncGenerator<Uint8Array> {
    if (this.#replayTo <= after) return;
    const range = this.#table.range(journalKey(after + 1), journalKey(this.#replayTo + 1));
    let expected = after + 1;
    for await (const [key, value] of range) {
      const record = checkedValue(key, value);
      const right = parseJournalKey(key) === expected && record !== undefined;
      // The start has read them all and cut off the journal where it broke.
      if (!right) throw new HiveError("Corrupt", "cache.replay", `record ${expected}`);
      expected++;
      yield record;
    }
  }

  /** Takes some of the committed records away; "busy" when there are more. */
  async trim(through: Sequence): Promise<"busy" | "idle"> {
    const until = Math.min(through, this.#oldest + limits.cache.batchChangesMax - 1);
    if (until < this.#oldest) return "idle";
    await this.#table.batch(deletions(this.#oldest, until), { sync: false });
    this.#oldest = until + 1;
    return this.#oldest <= through ? "busy" : "idle";
  }
}

/** Reads what a crash left: what can be replayed after `through`, and cuts off what cannot. */
export async function openJournal(
  table: LevelTable,
  recovered: { committed: CommitRecord | undefined; journalLast: Sequence },
): Promise<{ readonly journal: Journal; readonly findings: JournalFindings }> {
  const through = recovered.committed?.through ?? 0;
  let last = through;
  let oldest = through + 1;
  let corrupt = 0;
  const useless: Buffer[] = [];
  for await (const [key, value] of table.range(journalKeys.from, journalKeys.to)) {
    const sequence = parseJournalKey(key);
    if (sequence !== undefined && sequence <= through) {
      oldest = Math.min(oldest, sequence);
      continue;
    }
    const whole = checkedValue(key, value) !== undefined;
    if (whole && sequence === last + 1 && useless.length === 0) last = sequence;
    else useless.push(key);
    if (!whole) corrupt++;
  }
  await remove(table, useless);
  const wanted = Math.max(recovered.journalLast, last + useless.length);
  const findings = { corrupt, lost: wanted - last };
  return { journal: new Journal(table, { oldest, last }), findings };
}

/** Otherwise they would follow on the records of the next run. */
async function remove(table: LevelTable, keys: readonly Buffer[]): Promise<void> {
  for (let start = 0; start < keys.length; start += limits.cache.batchChangesMax) {
    const some = keys.slice(start, start + limits.cache.batchChangesMax);
    await table.batch(some.map((key) => ({ type: "del", key })), { sync: true });
  }
}

function deletions(from: Sequence, to: Sequence): Change[] {
  assert(to >= from);
  return Array.from({ length: to - from + 1 }, (_, index) => {
    return { type: "del", key: journalKey(from + index) };
  });
}
