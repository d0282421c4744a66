/**
 * The block files as one log: frames go to the end of the newest file, many small ones in one
 * write, off the caller's way. What was appended can be read at once; it is durable after `flush`.
 * It never rewrites a byte that was written, except to try a failed write again.
 */
import { join } from "node:path";
import type { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { diskFault } from "../disk/faults.ts";
import { syncDirectory } from "../disk/pieces.ts";
import { BlockFile } from "./block-file.ts";
import { type BlockEntry, marks } from "./entry.ts";
import { type Frame, encodeHeader, headerBytes } from "./frame.ts";

interface Pending {
  readonly file: BlockFile;
  readonly offsetBytes: number;
  readonly header: Buffer;
  readonly body: Uint8Array;
  /** Its bytes are let go once they are written. */
  readonly entry: BlockEntry | undefined;
  /** Told then, if nobody else has them. */
  readonly freed: (() => void) | undefined;
}

interface Waiter {
  readonly targetBytes: number;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

export class BlockLog {
  readonly directory: string;
  readonly files: Map<number, BlockFile>;
  fileBytesMax: number;
  #active: BlockFile | undefined;
  #nextNumber: number;
  #pending: Pending[] = [];
  #appendedBytes = 0;
  #writtenBytes = 0;
  /** What the newest flush was told to make durable. */
  #begunBytes = 0;
  /** Of the bytes appended, those on stable storage. */
  #flushedBytes = 0;
  #usedBytes = 0;
  #writing = false;
  #flushing: Promise<unknown> = Promise.resolve();
  #waiters: Waiter[] = [];
  /** Files that were begun, and how many of them a synced directory is known to name. */
  #begunFiles = 0;
  #namedFiles = 0;
  /** Why the last write failed; the next append or flush tries again. */
  #writeFailure: HiveError | undefined;
  /** After a failed datasync nobody knows what is on the disk: only a new start does. */
  #syncFailure: HiveError | undefined;

  constructor(
    needs: { directory: string; files: ReadonlyMap<number, BlockFile> },
    options: { fileBytesMax: number },
  ) {
    this.directory = needs.directory;
    this.files = new Map(needs.files);
    this.fileBytesMax = options.fileBytesMax;
    for (const file of this.files.values()) this.#usedBytes += file.sizeBytes;
    this.#nextNumber = Math.max(0, ...this.files.keys()) + 1;
    const newest = this.files.get(this.#nextNumber - 1);
    if (newest !== undefined && newest.sizeBytes < this.fileBytesMax) this.#active = newest;
    // What a dead process wrote may be in the file system's memory only, and so may a file's name.
    const isFlushed = [...this.files.values()].every(({ unsynced }) => !unsynced);
    this.#flushedBytes = isFlushed ? 0 : -1;
    this.#begunFiles = isFlushed ? 0 : 1;
  }

  get active(): BlockFile | undefined {
    return this.#active;
  }

  /** Bytes on the disk, or just about to be. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  get pendingBytes(): number {
    return this.#appendedBytes - this.#writtenBytes;
  }

  /** False when a flush would have nothing to do. */
  get hasUnflushed(): boolean {
    return this.#flushedBytes < this.#appendedBytes;
  }

  get failure(): HiveError | undefined {
    return this.#syncFailure ?? this.#writeFailure;
  }

  /** Gives the frame its place; the writing follows by itself. */
  append(
    frame: Frame,
    body: Uint8Array,
    entry?: BlockEntry,
    freed?: () => void,
  ): { readonly file: BlockFile; readonly offsetBytes: number } {
    const file = this.#fileWithRoom(headerBytes + body.length);
    const offsetBytes = file.sizeBytes;
    file.sizeBytes += headerBytes + body.length;
    this.#usedBytes += headerBytes + body.length;
    this.#appendedBytes += headerBytes + body.length;
    this.#pending.push({ file, offsetBytes, header: encodeHeader(frame), body, entry, freed });
    if (!this.#writing) this.#start();
    return { file, offsetBytes };
  }

  /** All that was appended before the call is on stable storage. */
  async flush(): Promise<void> {
    // One after the other: none may find nothing to do because another is just at it.
    const mine = this.#flushing.then(() => this.#flush());
    this.#flushing = mine.catch(() => undefined);
    await mine;
  }

  /** All that was appended before the call is in the operating system's hands. */
  written(): Promise<void> {
    return this.#reach(this.#appendedBytes);
  }

  /** The memory held by unwritten blocks is below its limit again. */
  drained(): Promise<void> {
    return this.#reach(this.#appendedBytes - limits.cache.pendingBytesMax / 2);
  }

  /** No more frames go to the newest file. */
  seal(): void {
    this.#active = undefined;
  }

  async remove(file: BlockFile): Promise<void> {
    if (!this.files.delete(file.number)) return;
    this.#usedBytes -= file.sizeBytes;
    if (this.#active === file) this.#active = undefined;
    await file.remove();
  }

  async close(): Promise<void> {
    for (const file of this.files.values()) await file.close();
  }

  #fileWithRoom(bytes: number): BlockFile {
    const active = this.#active;
    const fits = active !== undefined && active.sizeBytes + bytes <= this.fileBytesMax;
    if (fits) return active;
    const number = this.#nextNumber++;
    const file = new BlockFile({
      number,
      path: join(this.directory, fileName(number)),
      sizeBytes: 0,
    });
    this.files.set(number, file);
    this.#active = file;
    this.#begunFiles++;
    return file;
  }

  async #flush(): Promise<void> {
    if (this.#syncFailure !== undefined) throw this.#syncFailure;
    if (!this.hasUnflushed) return;
    const targetBytes = this.#appendedBytes;
    // One that is begun from here on may not be there yet when the directory is synced.
    const begunFiles = this.#begunFiles;
    this.#begunBytes = targetBytes;
    await this.written();
    try {
      for (const file of [...this.files.values()]) await file.datasync();
      if (begunFiles > this.#namedFiles) await syncDirectory(this.directory);
      this.#namedFiles = begunFiles;
    } catch (cause) {
      this.#syncFailure = diskFault(cause, "cache.sync", this.directory);
      throw this.#syncFailure;
    }
    this.#flushedBytes = targetBytes;
  }

  /** The disk begins while more is on the way: whoever syncs last waits for little. */
  #flushEarly(): void {
    if (this.#writtenBytes - this.#begunBytes < limits.cache.flushEarlyBytes) return;
    // Its failure is everybody's from then on.
    this.flush().catch(() => undefined);
  }

  #reach(targetBytes: number): Promise<void> {
    if (this.#writtenBytes >= targetBytes) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiters.push({ targetBytes, resolve, reject });
      if (!this.#writing) this.#start();
    });
  }

  #start(): void {
    this.#writing = true;
    // Not at once: blocks that are put in the same turn go out in the same write.
    setImmediate(() => void this.#write());
  }

  async #write(): Promise<void> {
    try {
      while (this.#pending.length > 0) {
        const batch = this.#nextBatch();
        const first = batch[0] as Pending;
        const pieces = batch.flatMap(({ header, body }) => [header, body]);
        await first.file.write(pieces, first.offsetBytes);
        this.#writeFailure = undefined;
        this.#settle(batch);
        this.#flushEarly();
      }
    } catch (cause) {
      this.#writeFailure = diskFault(cause, "cache.write", this.directory);
    } finally {
      this.#writing = false;
    }
    const failure = this.#writeFailure;
    if (failure !== undefined) {
      for (const waiter of this.#waiters.splice(0)) waiter.reject(failure);
    }
  }

  /** The oldest frames that lie side by side in one file, up to a write's size. */
  #nextBatch(): Pending[] {
    const first = this.#pending[0] as Pending;
    let bytes = 0;
    let count = 0;
    for (const { file, body } of this.#pending) {
      const full = bytes >= limits.cache.writeBytesMax || count >= limits.cache.writeFramesMax;
      if (full || file !== first.file) break;
      bytes += headerBytes + body.length;
      count++;
    }
    return this.#pending.slice(0, count);
  }

  #settle(batch: readonly Pending[]): void {
    this.#pending.splice(0, batch.length);
    for (const { entry, body, freed, ...place } of batch) {
      this.#writtenBytes += headerBytes + body.length;
      if (entry?.bytes !== body || isElsewhere(entry, place)) continue;
      entry.bytes = undefined;
      if (!entry.is(marks.lent)) freed?.();
    }
    const reached = this.#waiters.filter(({ targetBytes }) => targetBytes <= this.#writtenBytes);
    if (reached.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => !reached.includes(waiter));
    for (const waiter of reached) waiter.resolve();
  }
}

/** The same bytes are on their way to another place, and nobody finds them there yet. */
function isElsewhere(
  entry: BlockEntry, { file, offsetBytes }: Pick<Pending, "file" | "offsetBytes">,
): boolean {
  if (entry.file === undefined) return false;
  return entry.file !== file || entry.offsetBytes !== offsetBytes;
}

export function fileName(number: number): string {
  return `${String(number).padStart(8, "0")}.blocks`;
}

/** Undefined for a name of another shape. */
export function parseFileName(name: string): number | undefined {
  const match = /^(\d{8,15})\.blocks$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}
