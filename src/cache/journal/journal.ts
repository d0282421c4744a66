/**
 * The journal: sealed records in order, each with a check, until a commit has what they say. It
 * lies in files of its own (journal-files.ts); what it says to LevelDB is only how to forget what
 * the first format kept there.
 */
import type { AppendOptions, Sequence } from "../../base/blocks.ts";
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Change, LevelTable } from "../index/level.ts";
import { checkedValue, journalKey, journalKeys } from "../index/records.ts";
import type { GroupRecord, JournalFile } from "./journal-file.ts";
import type { JournalFiles } from "./journal-files.ts";
import { parseRecordHeader, recordBehind } from "./journal-frame.ts";
import type { FoundRecord } from "./journal-scan.ts";

interface Needs {
  readonly files: JournalFiles;
  readonly table: LevelTable;
}

/** Records for a replay, and where they lie; those of the first format have no file. */
export interface ReplayRun {
  readonly file: JournalFile | undefined;
  readonly records: readonly FoundRecord[];
}

interface Pending {
  readonly sequence: Sequence;
  readonly record: Uint8Array;
  readonly namesDurableOnly: boolean;
}

export class Journal {
  readonly #needs: Needs;
  #pending: Pending[] = [];
  /** Gathered for a write that is under way, or that failed. */
  #taken: Pending[] = [];
  #pendingBytes = 0;
  /** Writes go one after the other. */
  #turn: Promise<void> = Promise.resolve();
  #last: Sequence;
  /** Where this run's records begin: replay stops before. */
  readonly #replayTo: Sequence;
  #runs: readonly ReplayRun[];
  /** The newest record that LevelDB may still have. */
  #oldLast: Sequence;

  constructor(needs: Needs, state: { last: Sequence; runs: readonly ReplayRun[] }) {
    this.#needs = needs;
    this.#last = state.last;
    this.#replayTo = state.last;
    this.#runs = state.runs;
    const old = state.runs.find(({ file }) => file === undefined);
    this.#oldLast = old?.records.at(-1)?.sequence ?? 0;
  }

  get last(): Sequence {
    return this.#last;
  }

  get hasPending(): boolean {
    return this.#pending.length + this.#taken.length > 0;
  }

  /** Held in memory until they are durable. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** What a file should have: a smaller cache has smaller ones. */
  set fileBytes(bytes: number) {
    this.#needs.files.fileBytes = bytes;
  }

  append(record: Uint8Array, { namesDurableOnly }: AppendOptions): Sequence {
    const fits = record.length <= limits.cache.recordBytesMax;
    if (!fits) throw new HiveError("TooLarge", "cache.append", `${record.length} bytes`);
    const sequence = ++this.#last;
    this.#pending.push({ sequence, record, namesDurableOnly });
    this.#pendingBytes += record.length;
    return sequence;
  }

  /** False when nothing that is not durable would miss a block that is not. */
  get mayNameNewBlocks(): boolean {
    const waiting = [...this.#taken, ...this.#pending];
    return waiting.some(({ namesDurableOnly }) => !namesDurableOnly);
  }

  /** What `write` writes: all that there is now. */
  take(): void {
    this.#taken = this.#taken.concat(this.#pending);
    this.#pending = [];
  }

  /** Makes what was taken durable, all or none; after a failure it is still there to be written. */
  async write(): Promise<void> {
    const mine = this.#turn.then(() => this.#write());
    this.#turn = mine.catch(() => undefined);
    await mine;
  }

  async #write(): Promise<void> {
    const taken = this.#taken;
    if (taken.length === 0) return;
    await this.#needs.files.write(groupOf(taken));
    this.#taken = this.#taken.slice(taken.length);
    for (const { record } of taken) this.#pendingBytes -= record.length;
  }

  /** Records after the given one that were there when the cache was opened. */
  async *replay(after: Sequence): AsyncGenerator<Uint8Array> {
    let expected = after + 1;
    for (const { file, records } of this.#replayTo > after ? this.#runs : []) {
      const wanted = records.filter(({ sequence }) => sequence > after);
      const found = file === undefined ? this.#readTable(wanted) : readFile(file, wanted);
      for await (const record of found) {
        // The start has read them all and cut off the journal where it broke.
        if (record === undefined) {
          throw new HiveError("Corrupt", "cache.replay", `record ${expected}`);
        }
        expected++;
        yield record;
      }
    }
  }

  /** A durable root has all up to here. */
  release(through: Sequence): void {
    if (through >= this.#replayTo) this.#runs = [];
    this.#needs.files.release(through);
  }

  /** Prepares for the next records; "busy" while there are old ones to forget. */
  async step(through: Sequence): Promise<"busy" | "idle"> {
    await this.#needs.files.prepare();
    if (this.#oldLast === 0 || through < this.#oldLast) return "idle";
    const keys: Buffer[] = [];
    for await (const [key] of this.#needs.table.range(journalKeys.from, journalKeys.to)) {
      keys.push(key);
      if (keys.length >= limits.cache.batchChangesMax) break;
    }
    if (keys.length === 0) this.#oldLast = 0;
    const changes: Change[] = keys.map((key) => ({ type: "del", key }));
    await this.#needs.table.batch(changes, { sync: true });
    return keys.length === 0 ? "idle" : "busy";
  }

  /** False once somebody has deleted what the last records went to. */
  get isNamed(): boolean {
    return this.#needs.files.isNamed;
  }

  close(): Promise<void> {
    return this.#needs.files.close();
  }

  async *#readTable(records: readonly FoundRecord[]): AsyncGenerator<Buffer | undefined> {
    for (const { sequence } of records) {
      const key = journalKey(sequence);
      const stored = await this.#needs.table.get(key);
      yield stored && checkedValue(key, stored);
    }
  }
}

function groupOf(records: readonly Pending[]): GroupRecord[] {
  return records.map((each, before) => {
    return { ...each, before, behind: records.length - 1 - before };
  });
}

async function* readFile(
  file: JournalFile,
  records: readonly FoundRecord[],
): AsyncGenerator<Buffer | undefined> {
  if (records.length === 0) return;
  const bytes = await file.read();
  for (const { sequence, offsetBytes } of records) {
    const header = parseRecordHeader(bytes, offsetBytes);
    const right = header?.sequence === sequence;
    yield right ? recordBehind(bytes, offsetBytes, header) : undefined;
  }
}
