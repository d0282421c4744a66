/**
 * How large the cache is now: what the user allows, and less where others have filled the disk. It
 * tells the parts their sizes, and has writers wait while there is too much. Which blocks go to
 * give space back is the cleaner's to say.
 */
import { limits } from "../../base/limits.ts";
import type { Maybe, Step } from "../../base/step.ts";
import type { GroupCommit } from "../commits/group-commit.ts";
import type { Rounds } from "../commits/rounds.ts";
import type { Disk } from "../disk/disk.ts";
import type { BlockLog } from "../files/block-log.ts";
import type { Catalog } from "../index/catalog.ts";
import type { Journal } from "../journal/journal.ts";
import type { Cleaner } from "./cleaner.ts";
import type { DirtyRoom } from "./dirty-room.ts";
import { dirtyBytesFor, fileBytesFor, journalFileBytesFor } from "./sizes.ts";

interface Needs {
  readonly catalog: Catalog;
  readonly cleaner: Cleaner;
  readonly disk: Disk;
  readonly group: GroupCommit;
  readonly journal: Journal;
  readonly log: BlockLog;
  readonly room: DirtyRoom;
  readonly rounds: Rounds;
}

interface Options {
  readonly limitBytes: number;
  readonly dirtyBytesMax?: number;
}

export class Space implements Step {
  readonly name = "cache.space";
  readonly #needs: Needs;
  readonly #options: Options;
  #limitBytes: number;

  constructor(needs: Needs, options: Options) {
    this.#needs = needs;
    this.#options = options;
    this.#limitBytes = options.limitBytes;
  }

  /** What the user allows. */
  get limitBytes(): number {
    return this.#limitBytes;
  }

  async setLimit(limitBytes: number): Promise<void> {
    this.#limitBytes = limitBytes;
    this.fit();
    await this.makeRoom();
  }

  /** A disk that others fill makes a smaller cache. */
  fit(): void {
    const { catalog, cleaner, disk, journal, log, room } = this.#needs;
    const { blockFileBytesMin } = limits.cache;
    const roomBytes = Math.max(blockFileBytesMin * 4, log.usedBytes + disk.roomBytes);
    const limitBytes = Math.min(this.#limitBytes, roomBytes);
    cleaner.limitBytes = limitBytes;
    log.fileBytesMax = fileBytesFor(limitBytes);
    journal.fileBytes = journalFileBytesFor(limitBytes);
    const pinnedBytes = catalog.retainedBytes;
    room.bytesMax = dirtyBytesFor({ ...this.#options, limitBytes, pinnedBytes });
    room.wake();
  }

  /** So many bytes of the disk are taken. */
  spend(bytes: number): void {
    void this.#needs.disk.spend(bytes)?.then(() => this.fit());
  }

  /** True when this many bytes more cost nobody any room. */
  fits(bytes: number): boolean {
    const { log, cleaner } = this.#needs;
    return log.usedBytes + bytes <= cleaner.limitBytes;
  }

  /** Writers go no faster than the disk takes bytes and gives space back. */
  throttle(): Maybe<void> {
    const { log } = this.#needs;
    if (!this.fits(0)) return this.makeRoom();
    if (log.pendingBytes > limits.cache.pendingBytesMax) return log.drained();
  }

  async makeRoom(): Promise<void> {
    await this.#needs.cleaner.makeRoom();
    await this.#needs.disk.look();
    this.fit();
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const { cleaner, disk, group, journal, rounds } = this.#needs;
    if (group.failure !== undefined) return "idle";
    await disk.check();
    // There may be room again, or leave to write.
    if (group.hindrance !== undefined) await group.request("settled");
    await disk.look();
    this.fit();
    await disk.keepReserve();
    const trimmed = await journal.step(rounds.committed?.through ?? 0);
    const cleaned = await cleaner.step(signal);
    return trimmed === "busy" ? trimmed : cleaned;
  }
}
