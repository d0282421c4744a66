/**
 * The journal's files: one that is written, full ones whose records are still needed, and spare
 * ones. A spare one is made of real zeros ahead of need, off everybody's way, and a file whose
 * records are all committed becomes spare again. So a sync finds bytes that only need overwriting.
 */
import { type FileHandle, open, readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { Sequence } from "../../base/blocks.ts";
import { assert, codeOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import { diskFault, notOfIndex } from "../disk/faults.ts";
import { syncDirectory } from "../disk/pieces.ts";
import { type GroupRecord, JournalFile } from "./journal-file.ts";
import { fileHeaderBytes, recordHeaderBytes } from "./journal-frame.ts";

const { journalFileBytesMin, journalSparesMax, writeBytesMax } = limits.cache;

interface Needs {
  readonly directory: string;
  readonly log: Log;
  /** What the disk has left, and that so much of it is taken now. */
  readonly roomBytes: () => number;
  readonly spend: (bytes: number) => void;
}

interface State {
  /** The newest generation that any file ever had. */
  readonly generation: number;
  /** With records that are needed, the oldest first. */
  readonly full: readonly JournalFile[];
  readonly spare: readonly JournalFile[];
}

export class JournalFiles {
  readonly #needs: Needs;
  /** What a spare file should have. */
  fileBytes: number = journalFileBytesMin;
  #generation: number;
  #active: JournalFile | undefined;
  readonly #full: JournalFile[];
  readonly #spare: JournalFile[];
  #nextNumber: number;
  #preparing: Promise<void> | undefined;

  constructor(needs: Needs, state: State) {
    this.#needs = needs;
    this.#generation = state.generation;
    this.#full = [...state.full];
    this.#spare = [...state.spare];
    const numbers = [...this.#full, ...this.#spare].map(({ number }) => number);
    this.#nextNumber = Math.max(0, ...numbers) + 1;
  }

  /** What a dead process wrote is made durable before anything follows on it. */
  async settleIn(): Promise<void> {
    for (const file of this.#full) await file.datasync();
    await syncDirectory(this.#needs.directory);
    // The first sync shall not wait for it. A full disk has none: then one is made when it must.
    if (this.#spare.length === 0) await this.prepare();
  }

  /**
   * The records follow on those before, and are on stable storage when it resolves. After a
   * failure the same ones come again, with more behind them: they go to the same place.
   */
  async write(group: readonly GroupRecord[]): Promise<void> {
    const before = this.#active;
    const was = { endBytes: before?.endBytes ?? 0, last: before?.last ?? 0 };
    const fullCount = this.#full.length;
    try {
      let rest = group;
      while (rest.length > 0) {
        const fits = this.#active?.fitting(rest) ?? 0;
        if (fits === 0) await this.#advance(rest);
        else await this.#active?.append(rest.slice(0, fits));
        rest = rest.slice(fits);
      }
    } catch (cause) {
      this.#retreat(before, fullCount);
      if (before !== undefined) Object.assign(before, was);
      throw cause;
    }
    this.#prepareIfLow();
  }

  /** Everything from this record on, in what lies here, counts no more. */
  async cutAt(first: Sequence): Promise<void> {
    const file = this.#spare.shift() ?? (await this.#create(journalFileBytesMin));
    this.#begin(file);
    await file.writeHeader(first);
  }

  /** Files with nothing behind this record, which a durable root has, may be written over. */
  release(through: Sequence): void {
    while ((this.#full[0]?.last ?? Infinity) <= through) {
      this.#spare.push(this.#full.shift() as JournalFile);
    }
  }

  /** A file for the next time, and none too many; it never fails, a sync would find out. */
  prepare(): Promise<void> {
    this.#preparing ??= this.#prepare()
      .catch((cause: unknown) => {
        this.#needs.log.warn("cache.journal-prepare", { why: describe(cause) });
      })
      .finally(() => {
        this.#preparing = undefined;
      });
    return this.#preparing;
  }

  /** False once somebody has deleted what the last records went to. */
  get isNamed(): boolean {
    return this.#active?.isNamed() ?? true;
  }

  async close(): Promise<void> {
    await this.#preparing;
    const active = this.#active === undefined ? [] : [this.#active];
    for (const file of [...active, ...this.#full, ...this.#spare]) await file.close();
  }

  /** Another file becomes the one that is written: a spare one, or else a new one that grows. */
  async #advance(rest: readonly GroupRecord[]): Promise<void> {
    const need = fileHeaderBytes + recordHeaderBytes + (rest[0]?.record.length ?? 0);
    const at = this.#spare.findIndex(({ capacityBytes }) => capacityBytes >= need);
    const [spare] = at < 0 ? [] : this.#spare.splice(at, 1);
    this.#begin(spare ?? (await this.#create(Math.max(need, this.#sizeFor(rest)))));
  }

  /** As much as the group needs, up to a file's size: more spares one change of files. */
  #sizeFor(rest: readonly GroupRecord[]): number {
    const bytes = rest.reduce((sum, { record }) => sum + recordHeaderBytes + record.length, 0);
    return Math.max(journalFileBytesMin, Math.min(this.fileBytes, fileHeaderBytes + bytes));
  }

  #begin(file: JournalFile): void {
    if (this.#active !== undefined) this.#full.push(this.#active);
    file.begin(++this.#generation);
    this.#active = file;
  }

  /** The files that were begun since this one was written are spare again. */
  #retreat(to: JournalFile | undefined, fullCount: number): void {
    if (this.#active === to) return;
    const since = [...this.#full.splice(fullCount), this.#active];
    for (const file of since) if (file !== undefined && file !== to) this.#spare.push(file);
    this.#active = to;
  }

  #prepareIfLow(): void {
    const active = this.#active;
    const half = active !== undefined && active.endBytes * 2 > active.capacityBytes;
    if (half && !this.#hasSpare()) void this.prepare();
  }

  #hasSpare(): boolean {
    return this.#spare.some(({ capacityBytes }) => capacityBytes >= this.fileBytes);
  }

  async #prepare(): Promise<void> {
    const wanted = this.fileBytes;
    const roomy = this.#needs.roomBytes() >= wanted * 2;
    if (!this.#hasSpare() && roomy) this.#spare.push(await this.#create(wanted, { full: true }));
    while (this.#spare.length > 1) {
      const small = this.#spare.find(({ capacityBytes }) => capacityBytes < wanted);
      const surplus = this.#spare.length > journalSparesMax ? this.#spare[0] : undefined;
      const useless = small ?? surplus;
      if (useless === undefined) return;
      await this.#drop(useless);
    }
  }

  async #drop(file: JournalFile): Promise<void> {
    this.#spare.splice(this.#spare.indexOf(file), 1);
    await file.remove();
  }

  /** With zeros to its end, or else empty: then it grows as it is written, more slowly. */
  async #create(capacityBytes: number, { full = false } = {}): Promise<JournalFile> {
    const number = this.#nextNumber++;
    const path = join(this.#needs.directory, fileName(number));
    try {
      await using handle = await open(path, "wx", 0o600);
      if (full) await this.#fill(handle, capacityBytes);
      await syncDirectory(this.#needs.directory);
    } catch (cause) {
      await unlink(path).catch(() => undefined);
      throw diskFault(cause, "cache.journal", path);
    }
    this.#needs.spend(capacityBytes);
    return new JournalFile({ number, path, capacityBytes });
  }

  /** Room that is only set aside would cost the file system a change at its first use. */
  async #fill(handle: FileHandle, bytes: number): Promise<void> {
    const zeros = Buffer.alloc(Math.min(bytes, writeBytesMax));
    for (let at = 0; at < bytes; at += zeros.length) {
      const { bytesWritten } = await handle.write(zeros, 0, Math.min(zeros.length, bytes - at), at);
      assert(bytesWritten === Math.min(zeros.length, bytes - at), "zeros are written whole");
    }
    await handle.sync();
  }
}

/** What lies there, by its number. */
export async function listJournalFiles(directory: string): Promise<JournalFile[]> {
  try {
    const files: JournalFile[] = [];
    for (const name of (await readdir(directory)).sort()) {
      const number = parseFileName(name);
      if (number === undefined) continue;
      const path = join(directory, fileName(number));
      files.push(new JournalFile({ number, path, capacityBytes: (await stat(path)).size }));
    }
    return files;
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return [];
    throw notOfIndex(cause, "cache.open", directory);
  }
}

function fileName(number: number): string {
  return `${String(number).padStart(8, "0")}.journal`;
}

function parseFileName(name: string): number | undefined {
  const match = /^(\d{8,15})\.journal$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}
