/**
 * The frames of yamux, by which streams share a connection: a head of twelve bytes, and behind one
 * of data its payload, which is handed on as it comes. The decoder keeps no more than a head.
 *
 *   u8 version, 0 | u8 type | u16 flags | u32 stream | u32 length     (big-endian)
 */
import { HiveError } from "../../base/errors.ts";

export const muxHeadBytes = 12;

/** What a frame is for. `window`: its length may be sent beyond what could be before. */
export const muxTypes = { data: 0, window: 1, ping: 2, goAway: 3 } as const;
export const muxFlags = { open: 1, accept: 2, end: 4, reset: 8 } as const;

export interface MuxHead {
  readonly type: number;
  readonly flags: number;
  /** 0 is the connection itself. */
  readonly stream: number;
  /** Of data alone it is bytes that follow. */
  readonly length: number;
}

/** Told of each frame's head, of its payload piece by piece, and of its end. */
export interface MuxSink {
  begins(head: MuxHead): void;
  brings(piece: Uint8Array): void;
  ends(head: MuxHead): void;
}

export function encodeMuxHead({ type, flags, stream, length }: MuxHead): Buffer {
  const bytes = Buffer.allocUnsafe(muxHeadBytes);
  bytes.writeUInt16BE(type, 0);
  bytes.writeUInt16BE(flags, 2);
  bytes.writeUInt32BE(stream, 4);
  bytes.writeUInt32BE(length, 8);
  return bytes;
}

/** Corrupt on what is no frame; what a frame means is the sink's to judge. */
export class MuxDecoder {
  readonly #sink: MuxSink;
  readonly #bytes = Buffer.alloc(muxHeadBytes);
  #filled = 0;
  /** The frame whose payload is not all here. */
  #head: MuxHead | undefined;
  #leftBytes = 0;

  constructor(sink: MuxSink) {
    this.#sink = sink;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      at += this.#head === undefined ? this.#begin(chunk, at) : this.#bring(this.#head, chunk, at);
    }
  }

  /** How many bytes it took. */
  #begin(chunk: Uint8Array, at: number): number {
    const taken = chunk.subarray(at, at + muxHeadBytes - this.#filled);
    this.#bytes.set(taken, this.#filled);
    this.#filled += taken.length;
    if (this.#filled < muxHeadBytes) return taken.length;
    this.#filled = 0;
    const head = parseMuxHead(this.#bytes);
    this.#sink.begins(head);
    this.#leftBytes = head.type === muxTypes.data ? head.length : 0;
    if (this.#leftBytes > 0) this.#head = head;
    else this.#sink.ends(head);
    return taken.length;
  }

  #bring(head: MuxHead, chunk: Uint8Array, at: number): number {
    const piece = chunk.subarray(at, at + this.#leftBytes);
    this.#leftBytes -= piece.length;
    this.#sink.brings(piece);
    if (this.#leftBytes > 0) return piece.length;
    this.#head = undefined;
    this.#sink.ends(head);
    return piece.length;
  }
}

function parseMuxHead(bytes: Buffer): MuxHead {
  // A version other than 0 makes it a type that there is not.
  const type = bytes.readUInt16BE(0);
  if (type > muxTypes.goAway) throw new HiveError("Corrupt", "peers.mux", `type ${type}`);
  return {
    type,
    flags: bytes.readUInt16BE(2),
    stream: bytes.readUInt32BE(4),
    length: bytes.readUInt32BE(8),
  };
}
