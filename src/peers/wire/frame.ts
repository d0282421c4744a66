/**
 * Frames on a stream: two lengths, a DAG-CBOR head, a raw payload. The decoder keeps no more than
 * one frame and what came behind it, and never believes a length that is over the limit.
 *
 *   u32 head length | u32 payload length | head | payload          (little-endian)
 */
import { HiveError, assert } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";

export interface Frame {
  readonly head: Buffer;
  readonly payload: Buffer;
}

interface Body {
  readonly head: Buffer;
  headFilled: number;
  readonly payloadBytes: number;
  payload: Buffer | undefined;
  payloadFilled: number;
}

const preambleBytes = 8;

const none = Buffer.alloc(0);

/** The frame up to its payload, which the caller sends behind it. */
export function encodeFrameStart(head: Uint8Array, payloadBytes: number): Buffer {
  checkLengths(head.length, payloadBytes);
  const start = Buffer.allocUnsafe(preambleBytes + head.length);
  start.writeUInt32LE(head.length, 0);
  start.writeUInt32LE(payloadBytes, 4);
  start.set(head, preambleBytes);
  return start;
}

/** Room for the payload behind this head, of just that length; undefined: a buffer of its own. */
export type PayloadRoom = (head: Buffer, payloadBytes: number) => Buffer | undefined;

/** Takes chunks as they come, gives frames as they are complete; Corrupt on a wrong length. */
export class FrameDecoder {
  #chunks: Uint8Array[] = [];
  #offset = 0;
  #queuedBytes = 0;
  readonly #preamble = Buffer.alloc(preambleBytes);
  #preambleFilled = 0;
  #body: Body | undefined;
  readonly #room: PayloadRoom;

  constructor(room: PayloadRoom = () => undefined) {
    this.#room = room;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#queuedBytes += chunk.length;
  }

  /** True when a frame has begun and the rest of it is not here. */
  get unfinished(): boolean {
    return this.#preambleFilled > 0 || this.#queuedBytes > 0;
  }

  next(): Frame | undefined {
    this.#body ??= this.#begin();
    if (this.#body === undefined) return undefined;
    const body = this.#body;
    body.headFilled += this.#fill(body.head, body.headFilled);
    if (body.headFilled < body.head.length) return undefined;
    const payload = body.payload ??= this.#payload(body);
    body.payloadFilled += this.#fill(payload, body.payloadFilled);
    if (body.payloadFilled < payload.length) return undefined;
    this.#body = undefined;
    this.#preambleFilled = 0;
    return { head: body.head, payload };
  }

  #payload({ head, payloadBytes }: Body): Buffer {
    if (payloadBytes === 0) return none;
    const room = this.#room(head, payloadBytes);
    assert(room === undefined || room.length === payloadBytes);
    // Not from the pool and not zeroed: its pages cost nothing before the bytes are here.
    return room ?? Buffer.allocUnsafeSlow(payloadBytes);
  }

  #begin(): Body | undefined {
    this.#preambleFilled += this.#fill(this.#preamble, this.#preambleFilled);
    if (this.#preambleFilled < preambleBytes) return undefined;
    const headBytes = this.#preamble.readUInt32LE(0);
    const payloadBytes = this.#preamble.readUInt32LE(4);
    checkLengths(headBytes, payloadBytes);
    const head = Buffer.allocUnsafe(headBytes);
    return { head, headFilled: 0, payloadBytes, payload: undefined, payloadFilled: 0 };
  }

  /** Copies what is here into the target from `start` on; how many bytes. */
  #fill(target: Buffer, start: number): number {
    let at = start;
    while (at < target.length) {
      const chunk = this.#chunks[0];
      if (chunk === undefined) break;
      const end = Math.min(chunk.length, this.#offset + target.length - at);
      target.set(chunk.subarray(this.#offset, end), at);
      at += end - this.#offset;
      this.#offset = end;
      if (this.#offset < chunk.length) break;
      this.#chunks.shift();
      this.#offset = 0;
    }
    this.#queuedBytes -= at - start;
    return at - start;
  }
}

function checkLengths(headBytes: number, payloadBytes: number): void {
  const fits = headBytes >= 1 && headBytes <= limits.peers.headBytesMax &&
    payloadBytes <= limits.peers.payloadBytesMax;
  if (!fits) throw new HiveError("Corrupt", "peers.frame", `lengths ${headBytes}+${payloadBytes}`);
}
