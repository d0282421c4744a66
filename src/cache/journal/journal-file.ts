/**
 * One journal file, written from its beginning over whatever an earlier generation left there.
 * What was written is on stable storage: of a file that lies there already, written full once, that
 * costs one write of the disk and no change to the file system's own books.
 */
import { constants, existsSync } from "node:fs";
import { type FileHandle, open, unlink } from "node:fs/promises";
import type { Sequence } from "../../base/blocks.ts";
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { diskFault } from "../disk/faults.ts";
import { writePieces } from "../disk/pieces.ts";
import {
  encodeFileHeader, encodeRecordHeader, fileHeaderBytes, recordHeaderBytes,
} from "./journal-frame.ts";

/** Bytes go through to the disk's platters with the write itself: one hop to another thread. */
const isThrough = process.platform === "linux";
const flags = constants.O_RDWR | (isThrough ? constants.O_DSYNC : 0);

export interface GroupRecord {
  readonly sequence: Sequence;
  readonly record: Uint8Array;
  readonly before: number;
  readonly behind: number;
}

export class JournalFile {
  readonly number: number;
  readonly path: string;
  /** It takes no more than this; less may be there yet. */
  readonly capacityBytes: number;
  /** Where the next record goes; 0 before it is begun. */
  endBytes = 0;
  /** Its newest record; meaningless before it is begun. */
  last: Sequence = 0;
  #generation = 0;
  #opening: Promise<FileHandle> | undefined;

  constructor(place: { number: number; path: string; capacityBytes: number }) {
    this.number = place.number;
    this.path = place.path;
    this.capacityBytes = place.capacityBytes;
  }

  /** What is there counts no more; the first append says so on the disk. */
  begin(generation: number): void {
    this.#generation = generation;
    this.endBytes = 0;
    this.last = 0;
  }

  /** How many of these fit, from the first on. */
  fitting(group: readonly GroupRecord[]): number {
    let end = Math.max(this.endBytes, fileHeaderBytes);
    let count = 0;
    for (const { record } of group) {
      end += recordHeaderBytes + record.length;
      if (end > this.capacityBytes) break;
      count++;
    }
    return count;
  }

  /** Begins the file on the disk, with no record yet. */
  async writeHeader(first: Sequence): Promise<void> {
    const header = encodeFileHeader({ generation: this.#generation, first });
    await this.#write([header], 0);
    this.endBytes = fileHeaderBytes;
    this.last = first - 1;
  }

  /** They are on stable storage when it resolves, and fit; after a failure all go again. */
  async append(group: readonly GroupRecord[]): Promise<void> {
    let pieces: Uint8Array[] = [];
    const generation = this.#generation;
    const first = group[0]?.sequence ?? 0;
    if (this.endBytes === 0) pieces.push(encodeFileHeader({ generation, first }));
    let from = this.endBytes;
    let bytes = pieces.length * fileHeaderBytes;
    for (const { record, ...place } of group) {
      const lengthBytes = record.length;
      pieces.push(encodeRecordHeader({ ...place, generation, lengthBytes }, record), record);
      bytes += recordHeaderBytes + lengthBytes;
      const full = pieces.length >= limits.cache.writeFramesMax * 2;
      if (!full && bytes < limits.cache.writeBytesMax) continue;
      await this.#write(pieces, from);
      from += bytes;
      bytes = 0;
      pieces = [];
    }
    if (bytes > 0) await this.#write(pieces, from);
    this.endBytes = from + bytes;
    this.last = group.at(-1)?.sequence ?? this.last;
  }

  /**
   * False when somebody has deleted it: what is written there is found by nobody. Not asked of the
   * descriptor: since Linux 6.13 a look at a file's times makes its next write note a time of its
   * own, in the file system's books, and that costs a third of a write.
   */
  isNamed(): boolean {
    return existsSync(this.path);
  }

  /** What a dead process wrote is as good as its file system's memory: until this. */
  async datasync(): Promise<void> {
    try {
      await (await this.#handle()).datasync();
    } catch (cause) {
      throw diskFault(cause, "cache.sync", this.path);
    }
  }

  async read(): Promise<Buffer> {
    try {
      const handle = await this.#handle();
      const { size } = await handle.stat();
      const bytes = Buffer.allocUnsafeSlow(size);
      let filled = 0;
      while (filled < size) {
        const { bytesRead } = await handle.read(bytes, filled, size - filled, filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return bytes.subarray(0, filled);
    } catch (cause) {
      throw diskFault(cause, "cache.read", this.path);
    }
  }

  async remove(): Promise<void> {
    await this.close();
    try {
      await unlink(this.path);
    } catch (cause) {
      throw diskFault(cause, "cache.remove", this.path);
    }
  }

  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    const handle = await opening?.catch(() => undefined);
    await handle?.close();
  }

  async #write(pieces: readonly Uint8Array[], offsetBytes: number): Promise<void> {
    let isNamed = false;
    try {
      const handle = await this.#handle();
      const writing = writePieces(handle, pieces, offsetBytes);
      // Asked while the disk is at it: a call of some microseconds that nobody waits for.
      isNamed = this.isNamed();
      await writing;
      // Elsewhere the drive itself keeps what such a descriptor wrote; fdatasync makes it let go.
      if (!isThrough) await handle.datasync();
    } catch (cause) {
      throw diskFault(cause, "cache.write", this.path);
    }
    if (!isNamed) throw new HiveError("Stale", "cache.write", this.path);
  }

  #handle(): Promise<FileHandle> {
    this.#opening ??= open(this.path, flags).catch((cause: unknown) => {
      // The next one who needs it tries again.
      this.#opening = undefined;
      throw diskFault(cause, "cache.open", this.path);
    });
    return this.#opening;
  }
}
