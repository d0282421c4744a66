/**
 * The inodes in memory: those the kernel has looked up, holds open or whose change is not committed
 * yet, and the directories above them. All others lie in pages and come when asked for.
 */
import type { PolicySlot } from "../../base/blocks.ts";
import { HiveError, assert } from "../../base/errors.ts";
import type { Attributes } from "../../base/filesystem.ts";
import { type Ino, type Name, rootIno } from "../../base/ids.ts";
import type { ChunkLink } from "../../dag/chunks.ts";
import type { Era } from "../../dag/eras.ts";
import { type Content, type Inode, type PageTree, noTree } from "../../dag/inodes.ts";
import type { DirtyChunk } from "./dirty.ts";
import { InoMap } from "./ino-map.ts";

export const notCounted = -1;
/** Of a file with several: more are as likely as not never asked for. */
const namesKnownMax = 8;

const noNames: readonly NodeName[] = [];

/** A name in a folder, and under which key it stands there. */
export interface NodeName {
  readonly parent: Ino;
  readonly key: number;
  readonly name: Name;
}

/** Where an inode is written down. */
export type Home =
  | { readonly kind: "root" }
  | { readonly kind: "entry"; readonly parent: Node; readonly key: number; readonly name: Name }
  /** In the table of linked files: it has, or had, several names. */
  | { readonly kind: "table" }
  /** It has no name: deleted and still open, or never named. */
  | { readonly kind: "none" };

/** What a file has beyond its published state. */
export interface Live {
  /** What a crash would leave. */
  published: { readonly sizeBytes: number; readonly content: Content };
  readonly dirty: Map<number, DirtyChunk>;
  /** Those of them that may have bytes which the journal has not: an fsync looks at no others. */
  readonly news: Set<DirtyChunk>;
  /** Sealed, and not published yet. */
  readonly links: Map<number, ChunkLink>;
  /** What the published chunks that these replace take. */
  readonly over: Map<number, number>;
  /** The policy slot that links were sealed under, `mixedSlot` for several; undefined before. */
  slot: PolicySlot | undefined;
  /** In which it began: none of its links was sealed earlier. */
  readonly era: Era;
  allocatedBytes: number;
  /** The journal holds data of this file that is not in a published chunk. */
  promised: boolean;
  /** States taken for publishing so far, and the newest that was published. */
  captures: number;
  publishedCapture: number;
}

export class Node {
  readonly ino: Ino;
  /** As it is now; what of it is published, see `Live`. */
  inode: Inode;
  /** Its pages as committed last. */
  tree: PageTree;
  home: Home;
  lookups = 0;
  handles = 0;
  /** Nodes in memory whose home is here. */
  children = 0;
  /** Layers of changes that name this node, and the number of the newest of them. */
  pins = 0;
  keptIn = -1;
  live: Live | undefined = undefined;
  /** The layer in which the journal has told where this node is. */
  anchored = -1;
  /** Names of a file in the table that were met, the last one last; it may have lost them since. */
  names = noNames;
  /** It was in the table of linked files, whose pages may have it. */
  wasLinked = false;
  /** Made without a name, so that link may give it one (O_TMPFILE). */
  mayBeNamed = false;
  /** The policy slot that its committed pages were put under, and of a folder its attributes. */
  treeSlot: PolicySlot;
  /** The slot that it goes by, as of `slotAt`: see slots.ts. */
  slot: PolicySlot = 0;
  slotAt = -1;
  /** The bytes that it counts for in the drive's totals; `notCounted` while it is in none. */
  countedBytes = notCounted;

  constructor(inode: Inode, tree: PageTree, home: Home) {
    this.ino = inode.ino;
    this.inode = inode;
    this.tree = tree;
    this.home = home;
    this.treeSlot = inode.slot;
  }

  /** A file in the table knows no folder: it remembers a few of those that it was found in. */
  met({ parent, key, name }: NodeName): void {
    const others = this.names.filter((one) => one.parent !== parent || one.key !== key);
    this.names = [...others, { parent, key, name }].slice(-namesKnownMax);
  }

  get needed(): boolean {
    const uses = this.lookups + this.handles + this.children + this.pins;
    return uses > 0 || this.live !== undefined || this.home.kind === "root";
  }

  attributes(): Attributes {
    const { ino, mode, links, uid, gid, rdev, sizeBytes } = this.inode;
    const { atime, mtime, ctime, btime } = this.inode;
    const blocks = Math.ceil(this.allocatedBytes / 512);
    return { ino, mode, links, uid, gid, rdev, sizeBytes, blocks, atime, mtime, ctime, btime };
  }

  get allocatedBytes(): number {
    const { content } = this.inode;
    if (this.live !== undefined) return liveBytes(this.live);
    if (content.kind === "chunks") return content.allocatedBytes;
    return content.kind === "inline" ? content.bytes.length : 0;
  }
}

function liveBytes(live: Live): number {
  let total = live.allocatedBytes;
  for (const chunk of live.dirty.values()) {
    total += allocatedFor(chunk.lengthBytes) - chunk.replacedBytes;
  }
  return total;
}

/** What stat(2) counts for a chunk: whole units of 4 KiB, as every file system does. */
export function allocatedFor(lengthBytes: number): number {
  return Math.ceil(lengthBytes / 4096) * 4096;
}

export class Nodes {
  readonly #nodes = new InoMap<Node>();
  readonly #unsettled: Node[] = [];
  /** The two that were found last, as long as they are here. */
  #last: Node | undefined;
  #before: Node | undefined;
  /** How often something was given another place. */
  moves = 0;
  readonly #orphaned: (tree: PageTree) => void;

  /** `orphaned` is given the pages of a nameless file that nobody holds any more. */
  constructor(orphaned: (tree: PageTree) => void) {
    this.#orphaned = orphaned;
  }

  get size(): number {
    return this.#nodes.size;
  }

  inos(): Ino[] {
    return [...this.#nodes.keys()];
  }

  get root(): Node {
    return this.get(rootIno);
  }

  /** Most changes are of the node before, or of the folder that the one before was in. */
  find(ino: Ino): Node | undefined {
    if (this.#last?.ino === ino) return this.#last;
    if (this.#before?.ino === ino) return this.#before;
    const node = this.#nodes.get(ino);
    if (node === undefined) return undefined;
    this.#before = this.#last;
    this.#last = node;
    return node;
  }

  /** The kernel asks for what it looked up, so it is here. */
  get(ino: Ino): Node {
    const node = this.find(ino);
    if (node === undefined) throw new HiveError("Stale", "tree.node", String(ino));
    return node;
  }

  add(inode: Inode, tree: PageTree, home: Home): Node {
    assert(!this.#nodes.has(inode.ino), "an inode is in memory once");
    const node = new Node(inode, tree, home);
    this.#nodes.set(inode.ino, node);
    if (home.kind === "entry") home.parent.children++;
    this.#unsettled.push(node);
    return node;
  }

  move(node: Node, home: Home): void {
    const before = node.home;
    this.moves++;
    node.home = home;
    if (before.kind === "table") node.wasLinked = true;
    if (home.kind === "entry") home.parent.children++;
    if (before.kind !== "entry") return;
    before.parent.children--;
    this.#unsettled.push(before.parent);
  }

  /** Nodes that an operation looked at in passing go: called between operations only. */
  sweep(): void {
    if (this.#unsettled.length < 64) return;
    for (const node of this.#unsettled.splice(0)) this.settle(node);
  }

  /** Lets go of a node that nothing needs, and then of what it kept. */
  settle(node: Node): void {
    if (node.needed || this.#nodes.get(node.ino) !== node) return;
    this.#nodes.delete(node.ino);
    this.#last = undefined;
    this.#before = undefined;
    if (node.home.kind === "none" && node.tree !== noTree) this.#orphaned(node.tree);
    if (node.home.kind !== "entry") return;
    node.home.parent.children--;
    this.settle(node.home.parent);
  }
}

/** What an inode adds to the drive's totals, besides being one file. */
export function countedBytesOf(inode: Inode): number {
  return inode.content.kind === "directory" ? 0 : inode.sizeBytes;
}

export function sameHome(a: Home, b: Home): boolean {
  if (a.kind !== "entry" || b.kind !== "entry") return a.kind === b.kind;
  return a.parent === b.parent && a.key === b.key && a.name === b.name;
}
