/**
 * Written data of one chunk that is not in a sealed block yet. What was written lies on top; below
 * it is the chunk as it is being sealed just now, or else the sealed one. So a write waits for
 * nothing that it does not touch, and what was asked to be sealed may go on changing.
 */
import { limits } from "../../base/limits.ts";
import type { ChunkLink } from "../../dag/chunks.ts";
import { Extents, giveBuffer } from "./extents.ts";
import { type Node, allocatedFor } from "./nodes.ts";
import { type Span, addSpan, addSpans } from "./spans.ts";

const { extentsMax } = limits.tree;

/** What of some bytes the journal has: spans, ascending and apart. */
export interface Journaled {
  /** Written and not in the journal. */
  fresh: readonly Span[];
  /** In the journal by an fsync, and not in a published chunk yet. */
  promised: readonly Span[];
}

/** A chunk as it was at one moment, on its way into a block. */
export interface Sealing extends Journaled {
  readonly bytes: Uint8Array;
  /** Memory of ours that is free again when it is sealed; a request's bytes are not ours. */
  readonly buffer: Buffer | undefined;
  /** Resolves when it is over, whether it went well or not. */
  readonly done: Promise<void>;
}

export class DirtyChunk implements Journaled {
  readonly node: Node;
  readonly index: number;
  /** When the oldest of what is not sealed was written. */
  sinceMs: number;
  readonly top = new Extents();
  fresh: readonly Span[] = [];
  promised: readonly Span[] = [];
  sealing: Sealing | undefined = undefined;
  /** The sealed chunk below, which its own link will replace. */
  below: ChunkLink | undefined;

  constructor(
    place: { readonly node: Node; readonly index: number; readonly sinceMs: number },
    below: ChunkLink | undefined,
  ) {
    this.node = place.node;
    this.index = place.index;
    this.sinceMs = place.sinceMs;
    this.below = below;
  }

  /** Bytes that count; behind them are zeros. */
  get lengthBytes(): number {
    return Math.max(this.top.end, this.#underBytes);
  }

  /** What the sealed chunk below takes on disk. */
  get replacedBytes(): number {
    return allocatedFor(this.below?.lengthBytes ?? 0);
  }

  /** Memory taken, but for what belongs to a request. */
  get heldBytes(): number {
    return this.top.heldBytes + (this.sealing?.buffer?.length ?? 0);
  }

  /** True when nothing of what it replaces stays. */
  get standsAlone(): boolean {
    return this.#underBytes === 0 || this.top.covers(0, this.lengthBytes);
  }

  get #underBytes(): number {
    return this.sealing?.bytes.length ?? this.below?.lengthBytes ?? 0;
  }

  /** So scattered that another write has to wait until it is sealed. */
  get isCrowded(): boolean {
    return this.top.count >= extentsMax;
  }

  /** False once its file was cut, emptied or is gone: then nobody wants its link. */
  get isWanted(): boolean {
    return this.node.live?.dirty.get(this.index) === this;
  }

  write(start: number, part: Uint8Array): void {
    this.top.write(start, part);
    this.fresh = addSpan(this.fresh, [start, start + part.length]);
    if (this.fresh.length > extentsMax) this.fresh = this.top.spans;
  }

  /** Those of what the journal must have that it has not, or not any more. */
  forgetPromises(): void {
    for (const told of [this, this.sealing]) {
      if (told !== undefined) told.fresh = addSpans(told.fresh, told.promised);
    }
  }

  /** What is on top becomes part of the moment that is sealed. */
  beginSealing({ bytes, buffer, done }: Pick<Sealing, "bytes" | "buffer" | "done">): void {
    const { fresh, promised } = this;
    this.top.clear();
    this.fresh = [];
    this.promised = [];
    this.sealing = { bytes, buffer, done, fresh, promised };
  }

  endSealing(): void {
    const buffer = this.sealing?.buffer;
    this.sealing = undefined;
    if (buffer !== undefined) giveBuffer(buffer);
  }

  /** It could not be sealed: what was on its way is on top again, under what came since. */
  undoSealing(): void {
    const { sealing } = this;
    if (sealing === undefined) return;
    const newer = this.top.spans.map(([start, end]) => {
      const part = Buffer.alloc(end - start);
      this.top.copyTo(part, start);
      return { start, part };
    });
    this.top.write(0, sealing.bytes);
    for (const { start, part } of newer) this.top.write(start, part);
    this.fresh = addSpans(this.fresh, sealing.fresh);
    this.promised = addSpans(this.promised, sealing.promised);
    this.endSealing();
  }
}
