/**
 * Extended attributes of a file, its access lists among them, given to its copy. Node cannot reach
 * them, so a small addon does; where that is not built, a copy has none. What the kernel keeps for
 * itself (security, trusted) stays behind, as does what only means something to a drive.
 */
import { loadAddon } from "../base/machine/native.ts";

export interface Xattrs {
  /** Those that the copy has and the file has not go. */
  copy(from: Buffer, to: Buffer): void;
}

interface Addon {
  list(path: Buffer): Buffer | undefined;
  get(path: Buffer, name: string): Buffer | undefined;
  set(path: Buffer, name: string, value: Buffer): boolean;
  remove(path: Buffer, name: string): boolean;
}

const kept = /^(user\.(?!hive\.)|system\.posix_acl_)/;

/** `refused` is told of each that the copy cannot have. */
export function openXattrs(refused: (name: string) => void): Xattrs {
  const addon = loadAddon("xattr", (exports) => exports as Addon);
  if (addon === undefined) return { copy: () => undefined };
  const namesOf = (path: Buffer): readonly string[] =>
    (addon.list(path)?.toString("latin1").split("\0") ?? []).filter((name) => kept.test(name));
  return {
    copy(from, to) {
      const names = namesOf(from);
      for (const name of namesOf(to)) if (!names.includes(name)) addon.remove(to, name);
      for (const name of names) {
        const value = addon.get(from, name);
        const isSame = value === undefined || addon.get(to, name)?.equals(value) === true;
        if (!isSame && !addon.set(to, name, value)) refused(name);
      }
    },
  };
}
