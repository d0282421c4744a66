/**
 * The umask, which the kernel leaves to us (FUSE_DONT_MASK): where a directory has a default access
 * list, POSIX lets that decide instead. Whether it has one is remembered, as only we change it.
 */
import { isFault } from "../../base/errors.ts";
import type { Ino } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Maybe, then } from "../../base/step.ts";
import type { Desk } from "./operation.ts";

export const defaultList = "system.posix_acl_default";

/** The mode of what is about to be made in this directory. */
export function masked(
  desk: Desk, parent: Ino, bits: { readonly mode: number; readonly umask: number },
): Maybe<number> {
  const plain = bits.mode & ~(bits.umask & 0o777);
  if (plain === bits.mode) return plain;
  return then(hasDefaultList(desk, parent), (has) => (has ? bits.mode : plain));
}

function hasDefaultList(desk: Desk, parent: Ino): Maybe<boolean> {
  const known = desk.defaultLists.get(parent);
  if (known !== undefined) return known;
  return then(look(desk, parent), (has) => {
    if (desk.defaultLists.size >= limits.mount.defaultListsMax) desk.defaultLists.clear();
    desk.defaultLists.set(parent, has);
    return has;
  });
}

function look(desk: Desk, parent: Ino): Maybe<boolean> {
  try {
    const value = desk.tree.getxattr(parent, defaultList);
    return value instanceof Promise ? value.then(() => true, absent) : true;
  } catch (error) {
    return absent(error);
  }
}

function absent(error: unknown): false {
  if (isFault(error, "NoData", "Unsupported")) return false;
  throw error;
}
