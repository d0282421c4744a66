/**
 * An inode: attributes, extended attributes, content, and where its own tree of pages begins. It
 * stands in the directory entry of its only name, or in the table of linked files. Its bytes are
 * in inode-bytes.ts.
 */
import { type PolicySlot, unknownSlot } from "../base/blocks.ts";
import type { Instant } from "../base/filesystem.ts";
import type { Ino } from "../base/ids.ts";
import type { ChunkLink } from "./chunks.ts";
import type { Era } from "./eras.ts";
import { type PageRoot, emptyRoot } from "./pages.ts";

export type Content =
  | { readonly kind: "none" }
  | { readonly kind: "inline"; readonly bytes: Buffer }
  | { readonly kind: "symlink"; readonly target: Buffer }
  | { readonly kind: "chunks"; readonly allocatedBytes: number }
  | { readonly kind: "directory"; readonly entries: number };

export type Xattrs =
  | { readonly kind: "inside"; readonly values: ReadonlyMap<string, Buffer> }
  | { readonly kind: "block"; readonly link: ChunkLink };

export interface Inode {
  readonly ino: Ino;
  /** Type and permission bits. */
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  readonly sizeBytes: number;
  readonly atime: Instant;
  readonly mtime: Instant;
  readonly ctime: Instant;
  readonly btime: Instant;
  readonly xattrs: Xattrs;
  readonly content: Content;
  /** The policy slot that its blocks and pages were put under; `mixedSlot` for several. */
  readonly slot: PolicySlot;
  /**
   * Of a directory, the slot of the policy that was set on it; of a file without a folder of its
   * own, as it has several names or none, the slot of the policy that it goes by. 0 for none.
   */
  readonly policy: PolicySlot;
  /** None of its blocks was sealed in an earlier era, be they chunks or attributes. */
  readonly era: Era;
  /** The mark of whoever edited or named it last; absent while nobody did since it was made. */
  readonly marks?: Marks | undefined;
}

/** Two registers, so that an edit here and a move there are both kept: see tree/merge/rules.ts. */
export interface Marks {
  /** Of its bytes and attributes; of a directory the attributes alone. */
  readonly edited: number;
  /** Of where it is: its name and folder, or the set of its names. */
  readonly moved: number;
}

export function marksOf({ ino, marks }: Pick<Inode, "ino" | "marks">): Marks {
  return marks ?? { edited: ino, moved: ino };
}

/** Of a file that was written under several policies: its blocks go by more than one. */
export const mixedSlot: PolicySlot = unknownSlot;

/** Its attributes are in a block that was not there before. */
export function bringsBlock({ xattrs }: Inode, before: Inode | undefined): boolean {
  if (xattrs.kind !== "block") return false;
  return before?.xattrs.kind !== "block" || before.xattrs.link.cid !== xattrs.link.cid;
}

/** Two slots, or a mixture of both. */
export function mergedSlot(one: PolicySlot, other: PolicySlot): PolicySlot {
  return one === other ? one : mixedSlot;
}

/** An inode's own tree of pages: a directory's names, a file's chunk links. */
export interface PageTree {
  /** Opens the pages; whoever has a directory's opens all below it. Absent before the first. */
  readonly secret: Buffer | undefined;
  readonly root: PageRoot;
}

/** The same bytes, wherever it lies. */
export function isOneTree({ secret, root }: PageTree, other: PageTree): boolean {
  if (secret === undefined || other.secret === undefined) return secret === other.secret;
  if (!secret.equals(other.secret)) return false;
  if (root.kind === "page") return other.root.kind === "page" && root.cid === other.root.cid;
  if (root.kind === "empty") return other.root.kind === "empty";
  return other.root.kind === "inside" && root.page.items.equals(other.root.page.items);
}

export const noTree: PageTree = { secret: undefined, root: emptyRoot };
export const noXattrs: Xattrs = { kind: "inside", values: new Map() };

/** The type bits of a mode, and their names. */
export const typeMask = 0o170000;
export const fileType = {
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  regular: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
} as const;

/** Of a mode: whoever runs it runs as its owner, or in its group. */
export const setUid = 0o4000;
export const setGid = 0o2000;

export function isFolderMode(mode: number): boolean {
  return (mode & typeMask) === fileType.directory;
}

/**
 * The inode with some of it changed. What readInode, this and whoever makes a new one build has all
 * its fields, in one order: so V8 knows for each of them where it is.
 */
export function inodeWith(inode: Inode, change: Partial<Inode>): Inode {
  return {
    ino: change.ino ?? inode.ino,
    mode: change.mode ?? inode.mode,
    links: change.links ?? inode.links,
    uid: change.uid ?? inode.uid,
    gid: change.gid ?? inode.gid,
    rdev: change.rdev ?? inode.rdev,
    sizeBytes: change.sizeBytes ?? inode.sizeBytes,
    atime: change.atime ?? inode.atime,
    mtime: change.mtime ?? inode.mtime,
    ctime: change.ctime ?? inode.ctime,
    btime: change.btime ?? inode.btime,
    xattrs: change.xattrs ?? inode.xattrs,
    content: change.content ?? inode.content,
    slot: change.slot ?? inode.slot,
    policy: change.policy ?? inode.policy,
    era: change.era ?? inode.era,
    marks: change.marks ?? inode.marks,
  };
}
