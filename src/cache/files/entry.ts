/** What is kept in memory about one block. Few fields: there may be a million of them. */
import type { PolicySlot } from "../../base/blocks.ts";
import type { Cid } from "../../base/ids.ts";
import type { BlockFile } from "./block-file.ts";
import { type Frame, headerBytes } from "./frame.ts";

/** Bits of `BlockEntry.marks`. */
export const marks = {
  /** Not on the peers yet: must not be evicted. */
  dirty: 1,
  /** Read since the last sweep: gets a second chance. */
  warm: 2,
  /** Its index entry is, or is just being made, durable. */
  logged: 4,
  /** Discarded, but an older root or journal record may still name it until the next commit. */
  condemned: 8,
  /** Its bytes here are known to be wrong, and nobody else has them. */
  broken: 16,
  /** Its bytes count as dirty in `usage`. */
  counted: 32,
  /** The open upload round needs it: it stays readable whatever becomes of it. */
  pinned: 64,
  /** A sync made it durable, or is just at it: a record that names it may be durable too. */
  promised: 128,
  /** Somebody has its bytes that were in memory, and may hold them for as long as he likes. */
  lent: 256,
  /** The user wants it here, or may: see retention.ts. */
  retained: 512,
  /** The disk did not give its bytes when it was asked last, and may yet. */
  unread: 1024,
} as const;

export class BlockEntry {
  readonly cid: Cid;
  readonly lengthBytes: number;
  readonly sequence: number;
  slot: PolicySlot;
  marks: number;
  /** Undefined only when its file is lost. */
  file: BlockFile | undefined;
  /** Where its frame begins. */
  offsetBytes: number;
  /** The bytes, until they are written. */
  bytes: Uint8Array | undefined;

  constructor(block: {
    cid: Cid; lengthBytes: number; sequence: number; slot: PolicySlot; marks: number;
  }) {
    this.cid = block.cid;
    this.lengthBytes = block.lengthBytes;
    this.sequence = block.sequence;
    this.slot = block.slot;
    this.marks = block.marks;
    this.file = undefined;
    this.offsetBytes = 0;
    this.bytes = undefined;
  }

  is(mark: number): boolean {
    return (this.marks & mark) !== 0;
  }

  get frameBytes(): number {
    return headerBytes + this.lengthBytes;
  }

  /** What stands before its bytes, wherever they are written. */
  get frame(): Frame {
    const { cid, sequence, lengthBytes, slot } = this;
    return { kind: "block", cid, sequence, lengthBytes, slot };
  }
}
