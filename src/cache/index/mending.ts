/**
 * What stands beside a database whose files are mended: a folder that says so. It is there before
 * the first of them is touched, and until whoever opened it has written down what may be missing:
 * a crash in between forgets neither. In it lies what locks the database meanwhile, as LevelDB's
 * own repair does not. Also where files go that nothing mends.
 */
import { access, link, mkdir, mkdtemp, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { codeOf } from "../../base/errors.ts";
import { isLinkless } from "../disk/faults.ts";

export async function markMending(location: string): Promise<void> {
  await mkdir(folderOf(location), { recursive: true, mode: 0o700 });
  await syncParent(location);
}

export async function endMending(location: string): Promise<void> {
  await rm(folderOf(location), { recursive: true, force: true });
}

/** Also where a crash came in between. */
export function isMending(location: string): Promise<boolean> {
  return access(folderOf(location)).then(() => true, () => false);
}

/**
 * A folder for a database of nothing: whoever has it open holds the lock of the one that is mended,
 * as both names are of one lock file. Where no file has two names it keeps other menders out.
 */
export async function makeLockFolder(location: string): Promise<string> {
  const lock = join(location, "LOCK");
  await (await open(lock, "wx", 0o600).catch(unlessThere))?.close();
  const folder = await mkdtemp(join(folderOf(location), "lock-"));
  try {
    await link(lock, join(folder, "LOCK"));
    return folder;
  } catch (error) {
    await rm(folder, { recursive: true });
    if (!isLinkless(error)) throw error;
    return folderOf(location);
  }
}

/** Kept for whoever wants to look; the next one set aside goes to the next number. */
export async function setAside(location: string): Promise<void> {
  const before = `${basename(location)}.damaged-`;
  const names = (await readdir(dirname(location))).filter((name) => name.startsWith(before));
  const numbers = names.map((name) => Number(name.slice(before.length)) || 0);
  await rename(location, join(dirname(location), `${before}${Math.max(0, ...numbers) + 1}`));
  await mkdir(location, { mode: 0o700 });
}

function folderOf(location: string): string {
  return `${location}.mending`;
}

/** A file that is there is never opened here: to close it would give up this process's lock. */
function unlessThere(error: unknown): undefined {
  if (codeOf(error) !== "EEXIST") throw error;
}

async function syncParent(location: string): Promise<void> {
  await using parent = await open(dirname(location), "r");
  await parent.sync();
}
