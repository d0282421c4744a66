/**
 * A file or folder that stands under its name whole or not at all: made in a folder of ours beside
 * its place, then renamed. Whatever ends us, a part of it never has that name.
 */
import { lstat, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { folderFault } from "../base/machine/directories.ts";
import { faultOf } from "../base/machine/system-faults.ts";
import { HiveError, codeOf } from "../base/errors.ts";

export interface Place {
  readonly path: string;
  /** Whether a file that has the name goes. Nothing else ever does. */
  readonly replaces: boolean;
}

/** `make` is told where to make it. */
export async function placeWhole<T>(
  place: Place, make: (path: string) => Promise<T>,
): Promise<T> {
  await refuseTaken(place);
  const path = resolve(place.path);
  const beside = await mkdtemp(join(dirname(path), ".hive-")).catch((cause: unknown) => {
    throw folderFault(cause, "unixfs.place", dirname(path));
  });
  try {
    const made = await make(join(beside, "new"));
    // It took a while: somebody may have come to have the name meanwhile.
    await refuseTaken(place);
    await rename(join(beside, "new"), path);
    return made;
  } catch (cause) {
    const isFull = faultOf(cause)?.kind === "NoSpace";
    // For a person it is the name that was asked for, not one in a folder of ours.
    throw isFull ? new HiveError("NoSpace", "unixfs.place", place.path, { cause }) : cause;
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
}

async function refuseTaken({ path, replaces }: Place): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  });
  if (found === undefined || (replaces && found.isFile())) return;
  throw new HiveError("Exists", "unixfs.place", path);
}
