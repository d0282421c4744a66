/**
 * What may be grafted into a drive's tree: directories that no tree holds, whose children are the
 * roots of other trees. `graft/` makes one FileSystem of them all; who has trees to show gives it
 * points, and need not know how they are reached.
 */
import type { FileSystem } from "./filesystem.ts";
import type { Ino, Name } from "./ids.ts";
import type { Maybe } from "./step.ts";

/** A tree of its own, from `root` down. Disposed of when nobody knows it any more. */
export interface Graft extends AsyncDisposable {
  readonly files: FileSystem;
  /** Its `rootIno`, or what is looked up until it is disposed of; a folder, or a single file. */
  readonly root: Ino;
  /** False: whatever would change something is refused before it reaches the tree. */
  readonly writable: boolean;
  /** Whom to tell, by its own numbers, of what changes in it by itself; absent if nothing does. */
  readonly tell?: (notices: GraftNotices) => void;
}

/** What a drive was is to be seen in every folder, by these names. */
export const pastNames = { snapshots: ".snapshots", trash: ".trash" } as const;

/** The folder of all that others share with this drive's person. */
export const sharedName = "Shared";

/** The type bits of a directory's mode. */
export const directoryType = 0o040000;

/** A name in a directory of grafts, and what it leads to: the bits of a mode that tell. */
export interface GraftItem {
  readonly name: Name;
  readonly type: number;
}

/** A directory of grafts. */
export interface GraftPoint {
  items(): Maybe<readonly GraftItem[]>;
  /** NotFound for a name that it has not. Opened once for as long as somebody knows it. */
  open(name: Name): Promise<Graft>;
  /** Calls for each name that came, went, or leads to another tree from now on. */
  watch(changed: (name: Name) => void): Disposable;
}

export interface RootPoint {
  readonly point: GraftPoint;
  /** Shown by `ls` while it has names; otherwise it is there for whoever asks by name. */
  readonly listed: boolean;
}

/** Where the points are. An entry of the drive's own with such a name goes before them. */
export interface GraftTable {
  readonly root: ReadonlyMap<Name, RootPoint>;
  /** In each folder of the drive, the root too; never listed. */
  readonly everywhere: ReadonlyMap<Name, (folder: Ino) => GraftPoint>;
}

/** Whom to tell of changes that did not come through the kernel. They never reject. */
export interface GraftNotices {
  invalidateInode(ino: Ino): Promise<void>;
  invalidateEntry(parent: Ino, name: Name): Promise<void>;
}
