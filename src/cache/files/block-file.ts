/**
 * One append-only file of frames. It knows how many of its bytes are still wanted, and goes away
 * once nobody reads it any more. It never looks into a frame.
 */
import { constants } from "node:fs";
import { read } from "node:fs";
import { type FileHandle, open, stat, unlink } from "node:fs/promises";
import { HiveError, assert } from "../../base/errors.ts";
import { diskFault } from "../disk/faults.ts";
import { writePieces } from "../disk/pieces.ts";
import type { BlockEntry } from "./entry.ts";

export class BlockFile {
  readonly number: number;
  readonly path: string;
  /** Where the next frame goes: bytes given out, be they written yet or not. */
  sizeBytes: number;
  /** Of these, bytes in frames of blocks that the catalog has here. */
  liveBytes = 0;
  /** Of the live bytes, those that must not be evicted: no peer has them ... */
  dirtyBytes = 0;
  /** ... or the user wants them here all the same. */
  retainedBytes = 0;
  /** Of all others, those read since the last sweep. */
  warmBytes = 0;
  /** Every block that was ever put here; those that left are skipped by whoever walks it. */
  readonly entries: BlockEntry[] = [];
  /** A block stays here that the disk did not give: emptying it was in vain. */
  isStuck = false;
  /** Something was written since the last datasync. */
  unsynced = false;
  #opening: Promise<FileHandle> | undefined;
  #readers = 0;
  #retired = false;
  /** Only a new file is made when it is opened: one that was there must still be there. */
  #isNew: boolean;

  constructor(place: { number: number; path: string; sizeBytes: number }) {
    this.#isNew = place.sizeBytes === 0;
    this.number = place.number;
    this.path = place.path;
    this.sizeBytes = place.sizeBytes;
  }

  /**
   * A view of fewer bytes than asked for means that the file ends there. It is one of `into`, if
   * there is room enough.
   */
  async read(offsetBytes: number, lengthBytes: number, into?: Buffer): Promise<Buffer> {
    this.#readers++;
    try {
      const handle = await this.#handle();
      const fits = into !== undefined && into.length >= lengthBytes;
      const buffer = fits ? into : Buffer.allocUnsafeSlow(lengthBytes);
      let filled = 0;
      while (filled < lengthBytes) {
        const at = offsetBytes + filled;
        const bytesRead = await readAt(handle.fd, buffer.subarray(filled, lengthBytes), at);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return buffer.subarray(0, filled);
    } catch (cause) {
      throw diskFault(cause, "cache.read", this.path);
    } finally {
      this.#readers--;
      await this.#closeIfDone();
    }
  }

  /** Writes all of the pieces, one after the other, from the offset on. */
  async write(pieces: readonly Uint8Array[], offsetBytes: number): Promise<void> {
    try {
      const handle = await this.#handle();
      this.unsynced = true;
      await writePieces(handle, pieces, offsetBytes);
    } catch (cause) {
      throw diskFault(cause, "cache.write", this.path);
    }
  }

  async datasync(): Promise<void> {
    if (!this.unsynced) return;
    // Before the call: what is written while it runs needs another one.
    this.unsynced = false;
    try {
      const handle = await this.#handle();
      await handle.datasync();
      await this.#mustBeNamed(handle);
    } catch (cause) {
      throw diskFault(cause, "cache.sync", this.path);
    }
  }

  /** Bytes in a file that somebody deleted are on stable storage, and never found again. */
  async #mustBeNamed(handle: FileHandle): Promise<void> {
    const bigint = true;
    const [open, named] = await Promise.all([
      handle.stat({ bigint }),
      stat(this.path, { bigint }).catch(() => undefined),
    ]);
    const same = named?.ino === open.ino && named.dev === open.dev;
    if (!same && !this.#retired) throw new HiveError("Stale", "cache.sync", this.path);
  }

  /** Gives the space back. Reads that are under way still end well. */
  async remove(): Promise<void> {
    assert(!this.#retired, "removed twice");
    this.#retired = true;
    this.unsynced = false;
    try {
      await unlink(this.path);
    } catch (cause) {
      throw diskFault(cause, "cache.remove", this.path);
    } finally {
      await this.#closeIfDone();
    }
  }

  async close(): Promise<void> {
    this.#retired = true;
    await this.#closeIfDone();
  }

  #handle(): Promise<FileHandle> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  async #open(): Promise<FileHandle> {
    if (this.#retired && this.#readers === 0) {
      throw new HiveError("Stale", "cache.open", this.path);
    }
    try {
      const create = this.#isNew ? constants.O_CREAT : 0;
      const handle = await open(this.path, constants.O_RDWR | create, 0o600);
      this.#isNew = false;
      return handle;
    } catch (cause) {
      // The next one who needs it tries again.
      this.#opening = undefined;
      throw cause;
    }
  }

  async #closeIfDone(): Promise<void> {
    if (!this.#retired || this.#readers > 0 || this.#opening === undefined) return;
    const opening = this.#opening;
    this.#opening = undefined;
    await (await opening).close();
  }
}

/** As a FileHandle does it, in nine tenths of the time where it is a page. */
function readAt(descriptor: number, into: Buffer, offsetBytes: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(descriptor, into, 0, into.length, offsetBytes, (error, bytesRead) => {
      if (error === null) resolve(bytesRead);
      else reject(error);
    });
  });
}
