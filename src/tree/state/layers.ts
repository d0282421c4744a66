/**
 * What changed since a commit, over the committed pages. Operations change the active layer; a
 * commit freezes it, puts a new one on top, and writes the frozen one into new pages while
 * operations go on. So what arrives during a commit lands in the next one, by construction.
 *
 * A layer holds each changed inode and, whenever it holds one, every directory above it: a commit
 * finds its way to the root in the frozen layer alone.
 */
import type { Sequence } from "../../base/blocks.ts";
import type { Ino, Name } from "../../base/ids.ts";
import type { ChunkLink } from "../../dag/chunks.ts";
import type { Inode, PageTree } from "../../dag/inodes.ts";
import type { RootRecord } from "../../dag/root.ts";
import { InoMap } from "./ino-map.ts";
import type { Home, Node } from "./nodes.ts";
import { SortedMap } from "./sorted.ts";

/** A name as it was given; undefined where it was taken away. */
export interface Binding {
  readonly name: Name;
  readonly ino: Ino;
}

/** An inode as the layer's commit shall write it. */
export interface Snapshot {
  readonly node: Node;
  readonly inode: Inode;
  readonly home: Home;
}

export interface ChunkChanges {
  /** Older links from this index on are gone. */
  cutFrom: number;
  /** null where the chunk became a hole. */
  readonly links: SortedMap<ChunkLink | null>;
}

export class Layer {
  readonly number: number;
  readonly inodes = new InoMap<Snapshot>();
  /** By directory; null where a name was taken away. */
  readonly names = new InoMap<SortedMap<Binding | null>>();
  readonly chunks = new InoMap<ChunkChanges>();
  /** Pages of files that are gone for good. */
  readonly dropped: PageTree[] = [];

  constructor(number: number) {
    this.number = number;
  }

  get isEmpty(): boolean {
    return this.inodes.size === 0 && this.dropped.length === 0;
  }

  namesOf(directory: Ino): SortedMap<Binding | null> {
    const known = this.names.get(directory);
    if (known !== undefined) return known;
    const fresh = new SortedMap<Binding | null>();
    this.names.set(directory, fresh);
    return fresh;
  }

  chunksOf(ino: Ino): ChunkChanges {
    const known = this.chunks.get(ino);
    if (known !== undefined) return known;
    const fresh = { cutFrom: Infinity, links: new SortedMap<ChunkLink | null>() };
    this.chunks.set(ino, fresh);
    return fresh;
  }

  keep(snapshot: Snapshot): void {
    const { node } = snapshot;
    if (node.keptIn !== this.number) node.pins++;
    node.keptIn = this.number;
    this.inodes.set(node.ino, snapshot);
  }
}

/** A layer that a commit writes, and what else its root must say, as it was at that moment. */
export interface Frozen {
  readonly layer: Layer;
  readonly through: Sequence;
  readonly told: Told;
}

/** Of the drive as a whole. */
export type Told = Pick<
  RootRecord, "nextIno" | "files" | "bytes" | "policies" | "devices" | "eras"
>;
