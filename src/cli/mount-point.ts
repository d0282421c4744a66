/**
 * One name for a mount point, however a person spells it. Its last part is never looked at: a mount
 * whose daemon hangs would hang us too.
 */
import { realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

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
