/**
 * Written bytes of one chunk, in pieces that lie where they were written: a page that changes in
 * the middle of a chunk takes a page of memory. No I/O; it knows nothing of files.
 */
import { assert } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { BufferPool } from "../../base/machine/pool.ts";
import type { Span } from "./spans.ts";

const { chunkBytes } = limits.tree;
const smallestBytes = 4096;
/** An extent that grows gets this many times the room: few copies, and little room in vain. */
const growth = 4;

const pool = new BufferPool({ lengthBytes: chunkBytes, countMax: 32 });

interface Extent {
  readonly start: number;
  end: number;
  /** Holds start to end from its beginning on, and may have room behind. */
  buffer: Buffer;
}

export class Extents {
  /** Ascending; they never overlap, and may touch. */
  readonly #list: Extent[] = [];
  #heldBytes = 0;

  get isEmpty(): boolean {
    return this.#list.length === 0;
  }

  get count(): number {
    return this.#list.length;
  }

  /** Memory taken. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** The end of the last extent. */
  get end(): number {
    return this.#list.at(-1)?.end ?? 0;
  }

  get spans(): Span[] {
    return this.#list.map(({ start, end }) => [start, end]);
  }

  write(start: number, part: Uint8Array): void {
    const end = start + part.length;
    assert(start >= 0 && end <= chunkBytes && part.length > 0);
    const first = this.#firstEndingAt(start);
    const known = this.#list[first];
    if (known !== undefined && known.start <= start && !this.#meetsNext(first, end)) {
      this.#extend(known, end);
      known.buffer.set(part, start - known.start);
      return;
    }
    this.#insert(first, start, part);
  }

  covers(start: number, end: number): boolean {
    let reached = start;
    for (let at = this.#firstEndingAt(start); at < this.#list.length && reached < end; at++) {
      const extent = this.#list[at] as Extent;
      if (extent.start > reached) return false;
      reached = extent.end;
    }
    return reached >= end;
  }

  /** Copies what it has of the range that begins at `start` and is as long as the target. */
  copyTo(target: Buffer, start: number): void {
    const end = start + target.length;
    for (const extent of this.#list) {
      if (extent.end <= start || extent.start >= end) continue;
      const from = Math.max(start, extent.start);
      const to = Math.min(end, extent.end);
      extent.buffer.copy(target, from - start, from - extent.start, to - extent.start);
    }
  }

  /** The buffer, if one extent alone is all of the first `lengthBytes`: it is the caller's now. */
  takeWhole(lengthBytes: number): Buffer | undefined {
    const [only] = this.#list;
    if (this.#list.length !== 1 || only?.start !== 0 || only.end !== lengthBytes) return undefined;
    this.#list.length = 0;
    this.#heldBytes = 0;
    return only.buffer;
  }

  clear(): void {
    for (const { buffer } of this.#list) giveBuffer(buffer);
    this.#list.length = 0;
    this.#heldBytes = 0;
  }

  /** The index of the first extent whose end is at or behind this. */
  #firstEndingAt(start: number): number {
    let [low, high] = [0, this.#list.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#list[middle] as Extent).end < start) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #meetsNext(at: number, end: number): boolean {
    const next = this.#list[at + 1];
    return next !== undefined && next.start < end;
  }

  #extend(extent: Extent, end: number): void {
    if (end <= extent.end) return;
    const needed = end - extent.start;
    if (needed > extent.buffer.length) {
      const grown = takeBuffer(needed);
      extent.buffer.copy(grown, 0, 0, extent.end - extent.start);
      this.#heldBytes += grown.length - extent.buffer.length;
      giveBuffer(extent.buffer);
      extent.buffer = grown;
    }
    extent.end = end;
  }

  /** One extent for the part and all that it overlaps. */
  #insert(first: number, start: number, part: Uint8Array): void {
    const end = start + part.length;
    let from = first;
    // One that only touches stays apart: copying it would cost more than it saves.
    if ((this.#list[from]?.end ?? Infinity) <= start) from++;
    let to = from;
    while (to < this.#list.length && (this.#list[to] as Extent).start < end) to++;
    const over = this.#list.slice(from, to);
    const least = Math.min(start, over[0]?.start ?? start);
    const most = Math.max(end, over.at(-1)?.end ?? end);
    const buffer = takeBuffer(most - least);
    for (const extent of over) {
      extent.buffer.copy(buffer, extent.start - least, 0, extent.end - extent.start);
      this.#heldBytes -= extent.buffer.length;
      giveBuffer(extent.buffer);
    }
    buffer.set(part, start - least);
    this.#heldBytes += buffer.length;
    this.#list.splice(from, to - from, { start: least, end: most, buffer });
  }
}

export function takeBuffer(needed: number): Buffer {
  let size = smallestBytes;
  while (size < needed) size *= growth;
  if (size < chunkBytes) return Buffer.allocUnsafe(size);
  return pool.take();
}

/** Nobody else may hold it any more. */
export function giveBuffer(buffer: Buffer): void {
  if (buffer.length === chunkBytes) pool.give(buffer);
}
