/**
 * Gives space back. Bytes in a file cannot be freed one by one, so a whole file goes: what is
 * dirty or warm in it is written again at the log's end, what is clean and cold is forgotten. A
 * file is unlinked only when the index on disk says so too. It never drops a dirty block.
 */
import { isFault } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Step } from "../../base/step.ts";
import type { Reading } from "../blocks/reading.ts";
import type { GroupCommit } from "../commits/group-commit.ts";
import type { BlockFile } from "../files/block-file.ts";
import type { BlockLog } from "../files/block-log.ts";
import { type BlockEntry, marks } from "../files/entry.ts";
import type { Catalog } from "../index/catalog.ts";
import type { Report } from "../report.ts";
import { chooseVictim, freeableBytes } from "./victim.ts";

interface Needs {
  readonly catalog: Catalog;
  readonly log: BlockLog;
  readonly group: GroupCommit;
  readonly reading: Reading;
  readonly report: Report;
  /** Called before a file goes: whatever lies there besides blocks must be written again. */
  readonly leaving: (file: BlockFile) => void;
}

interface Victim {
  readonly file: BlockFile;
  readonly evict: boolean;
  next: number;
}

export class Cleaner implements Step {
  readonly name = "cache.clean";
  readonly #needs: Needs;
  limitBytes: number;
  #victim: Victim | undefined;
  /** One piece of work at a time. */
  #turn: Promise<unknown> = Promise.resolve();
  #making: Promise<void> | undefined;

  constructor(needs: Needs, options: { limitBytes: number }) {
    this.#needs = needs;
    this.limitBytes = options.limitBytes;
  }

  /** Cleaning begins a little below the limit, so that writers seldom meet it. */
  get #targetBytes(): number {
    return this.limitBytes - 2 * this.#needs.log.fileBytesMax;
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    signal.throwIfAborted();
    return this.#inTurn(() => this.#piece());
  }

  /** Evicts until used bytes are below the limit or nothing can go; callers share the work. */
  makeRoom(): Promise<void> {
    this.#making ??= this.#makeRoom().finally(() => {
      this.#making = undefined;
    });
    return this.#making;
  }

  /** So that this many bytes more fit, if that can be. */
  async makeRoomFor(bytes: number): Promise<void> {
    while (this.#needs.log.usedBytes + bytes > this.limitBytes) {
      if ((await this.#inTurn(() => this.#evictPiece())) === "idle") return;
    }
  }

  /** Forgets every clean block; resolves to their bytes when the space is given back. */
  async dropClean({ retained }: { readonly retained: boolean }): Promise<number> {
    const stays = marks.dirty | marks.pinned | (retained ? 0 : marks.retained);
    let bytes = 0;
    let count = 0;
    for (const entry of this.#needs.catalog.values()) {
      if (entry.is(stays)) continue;
      bytes += entry.lengthBytes;
      this.#needs.catalog.remove(entry);
      if (++count % limits.cache.batchChangesMax === 0) await this.#needs.group.request("settled");
    }
    this.#needs.log.seal();
    await this.#inTurn(() => this.#compactAll());
    return bytes;
  }

  async #makeRoom(): Promise<void> {
    await this.makeRoomFor(0);
  }

  async #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const before = this.#turn;
    const mine = before.then(act, act);
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  async #piece(): Promise<"busy" | "idle"> {
    if (this.#victim !== undefined) return this.#carryOn(this.#victim);
    const over = this.#needs.log.usedBytes > this.#targetBytes;
    if (over && (await this.#evictPiece()) === "busy") return "busy";
    return this.#compactPiece(limits.cache.deadShareMax);
  }

  async #evictPiece(): Promise<"busy" | "idle"> {
    if (this.#victim !== undefined) return this.#carryOn(this.#victim);
    const file = chooseVictim(this.#sealedFiles()) ?? this.#coolOrSeal();
    if (file === undefined) return "idle";
    return this.#carryOn({ file, evict: true, next: 0 });
  }

  /** Without eviction: for files that are mostly dead. */
  async #compactPiece(deadShareMin: number): Promise<"busy" | "idle"> {
    if (this.#victim !== undefined) return this.#carryOn(this.#victim);
    const file = this.#sealedFiles().find(({ sizeBytes, liveBytes }) => {
      return liveBytes === 0 || sizeBytes - liveBytes >= sizeBytes * deadShareMin;
    });
    if (file === undefined) return "idle";
    return this.#carryOn({ file, evict: false, next: 0 });
  }

  async #compactAll(): Promise<void> {
    while ((await this.#compactPiece(limits.cache.victimShareMin)) === "busy");
  }

  #sealedFiles(): BlockFile[] {
    const { log } = this.#needs;
    return [...log.files.values()].filter((file) => {
      return file !== log.active && !(file.isStuck && file.liveBytes > 0);
    });
  }

  /** Nothing is cold: the oldest warm file loses its second chance; else the newest is closed. */
  #coolOrSeal(): BlockFile | undefined {
    const { log, catalog } = this.#needs;
    const warm = this.#sealedFiles().find(({ warmBytes }) => warmBytes > 0);
    for (const entry of warm?.entries ?? []) {
      if (entry.file === warm) catalog.setWarm(entry, false);
    }
    const cooled = chooseVictim(this.#sealedFiles());
    if (cooled !== undefined) return cooled;
    const active = log.active;
    if (active === undefined) return undefined;
    // Or else all that must stay would be written anew for the sake of next to nothing, for ever.
    const gainBytes = freeableBytes(active) + active.warmBytes;
    if (gainBytes < active.sizeBytes * limits.cache.victimShareMin) return undefined;
    log.seal();
    return active;
  }

  async #carryOn(victim: Victim): Promise<"busy"> {
    this.#victim = victim;
    try {
      const finished = await this.#carry(victim);
      if (finished) await this.#finish(victim.file);
    } catch (error) {
      this.#victim = undefined;
      throw error;
    }
    return "busy";
  }

  /** A bounded piece of the file; true when it is empty. */
  async #carry(victim: Victim): Promise<boolean> {
    let bytes = 0;
    let changes = 0;
    while (victim.next < victim.file.entries.length) {
      const full = bytes >= limits.cache.stepBytesMax || changes >= limits.cache.batchChangesMax;
      if (full) return false;
      const entry = victim.file.entries[victim.next++] as BlockEntry;
      if (entry.file !== victim.file) continue;
      changes++;
      bytes += await this.#carryOne(entry, victim);
    }
    return true;
  }

  /** Bytes that had to be read and written for it. */
  async #carryOne(entry: BlockEntry, victim: Victim): Promise<number> {
    const { catalog, report } = this.#needs;
    const stays = marks.dirty | marks.pinned | marks.retained | marks.warm;
    if (victim.evict && !entry.is(stays)) {
      report.evictedBytes += entry.lengthBytes;
      catalog.remove(entry);
      return 0;
    }
    await this.#copy(entry, victim.file);
    return entry.frameBytes;
  }

  async #copy(entry: BlockEntry, from: BlockFile): Promise<void> {
    const { catalog, log, reading, report } = this.#needs;
    const bytes = await readUnlessCorrupt(reading, entry);
    const stillHere = catalog.get(entry.cid) === entry && entry.file === from;
    if (bytes === undefined || !stillHere) return;
    const place = log.append(entry.frame, bytes, entry);
    entry.bytes = bytes;
    catalog.move(entry, place.file, place.offsetBytes);
    catalog.setWarm(entry, false);
    report.copiedBytes += entry.lengthBytes;
  }

  async #finish(file: BlockFile): Promise<void> {
    const { log, group } = this.#needs;
    this.#needs.leaving(file);
    // Its own frames may still be on their way to it, and a copy of the root is in no index.
    await log.flush();
    await group.request("settled");
    this.#victim = undefined;
    if (file.liveBytes === 0) await log.remove(file);
    else file.isStuck = true;
  }
}

/** A corrupt one is counted there, and needs no copy; what was not given stays where it is. */
async function readUnlessCorrupt(
  reading: Reading,
  entry: BlockEntry,
): Promise<Uint8Array | undefined> {
  try {
    return await reading.read(entry);
  } catch (error) {
    if (isFault(error, "Corrupt")) return undefined;
    throw error;
  }
}
