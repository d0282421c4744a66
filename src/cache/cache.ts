/**
 * The cache: what this machine has of the drive. Writes are durable here after a sync, wait here
 * until they are on the peers, and are forgotten, oldest first, only then. Everything that comes
 * in is sealed already; this room neither seals nor opens, and knows no names.
 *
 * README.md says why blocks lie in files and only their index in LevelDB.
 */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BlockFetcher, DriveStore } from "../base/blocks.ts";
import type { Clock } from "../base/clock.ts";
import { HiveError, assert, isFault } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { type Log, describe, silentLog } from "../base/log.ts";
import type { PinStore } from "../base/pins.ts";
import type { Step } from "../base/step.ts";
import type { PlacedSource } from "./blocks/side-reading.ts";
import { Disk } from "./disk/disk.ts";
import { notOfIndex } from "./disk/faults.ts";
import type { BlockFile } from "./files/block-file.ts";
import { compareClosed, readClosed, removeClosed, writeClosed } from "./index/closed.ts";
import { type LevelTable, type Mending, openLevel, untilMended } from "./index/level.ts";
import type { Books } from "./index/records.ts";
import { openJournal } from "./journal/journal-open.ts";
import { type Report, newReport } from "./report.ts";
import { readPins } from "./room/retention.ts";
import type { ArePlaced, BlockCheck, BlockCheckOptions } from "./start/check.ts";
import { removeClones } from "./start/clone.ts";
import { listFiles, recover } from "./start/recovery.ts";
import { Store } from "./store.ts";

export { type OpenKeyValue, openKeyValue } from "./index/key-value.ts";
export { readLife, writeLife } from "./index/life.ts";
export { cloneCache, openKeyValueClone, removeClones } from "./start/clone.ts";
export { type BlockCheck } from "./start/check.ts";
export { type Report } from "./report.ts";
export { type PlacedSource, readAside } from "./blocks/side-reading.ts";

export interface Cache extends DriveStore, PlacedSource, AsyncDisposable {
  /** What stays here for the user's sake. */
  readonly pins: PinStore;
  /** Forgets all that is clean, and with `pinned` what the user wants here, too; in bytes. */
  dropClean(options?: { readonly pinned: boolean }): Promise<number>;
  setLimit(limitBytes: number): Promise<void>;
  setFetcher(fetcher: BlockFetcher | undefined): void;
  /** Called when there is something to upload: a new root, or writers that wait for room. */
  onDirty(listener: () => void): Disposable;
  /** Eviction, compaction, trimming: whatever gives space back. */
  readonly step: Step;
  report(): Readonly<Report>;
  /** What is wrong now and what to do about it, in words; null when all is well. */
  trouble(): string | null;
  /** Peers were told of a root of it, for all it knows. */
  readonly isPublished: boolean;
  /** Blocks that count as placed and are not are dirty again; answers how many. */
  reclaim(arePlaced: ArePlaced): Promise<number>;
  /** Reads every block, and isolates those that are spoilt. */
  check(options: BlockCheckOptions): Promise<BlockCheck>;
  /** Makes all durable that can be, and lets go of the directory. */
  close(): Promise<void>;
}

export interface CacheNeeds {
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly fetcher: BlockFetcher | undefined;
}

export interface CacheOptions {
  readonly limitBytes: number;
  /** By default a share of the limit, and following it. */
  readonly dirtyBytesMax?: number;
  readonly fullWaitMs?: number;
}

/** Fails as Busy, naming the process, when another one has this cache open. */
export async function openCache(needs: CacheNeeds, options: CacheOptions): Promise<Cache> {
  assert(options.limitBytes >= limits.cache.limitBytesMin, "a cache of some files");
  for (const name of ["blocks", "journal"]) {
    await mkdir(join(needs.directory, name), { recursive: true, mode: 0o700 });
  }
  return untilMended(
    (least) => openOnce(needs, options, least),
    (least, cause) => {
      needs.log.error("cache.index-unreadable", { least, why: describe(cause) });
    },
  );
}

async function openOnce(
  needs: CacheNeeds,
  options: CacheOptions,
  least: Mending,
): Promise<Cache> {
  const { table, mending } = await lockAndOpen(needs, least);
  try {
    return await openStore(needs, options, { table, mending });
  } catch (cause) {
    await table.close();
    throw cause;
  }
}

async function openStore(
  needs: CacheNeeds,
  options: CacheOptions,
  index: { table: LevelTable; mending: Mending },
): Promise<Cache> {
  const { table, mending } = index;
  const { log } = needs;
  await using parts = new AsyncDisposableStack();
  const blocks = join(needs.directory, "blocks");
  const report = newReport();
  report.mending = mending;
  if (mending !== "none") log.error("cache.index-damaged", { mending });
  const files = await listFiles(blocks);
  parts.defer(() => closeAll(files));
  const recovered = await recover({ files, table, report, log });
  const closed = await readClosed(needs.directory);
  const compared = compareClosed(closed, recovered);
  report.indexStale ||= compared.indexStale;
  report.changesLost = compared.changesLost;
  if (report.indexStale) log.error("cache.index-stale", { ...compared });
  const disk = new Disk(needs.directory, needs);
  await disk.giveReserveToStart();
  const { journal, findings } = await openJournal(
    { directory: join(needs.directory, "journal"), table, disk, log },
    {
      through: recovered.committed?.through ?? 0,
      last: Math.max(recovered.books?.journalLast ?? 0, closed?.journalLast ?? 0),
    },
  );
  parts.defer(() => journal.close());
  report.corruptRecords += findings.corrupt;
  report.cutOffRecords += findings.lost;
  if (findings.corrupt + findings.lost > 0) log.error("cache.journal-cut", { ...findings });
  const pins = await readPins(needs.directory);
  const store = new Store(
    { ...needs, blocks, disk, table, journal, report, recovered, pins },
    {
      ...options,
      settled: async () => {
        await removeClosed(needs.directory);
        if (mending !== "none") await table.mended();
      },
      release: (books) => leave(needs.directory, books),
    },
  );
  await store.settleIn();
  // They are the store's to close.
  parts.move();
  return store;
}

async function closeAll(files: ReadonlyMap<number, BlockFile>): Promise<void> {
  for (const file of files.values()) await file.close();
}

/** A close that failed leaves no word of what should be there. */
async function leave(directory: string, books: Books | undefined): Promise<void> {
  // On a full disk there is no such word either: the next start then only knows less.
  if (books !== undefined) await writeClosed(directory, books).catch(() => undefined);
  await rm(pidFile(directory), { force: true });
}

/** LevelDB's lock is the lock: the operating system drops it with the process that held it. */
async function lockAndOpen(
  { directory, clock }: CacheNeeds,
  least: Mending,
): Promise<{ readonly table: LevelTable; readonly mending: Mending }> {
  try {
    return await openIndex(directory, least);
  } catch (cause) {
    // A start needs some room; there is a reserve for that.
    const disk = new Disk(directory, { clock, log: silentLog });
    const helps = isFault(cause, "NoSpace") && (await disk.giveReserve());
    if (helps) return openIndex(directory, least);
    if (!isFault(cause, "Busy")) throw cause;
    const pid = await readFile(pidFile(directory), "utf8").catch(() => "unknown");
    const subject = `${directory} is in use by process ${pid.trim()}`;
    throw new HiveError("Busy", "cache.open", subject, { cause });
  }
}

async function openIndex(directory: string, least: Mending): ReturnType<typeof openLevel> {
  const opened = await openLevel(join(directory, "index"), least);
  try {
    await removeClones(directory);
    await writeFile(pidFile(directory), `${process.pid}\n`, { mode: 0o600 });
    return opened;
  } catch (cause) {
    await opened.table.close();
    throw notOfIndex(cause, "cache.open", directory);
  }
}

function pidFile(directory: string): string {
  return join(directory, "pid");
}
