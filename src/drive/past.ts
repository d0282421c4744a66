/** What the drive was, and the brake: what the tree puts back, the kernel is told of. */
import { HiveError } from "../base/errors.ts";
import { type Ino, type Name, nameFromText } from "../base/ids.ts";
import type { DriveBrake, DriveSnapshots } from "../base/snapshots.ts";
import type { Mounted } from "../mount/mount.ts";
import type { Tree } from "../tree/tree.ts";

/** What is restored did not come through the kernel: it is told of each change. */
export function snapshotsOf({ past }: Tree, mounted: Mounted): DriveSnapshots {
  const names = (path: readonly string[]) => path.map(nameFromText);
  return {
    list: (path) => past.list(names(path)),
    create: () => past.create(),
    remove: (name) => past.remove(name),
    compare: (path, moments) => past.compare(names(path), moments),
    restore: (name, path, { exact, to }) => past.restore(name, names(path), {
      exact,
      ...(to === undefined ? {} : { to: names(to) }),
      changed: changesTo(mounted),
    }),
    keep: (rule) => past.keep(rule),
  };
}

export function brakeOf({ brake, past }: Tree, mounted: Mounted): DriveBrake {
  return {
    status: () => brake.status(),
    goOn: () => brake.goOn(),
    undo: () => brake.undo(past, changesTo(mounted)),
  };
}

function changesTo(mounted: Mounted) {
  return (parent: Ino, name?: Name): Promise<void> => name === undefined
    ? mounted.invalidateInode(parent) : mounted.invalidateEntry(parent, name);
}

export function refuseBraked({ brake }: Tree): void {
  if (brake.isOn) throw new HiveError("Unavailable", "flush", "held back: see hive brake");
}
