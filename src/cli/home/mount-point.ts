/**
 * One name for a mount point, however a person spells it. Its last part is never looked at: a mount
 * whose daemon hangs would hang us too.
 */
import { type Dirent, readdirSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { HiveError, codeOf } from "../../base/errors.ts";

/** Absolute and without links above it, as the daemon and the system's table of mounts have it. */
export function mountPointOf(path: string): string {
  const absolute = resolve(path);
  try {
    return join(realpathSync(dirname(absolute)), basename(absolute));
  } catch {
    // Its parent will be made: there is no link to follow yet.
    return absolute;
  }
}

/** Where no other is named. */
export function mountPointDefault(): string {
  return join(homedir(), "Hive");
}

/** Refuses what can be no mount point, before anything is made for its sake. */
export function checkMountPoint(path: string): void {
  const entry = entriesOf(dirname(path)).find(({ name }) => name === basename(path));
  if (entry?.isFile() === true) throw new HiveError("NotDirectory", "mount", path);
}

/** None where the folder cannot be read, or will yet be made. */
function entriesOf(directory: string): readonly Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch (cause) {
    if (codeOf(cause) !== "ENOTDIR") return [];
    throw new HiveError("NotDirectory", "mount", directory, { cause });
  }
}
