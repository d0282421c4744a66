/**
 * A second cache directory over the same bytes, for looking without touching: what is never
 * written again (LevelDB's tables, full block files) is shared by hard links, the rest is copied,
 * and new frames go to a file of its own. Whatever is done to the clone, the original stays as it
 * is; and since LevelDB's lock file is shared too, nobody can open the original meanwhile. Where
 * that disk has no room for the copies, the clone lies on another, with symbolic links.
 */
import { constants } from "node:fs";
import { copyFile, link, mkdir, mkdtemp, readdir, rm, statfs, symlink, writeFile }
  from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { HiveError, codeOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { diskFault, isLinkless } from "../disk/faults.ts";
import { fileName, parseFileName } from "../files/block-log.ts";
import { type OpenKeyValue, openKeyValue } from "../index/key-value.ts";
import { isMending, markMending } from "../index/mending.ts";

const prefix = "check-";

export interface Clone extends AsyncDisposable {
  readonly directory: string;
}

/** A clone of a cache, mostly beside its parts; it goes away when it is disposed of. */
export async function cloneCache(directory: string): Promise<Clone> {
  return cloneInto(directory, async (to) => {
    await cloneLevel(join(directory, "index"), join(to, "index"));
    await cloneBlocks(join(directory, "blocks"), join(to, "blocks"));
    await cloneJournal(join(directory, "journal"), join(to, "journal"));
    for (const name of ["pid", "closed"]) {
      await unlessAbsent(copyFile(join(directory, name), join(to, name)));
    }
  });
}

export interface OpenClone extends AsyncDisposable {
  readonly books: OpenKeyValue;
}

/** The same of one LevelDB database, beside it, and open: others make this fail as Busy. */
export async function openKeyValueClone(directory: string): Promise<OpenClone> {
  await using parts = new AsyncDisposableStack();
  const [beside, name] = [dirname(directory), basename(directory)];
  const own = `${prefix}${name}-`;
  const fill = (to: string): Promise<void> => cloneLevel(directory, join(to, name));
  const clone = parts.use(await cloneInto(beside, fill, own));
  try {
    const books = parts.use(await openKeyValue(join(clone.directory, name)));
    // It has the lock: the makers of older ones are gone.
    await removeClones(beside, clone.directory, own);
    const owned = parts.move();
    return { books, [Symbol.asyncDispose]: () => owned.disposeAsync() };
  } catch (cause) {
    const { kind } = diskFault(cause, "fsck.open", directory);
    throw new HiveError(kind, "fsck.open", directory, { cause });
  }
}

/** Clones of a process that was killed would keep the bytes of deleted files on the disk. */
export async function removeClones(
  directory: string, but?: string, named = prefix,
): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const stale = name.startsWith(named) && path !== but;
    if (stale) await rm(path, { recursive: true, force: true });
  }
}

async function cloneInto(
  directory: string,
  fill: (to: string) => Promise<void>,
  named = prefix,
): Promise<Clone> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const to = await mkdtemp(join(await roomyPlace(directory), named));
    const remove = () => rm(to, { recursive: true, force: true });
    try {
      await fill(to);
    } catch (cause) {
      await remove();
      throw cause;
    }
    return { directory: to, [Symbol.asyncDispose]: remove };
  } catch (cause) {
    throw diskFault(cause, "cache.clone", directory);
  }
}

/** Beside it; or where temporary files lie, if it is there that the copies have room. */
async function roomyPlace(directory: string): Promise<string> {
  const [here, there] = await Promise.all([directory, tmpdir()].map(freeBytes)) as [number, number];
  return here < limits.cache.cloneBytes && here < there ? tmpdir() : directory;
}

async function freeBytes(directory: string): Promise<number> {
  const { bsize, bavail, blocks } = await statfs(directory);
  // A file system that tells no size is as large as it says nothing about.
  return blocks === 0 ? Infinity : bavail * bsize;
}

async function cloneLevel(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 });
  for (const name of await namesIn(from)) {
    // A table is written once; the lock is shared so that it keeps others out.
    const shared = name === "LOCK" || name.endsWith(".ldb");
    await unlessAbsent((shared ? share : copyFile)(join(from, name), join(to, name)));
  }
  if (await isMending(from)) await markMending(to);
}

async function cloneBlocks(from: string, to: string): Promise<void> {
  await mkdir(to, { mode: 0o700 });
  let newest = 0;
  for (const name of await namesIn(from)) {
    const number = parseFileName(name);
    if (number === undefined) continue;
    await unlessAbsent(share(join(from, name), join(to, name)));
    newest = Math.max(newest, number);
  }
  // Frames are appended to the newest file: that must be none that is shared.
  await writeFile(join(to, fileName(newest + 1)), "", { mode: 0o600 });
}

/** These are written over in place: nothing of them can be shared. */
async function cloneJournal(from: string, to: string): Promise<void> {
  await mkdir(to, { mode: 0o700 });
  for (const name of await namesIn(from)) {
    const { COPYFILE_FICLONE } = constants;
    await unlessAbsent(copyFile(join(from, name), join(to, name), COPYFILE_FICLONE));
  }
}

/** A copy where the file system knows no links: dear, and the same for whoever looks. */
async function share(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (codeOf(error) === "EXDEV") return symlink(resolve(from), to);
    if (!isLinkless(error)) throw error;
    await copyFile(from, to, constants.COPYFILE_FICLONE);
  }
}

async function namesIn(directory: string): Promise<readonly string[]> {
  const found = await unlessAbsent(readdir(directory, { withFileTypes: true }));
  return (found ?? []).filter((entry) => entry.isFile()).map((entry) => entry.name);
}

/** What a daemon takes away meanwhile is not missed: its lock shows soon enough. */
async function unlessAbsent<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
