/**
 * How much somebody may say at once who writes a folder that is another's. A few sealed bytes can
 * name more than any machine has room for: one page a thousand times, a million names, folders
 * without end. So what is laid beside ours is counted as it is read, and what goes beyond is
 * refused before anything of it comes in. What both have costs nothing: a large folder stays one
 * that others may write. Nothing here reads or changes a tree.
 */
import { HiveError } from "../../base/errors.ts";
import type { Ino } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { xattrBytes } from "../../dag/inode-bytes.ts";
import { type Inode, marksOf } from "../../dag/inodes.ts";
import type { Page } from "../../dag/pages.ts";
import type { KeyRange } from "../check/pages.ts";

const { newNamesMax, newBytesMax, newDepthMax, contentBytesMax } = limits.writers;

/** How much one state may bring. */
export interface Most {
  readonly names: number;
  readonly depth: number;
  readonly bytes: number;
  readonly contentBytes: number;
}

export const mostOfGuest: Most = {
  names: newNamesMax, depth: newDepthMax, bytes: newBytesMax, contentBytes: contentBytesMax,
};
/** It is his folder. */
export const mostOfOwner: Most = {
  names: Infinity, depth: Infinity, bytes: Infinity, contentBytes: Infinity,
};

export interface Told {
  readonly folder: Ino;
  /** A file of several names has none: it lies in a table that nobody is given. */
  readonly inode: Inode | undefined;
  /** What is here under its number. */
  readonly ours: Inode | undefined;
}

export class Bounds {
  readonly #most: Most;
  readonly #depths = new Map<Ino, number>();
  #names = 0;
  #bytes = 0;
  #contentBytes = 0;

  constructor(most: Most) {
    this.#most = most;
  }

  /**
   * Every page has something, and all of it where a search looks for it: then no page is met
   * twice, and there are no more of them than somebody took the trouble to store.
   */
  page(page: Page, { from, to }: KeyRange): void {
    const inOrder = page.keys.every((key) => key >= from && key < to);
    if (page.keys.length > 0 && inOrder) return;
    throw new HiveError("Corrupt", "tree.guest", "pages that are no tree");
  }

  entry({ folder, inode, ours }: Told): void {
    if (inode === undefined || ours === undefined) this.#name(folder, inode);
    if (inode === undefined || isSameVersion(inode, ours)) return;
    const { bytes, contentBytes } = this.#most;
    this.#bytes += heldBytes(inode);
    if (this.#bytes > bytes) throw tooLarge(`over ${bytes} bytes of short files at once`);
    const { content } = inode;
    if (content.kind === "chunks") this.#contentBytes += content.allocatedBytes;
    if (this.#contentBytes <= contentBytes) return;
    throw tooLarge(`files of over ${contentBytes} bytes at once`);
  }

  #name(folder: Ino, inode: Inode | undefined): void {
    const { names, depth: most } = this.#most;
    if (++this.#names > names) throw tooLarge(`over ${names} new names at once`);
    if (inode?.content.kind !== "directory") return;
    const depth = 1 + (this.#depths.get(folder) ?? 0);
    if (depth > most) throw tooLarge(`over ${most} new folders within each other`);
    this.#depths.set(inode.ino, depth);
  }
}

function isSameVersion(one: Inode, other: Inode | undefined): boolean {
  return other !== undefined && marksOf(one).edited === marksOf(other).edited;
}

/** What it takes of memory besides its name. */
function heldBytes({ content, xattrs }: Inode): number {
  const held = content.kind === "inline" ? content.bytes.length
    : content.kind === "symlink" ? content.target.length : 0;
  return held + (xattrs.kind === "inside" ? xattrBytes(xattrs.values) : 0);
}

function tooLarge(what: string): HiveError {
  return new HiveError("TooLarge", "tree.guest", what);
}
