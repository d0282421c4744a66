/**
 * Small reads of large chunks. When a chunk was opened or sealed whole, the tags of its leaves are
 * remembered; a later read of a few of them takes no more from the disk than those. What turns out
 * not to be as it was is left to who reads the whole. No I/O: blocks.ts brings the bytes.
 *
 * What was brought waits here for the operation that wanted it, which starts again (attempt.ts).
 */
import { LRUCache } from "lru-cache";
import type { Cid } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { ChunkLink } from "../../dag/chunks.ts";
import { type LeafKeys, type Leaves, openLeaves } from "../../dag/leaves.ts";
import { leavesFor, leavesIn, startOf } from "../../dag/leaves.ts";
import type { Span } from "./spans.ts";

const { leafTagsBytes, openedPartsBytes, partShareMax } = limits.tree;

interface Known extends LeafKeys {
  /** The leaf behind those that were asked for last. */
  next: number;
}

/** Leaves of one chunk, to be read by themselves. */
export interface Part extends Leaves {
  readonly link: ChunkLink;
}

export class Parts {
  readonly #known: LRUCache<Cid, Known>;
  readonly #opened: LRUCache<string, Buffer>;

  constructor() {
    this.#known = new LRUCache({
      maxSize: leafTagsBytes, sizeCalculation: ({ tags }) => tags.length,
    });
    this.#opened = new LRUCache({
      maxSize: openedPartsBytes, sizeCalculation: ({ length }) => length,
    });
  }

  /** These are the tags of the whole chunk, which is authentic. */
  remember({ cid, key }: ChunkLink, tags: Buffer | undefined): void {
    if (tags === undefined || !isSmall(1, tags) || this.#known.has(cid)) return;
    // Tags lie in one buffer with those of others, a key in the page that it was read from: either
    // would stay as long as the last of its neighbours.
    const own = Buffer.allocUnsafeSlow(tags.length + key.length);
    own.set(tags);
    own.set(key, tags.length);
    const kept = { key: own.subarray(tags.length), tags: own.subarray(0, tags.length) };
    this.#known.set(cid, { ...kept, next: 0 });
  }

  /** What to read for these bytes of the chunk; undefined when it had better be read whole. */
  partFor(link: ChunkLink, [start, end]: Span): Part | undefined {
    const known = this.#known.get(link.cid);
    const last = Math.min(end, link.lengthBytes);
    if (known === undefined || start >= last || !known.key.equals(link.key)) return undefined;
    const leaves = leavesFor(start, last);
    if (!isSmall(leaves.count, known.tags)) return undefined;
    // From where the last one ended, or from the beginning on and long: the rest will be wanted.
    const goesOn = leaves.first > 0 ? leaves.first === known.next : leaves.count > 1;
    return goesOn ? undefined : { link, ...leaves };
  }

  /** These bytes of the chunk, as far as they count, if just those leaves are open. */
  find({ cid, lengthBytes }: ChunkLink, [start, end]: Span): Buffer | undefined {
    const last = Math.min(end, lengthBytes);
    const leaves = leavesFor(start, last);
    const from = startOf(leaves);
    return this.#opened.get(nameOf(cid, leaves))?.subarray(start - from, last - from);
  }

  /** Opens what was read; false when it is not what was sealed. */
  open(part: Part, sealed: Uint8Array): boolean {
    const known = this.#known.get(part.link.cid);
    const plain = known && openLeaves(known, part, sealed);
    if (known === undefined || plain === undefined) return false;
    known.next = part.first + part.count;
    this.#opened.set(nameOf(part.link.cid, part), plain);
    return true;
  }

  forgetOpened(): void {
    this.#opened.clear();
  }
}

/** So little of its chunk that the rest is not worth reading with it. */
function isSmall(count: number, tags: Buffer): boolean {
  return count <= leavesIn(tags) * partShareMax;
}

function nameOf(cid: Cid, { first, count }: Leaves): string {
  return `${cid} ${first} ${count}`;
}
