/**
 * LevelDB: the only file that names it. A table of bytes to bytes in key order, with batches that
 * are all or nothing. It never interprets a key or a value.
 *
 * LevelDB compares the sums of its tables only where it is asked to, and `level` has no way to ask.
 * So they are looked at before it opens them (tables/check.ts). For what flips later, or was given
 * a right sum by a compaction, every value carries a check of its own (records.ts).
 *
 * LevelDB holds a lock on its directory for as long as it is open, which the operating system
 * takes back when a process dies: that lock is the cache's own lock too.
 */
import { chmod, mkdir, readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { Level } from "level";
import { HiveError, assert, codeOf, isFault } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { diskFault, mayHeal, notOfIndex } from "../disk/faults.ts";
import { condemnDamaged, isAnyDamaged } from "../tables/check.ts";
import { endMending, isMending, makeLockFolder, markMending, setAside } from "./mending.ts";

export type Change =
  | { readonly type: "put"; readonly key: Buffer; readonly value: Uint8Array }
  | { readonly type: "del"; readonly key: Buffer };

/** What had to be done to LevelDB's own files before they could be opened. */
export type Mending = "none" | "repaired" | "replaced";

const readAhead = 500;

export class LevelTable {
  #level: Level<Buffer, Uint8Array>;
  readonly #location: string;
  /** Batches go one after the other: none may follow on one that failed. */
  #turn: Promise<unknown> = Promise.resolve();
  #failure: HiveError | undefined;

  /** Only `openLevel` makes one, of an open database. */
  constructor(level: Level<Buffer, Uint8Array>, location: string) {
    this.#level = level;
    this.#location = location;
  }

  async get(key: Buffer): Promise<Uint8Array | undefined> {
    if (this.#level.status !== "open") await this.#heal();
    return this.#guard("cache.read", () => this.#level.get(key));
  }

  /** All or none. With `sync` it is on stable storage when this resolves. */
  async batch(changes: readonly Change[], options: { sync: boolean }): Promise<void> {
    const before = this.#turn;
    const mine = before.then(() => this.#batch(changes, options));
    this.#turn = mine.catch(() => undefined);
    await mine;
  }

  async #batch(changes: readonly Change[], options: { sync: boolean }): Promise<void> {
    await this.#heal();
    try {
      await this.#guard("cache.write", () => this.#level.batch([...changes], options));
    } catch (cause) {
      this.#failure = diskFault(cause, "cache.write", this.#location);
      throw this.#failure;
    }
  }

  /**
   * A failed write may leave half a record at the end of LevelDB's log, and what is written behind
   * it would never be read again. A new start reads the log up to there and begins another one.
   */
  async #heal(): Promise<void> {
    if (this.#failure === undefined) return;
    if (!mayHeal(this.#failure)) throw this.#failure;
    try {
      await this.#level.close();
      this.#level = await openFiles(this.#location, { create: false });
    } catch (cause) {
      throw diskFault(cause, "cache.write", this.#location);
    }
    this.#failure = undefined;
  }

  /** Pairs with from <= key < to, in key order. */
  async *range(from: Buffer, to: Buffer): AsyncGenerator<readonly [Buffer, Uint8Array]> {
    if (this.#level.status !== "open") await this.#heal();
    const iterator = this.#level.iterator({ gte: from, lt: to });
    try {
      while (true) {
        const pairs = await this.#guard("cache.read", () => iterator.nextv(readAhead));
        if (pairs.length === 0) return;
        yield* pairs;
      }
    } finally {
      await iterator.close();
    }
  }

  /** Whoever has to know what may be missing does: the next opening tells of no mending. */
  async mended(): Promise<void> {
    await endMending(this.#location);
  }

  async close(): Promise<void> {
    await this.#guard("cache.close", () => this.#level.close());
  }

  async #guard<T>(op: string, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (cause) {
      throw diskFault(cause, op, this.#location);
    }
  }
}

/**
 * Opens the database, made if absent. One whose files are damaged is repaired as far as LevelDB
 * can; one that cannot be is moved aside and begun anew. The caller hears which, until it says
 * `mended`, and may ask for no less than that, when a damage showed only later.
 */
export async function openLevel(location: string, least: Mending = "none"): Promise<Opened> {
  try {
    await mkdir(location, { recursive: true, mode: 0o700 });
    const found = look(await readdir(location));
    const isSound = least === "none" && found === "whole" && !await isMending(location);
    const isUntouched = isSound && !await isAnyDamaged(location);
    const table = isUntouched ? await tryOpen(location) : undefined;
    if (table === undefined) return await mend(location, { least, found });
    if (!await hasDropped(location)) return { table, mending: "none" };
    await markMending(location);
    return { table, mending: "repaired" };
  } catch (cause) {
    const fault = isFault(cause) ? cause : notOfIndex(cause, "cache.open", location);
    throw isFault(fault, "NoSpace") ? await tellNeed(fault, location) : fault;
  }
}

/** A start turns the log into a table, and begins files of which each takes a little. */
async function tellNeed(cause: HiveError, location: string): Promise<HiveError> {
  let bytes = limits.cache.indexStartBytes;
  for (const name of await readdir(location).catch(() => [])) {
    const path = join(location, name);
    if (name.endsWith(".log")) bytes += await stat(path).then(({ size }) => size, () => 0);
  }
  const subject = `${location} needs ${Math.ceil(bytes / 1024)} KiB to be opened`;
  return new HiveError("NoSpace", "cache.open", subject, { cause });
}

interface Opened {
  readonly table: LevelTable;
  readonly mending: Mending;
}

type Found = ReturnType<typeof look>;

/** Nothing is touched before a mark tells of it, and nothing of LevelDB's without its lock. */
async function mend(
  location: string, { least, found }: { readonly least: Mending; readonly found: Found },
): Promise<Opened> {
  const wasMending = await isMending(location);
  await markMending(location);
  const mayRepair = least !== "replaced";
  const damaged = mayRepair ? await whileLocked(location, condemnDamaged) : [];
  const mayBeSound = least === "none" && !wasMending && found !== "headless";
  const first = mayBeSound ? await openWithout(location, damaged) : undefined;
  if (first !== undefined) {
    const isWhole = found === "whole" && !await hasDropped(location);
    if (isWhole) await first.mended();
    return { table: first, mending: isWhole ? "none" : "repaired" };
  }
  const isRepaired = mayRepair && await whileLocked(location, repair);
  const second = isRepaired ? await tryOpen(location) : undefined;
  if (second !== undefined) return { table: second, mending: "repaired" };
  await whileLocked(location, setAside);
  const third = await tryOpen(location);
  if (third === undefined) throw new HiveError("Corrupt", "cache.open", location);
  return { table: third, mending: "replaced" };
}

/**
 * Undefined unless LevelDB does without these: a table that a crash left unfinished is of no use,
 * and it takes that away as it opens.
 */
async function openWithout(
  location: string, damaged: readonly string[],
): Promise<LevelTable | undefined> {
  const table = await tryOpen(location);
  if (table === undefined || !await isAnyIn(location, damaged)) return table;
  await table.close();
  return undefined;
}

/** Others who open it meanwhile, or have it open, make this or them fail as Busy. */
async function whileLocked<T>(
  location: string, act: (location: string) => Promise<T>,
): Promise<T> {
  const folder = await makeLockFolder(location);
  const lock = await openFiles(folder, { create: true });
  try {
    return await act(location);
  } finally {
    await lock.close();
  }
}

/**
 * LevelDB sees some damage only when it reads. So what opens it, and looks at what is there, is
 * done again when it finds it Corrupt, after more was done for its files each time.
 */
export async function untilMended<T>(
  open: (least: Mending) => Promise<T>,
  tell?: (least: Mending, cause: HiveError) => void,
): Promise<T> {
  for (const least of ["none", "repaired"] as const) {
    try {
      return await open(least);
    } catch (cause) {
      if (!isFault(cause, "Corrupt")) throw cause;
      tell?.(least, cause);
    }
  }
  return open("replaced");
}

/** Undefined when its files are damaged; any other failure is thrown. */
async function tryOpen(location: string): Promise<LevelTable | undefined> {
  try {
    return new LevelTable(await openFiles(location, { create: true }), location);
  } catch (cause) {
    if (isDamage(cause)) return undefined;
    throw diskFault(cause, "cache.open", location);
  }
}

async function openFiles(
  location: string,
  { create }: { readonly create: boolean },
): Promise<Level<Buffer, Uint8Array>> {
  const level = new Level<Buffer, Uint8Array>(location, {
    keyEncoding: "buffer",
    valueEncoding: "view",
    // Ids and sealed bytes do not compress.
    compression: false,
    createIfMissing: create,
  });
  await level.open();
  await narrowModes(location);
  return level;
}

/** LevelDB calls a missing table or manifest an input or output error, not a corruption. */
function isDamage(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (codeOf(cause) === "LEVEL_CORRUPTION") return true;
    if (codeOf(cause) === "LEVEL_IO_ERROR") return /No such file/.test(cause.message);
    if (codeOf(cause) === "LEVEL_INVALID_ARGUMENT") return true;
  }
  return false;
}

/**
 * Two losses of which LevelDB says nothing. Without its write-ahead log, of which there is always
 * one, the newest writes are gone. Without CURRENT it begins anew and deletes the old tables.
 */
function look(names: readonly string[]): "whole" | "logless" | "headless" {
  const hasLog = names.some((name) => /^\d+\.log$/.test(name));
  const hasOthers = hasLog || names.some((name) => /^MANIFEST-|\.ldb$/.test(name));
  if (names.includes("CURRENT")) return hasLog ? "whole" : "logless";
  return hasOthers ? "headless" : "whole";
}

/**
 * A record of the write-ahead log that fails its check is left out, and LevelDB calls that opened;
 * only its own log file, begun anew at each start, tells of it.
 */
async function hasDropped(location: string): Promise<boolean> {
  const told = await readFile(join(location, "LOG"), "utf8").catch(() => "");
  return /dropping \d+ bytes/.test(told);
}

async function isAnyIn(location: string, names: readonly string[]): Promise<boolean> {
  if (names.length === 0) return false;
  const left = await readdir(location);
  return names.some((name) => left.includes(name));
}

/** The function is there at run time and missing from the package's types. */
async function repair(location: string): Promise<boolean> {
  const act: unknown = Reflect.get(Level, "repair");
  assert(typeof act === "function", "level has lost its repair function");
  try {
    await Reflect.apply(act, Level, [location]);
    return true;
  } catch {
    // What cannot be repaired is set aside by the caller, and counted there.
    return false;
  }
}

async function narrowModes(location: string): Promise<void> {
  const inside = await readdir(location, { withFileTypes: true });
  // Those that a compaction takes away meanwhile need no narrowing.
  await Promise.allSettled(inside.map((one) => {
    return chmod(join(location, one.name), one.isDirectory() ? 0o700 : 0o600);
  }));
}
