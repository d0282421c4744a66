/** What the sides of a merge say of each inode, and what it comes to. Pure. */
import type { Ino } from "../../base/ids.ts";
import { type Inode, type PageTree, isFolderMode, isOneTree, marksOf } from "../../dag/inodes.ts";
import { type Seen, isSeen } from "../../dag/marks.ts";
import type { Place } from "./names.ts";

/** What is known of an inode on one side; the places are those in folders that were looked at. */
export interface Fact {
  readonly inode: Inode;
  readonly tree: PageTree;
  readonly places: readonly Place[];
  /** Moves by which folders above it, and it with them, came to where they are. */
  readonly arrived?: Arrival | undefined;
}

export interface Arrival {
  readonly mark: number;
  readonly above: Arrival | undefined;
}

export interface Side {
  readonly facts: ReadonlyMap<Ino, Fact>;
  readonly seen: Seen;
}

/** As it shall be. The inode's numbers of links and entries are left to whoever carries it out. */
export type Merged = Map<Ino, Fact>;

export type Resolved =
  | { readonly kind: "merged"; readonly merged: Merged }
  /** These folders have to be looked at first. */
  | { readonly kind: "unlisted"; readonly folders: readonly Ino[] };

export function isFolder({ inode }: Pick<Fact, "inode">): boolean {
  return isFolderMode(inode.mode);
}

/** The same, in other blocks. */
export function isOtherCopy(our: Fact, their: Fact): boolean {
  const [one, other] = [our.inode, their.inode];
  if (one.content.kind !== other.content.kind) return false;
  if (one.content.kind === "chunks" && !isOneTree(our.tree, their.tree)) return true;
  if (one.xattrs.kind !== "block" || other.xattrs.kind !== "block") return false;
  return one.xattrs.link.cid !== other.xattrs.link.cid;
}

/** One edit, sealed twice. */
export function isResealed(one: Fact, other: Fact): boolean {
  return marksOf(one.inode).edited === marksOf(other.inode).edited && isOtherCopy(one, other);
}

/** Whoever has seen all of it and does not have it has taken it away. */
export function isNews({ inode, arrived }: Pick<Fact, "inode" | "arrived">, seen: Seen): boolean {
  const { edited, moved } = marksOf(inode);
  if (!isSeen(seen, edited) || !isSeen(seen, moved)) return true;
  for (let at = arrived; at !== undefined; at = at.above) if (!isSeen(seen, at.mark)) return true;
  return false;
}
