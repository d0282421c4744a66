/**
 * The disk under the cache: how much of it may still be used, a reserve for the day when somebody
 * else has filled it, and whether what is written lands where the next start will look. It never
 * touches a block.
 */
import { createHash } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { rm, stat, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";

const { diskLookBytes, diskMarginBytes, diskReserveBytes, diskShare, diskStartBytes } =
  limits.cache;

export class Disk {
  readonly directory: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #reserve: string;
  #freeBytes = Infinity;
  #totalBytes = Infinity;
  /** What the reserve lacks: it comes before blocks, or they would keep what was given up. */
  #lackingBytes = 0;
  /** Given out since the last look, and what of it was still in memory then. */
  #sinceBytes = 0;
  /** Bytes on their way to the disk, as whoever sends them says. */
  unwrittenBytes = (): number => 0;
  #looking: Promise<void> | undefined;
  #identity: string | undefined;
  #checkedAtMs = -Infinity;
  #gone: HiveError | undefined;

  constructor(directory: string, needs: { readonly clock: Clock; readonly log: Log }) {
    this.directory = directory;
    this.#clock = needs.clock;
    this.#log = needs.log;
    this.#reserve = join(directory, "reserve");
  }

  /** Set once the directory is not the one that was opened. */
  get gone(): HiveError | undefined {
    return this.#gone;
  }

  /** What blocks may still take; below zero where others took more. */
  get roomBytes(): number {
    const keptBytes = this.#shareOf(diskMarginBytes) + this.#lackingBytes;
    return this.#freeBytes - this.#sinceBytes - keptBytes;
  }

  /** So much was just given to the disk; a promise when that is reason to look again. */
  spend(bytes: number): Promise<void> | undefined {
    this.#sinceBytes += bytes;
    const muchBytes = Math.min(diskLookBytes, this.#shareOf(diskMarginBytes) / 4);
    return this.#sinceBytes > muchBytes ? this.look() : undefined;
  }

  /** Asks the disk how full it is; never fails. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #look(): Promise<void> {
    const spentBytes = this.#sinceBytes - this.unwrittenBytes();
    try {
      const { bsize, bavail, blocks } = await statfs(this.directory);
      // A file system that tells no size is as large as it says nothing about.
      this.#totalBytes = blocks === 0 ? Infinity : blocks * bsize;
      this.#freeBytes = blocks === 0 ? Infinity : bavail * bsize;
      this.#sinceBytes -= spentBytes;
      const known = await stat(this.#reserve).catch(() => undefined);
      this.#lackingBytes = Math.max(0, this.#reserveBytes - (known?.size ?? 0));
    } catch (cause) {
      this.#log.warn("cache.disk", { why: describe(cause) });
    }
  }

  /** A large part of a small disk is nobody's reserve. */
  #shareOf(bytes: number): number {
    return Math.min(bytes, this.#totalBytes * diskShare);
  }

  get #reserveBytes(): number {
    return Math.floor(this.#shareOf(diskReserveBytes));
  }

  /**
   * Bytes that take room now so that they can be given up later: with them LevelDB can be started
   * anew and a removal be written down on a disk that has nothing left. Never fails.
   */
  async keepReserve(): Promise<void> {
    const ample = this.roomBytes >= 0 && Number.isFinite(this.#freeBytes);
    if (!ample || this.#lackingBytes === 0 || this.#gone !== undefined) return;
    // Not zeros: a file system that compresses would keep no room with those.
    const filler = createHash("shake256", { outputLength: this.#reserveBytes }).digest();
    try {
      await writeFile(this.#reserve, filler, { mode: 0o600 });
      this.#sinceBytes += this.#lackingBytes;
      this.#lackingBytes = 0;
    } catch (cause) {
      this.#log.warn("cache.reserve", { why: describe(cause) });
      await this.giveReserve();
    }
  }

  /** True when there was one. */
  async giveReserve(): Promise<boolean> {
    try {
      await rm(this.#reserve);
    } catch {
      // None is there, or the disk may not be written at all.
      return false;
    }
    this.#log.warn("cache.reserve-given");
    await this.look();
    return true;
  }

  /** A node's books are opened after the store, mostly on its disk, and have no reserve. */
  async giveReserveToStart(): Promise<void> {
    await this.look();
    if (this.#freeBytes < this.#shareOf(diskStartBytes)) await this.giveReserve();
  }

  /** What is on the way to a full disk may be what makes it less full. */
  async orWithReserve(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (cause) {
      const helps = isFault(cause, "NoSpace") && (await this.giveReserve());
      if (!helps) throw cause;
      await act();
    }
  }

  /** Remembers which directories these are. */
  async settle(): Promise<void> {
    this.#identity = this.#identify();
  }

  /**
   * Stale when somebody deleted or replaced them: what is written to open files then succeeds, and
   * nobody will ever find it.
   */
  async check(): Promise<void> {
    if (this.#gone !== undefined) throw this.#gone;
    this.#checkedAtMs = this.#clock.monotonicMs();
    if (this.#identity === undefined || this.#identify() === this.#identity) return;
    this.lose(new HiveError("Stale", "cache.place", `${this.directory} was deleted`));
    throw this.#gone;
  }

  /** The same, when the last look is a while ago: for whoever asks very often. */
  async checkNowAndThen(): Promise<void> {
    if (this.#gone !== undefined) throw this.#gone;
    const sinceMs = this.#clock.monotonicMs() - this.#checkedAtMs;
    if (sinceMs >= limits.cache.placeCheckMs) await this.check();
  }

  /** From now on nothing counts as kept here. */
  lose(fault: HiveError): void {
    if (this.#gone !== undefined) return;
    this.#gone = fault;
    this.#log.error("cache.deleted", { directory: this.directory });
  }

  /**
   * A number that was freed may be given again, but not with the same time of birth. Four calls
   * here take 30 microseconds, and four trips to another thread many times that.
   */
  #identify(): string | undefined {
    const index = join(this.directory, "index");
    try {
      const names = readdirSync(index);
      const inside = ["blocks", "journal"].map((name) => join(this.directory, name));
      const places = [index, join(index, "LOCK"), ...inside];
      const found = places.map((place) => statSync(place, { bigint: true }));
      const whole = names.includes("CURRENT") && names.some((name) => name.endsWith(".log"));
      if (!whole) return undefined;
      return found.map(({ dev, ino, birthtimeNs }) => `${dev}.${ino}.${birthtimeNs}`).join();
    } catch {
      return undefined;
    }
  }
}
