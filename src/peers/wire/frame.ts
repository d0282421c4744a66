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
  /** Where the payload goes; undefined until there is room. */
  room: Buffer | "nowhere" | undefined;
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

/**
 * Room for the payload behind this head, be there one or not: of just that length; of its own;
 * none, so that its bytes are passed over and the frame has no payload; or none yet.
 */
export type PayloadRoom =
  (head: Buffer, payloadBytes: number) => Buffer | "own" | "nowhere" | "later";

/** Takes chunks as they come, gives frames as they are complete; Corrupt on a wrong length. */
export class FrameDecoder {
  #chunks: Uint8Array[] = [];
  #offset = 0;
  #queuedBytes = 0;
  readonly #preamble = Buffer.alloc(preambleBytes);
  #preambleFilled = 0;
  #body: Body | undefined;
  readonly #room: PayloadRoom;
  #waits = false;

  constructor(room: PayloadRoom = () => "own") {
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

  /** True when there was no room for what follows; `next` asks again. */
  get waits(): boolean {
    return this.#waits;
  }

  next(): Frame | undefined {
    this.#body ??= this.#begin();
    if (this.#body === undefined) return undefined;
    const body = this.#body;
    body.headFilled += this.#fill(body.head, body.headFilled);
    if (body.headFilled < body.head.length) return undefined;
    const room = body.room ??= this.#roomFor(body);
    if (room === undefined) return undefined;
    const payload = room === "nowhere" ? none : room;
    const leftBytes = body.payloadBytes - body.payloadFilled;
    body.payloadFilled += room === "nowhere"
      ? this.#move(leftBytes, () => {}) : this.#fill(payload, body.payloadFilled);
    if (body.payloadFilled < body.payloadBytes) return undefined;
    this.#body = undefined;
    this.#preambleFilled = 0;
    return { head: body.head, payload };
  }

  #roomFor({ head, payloadBytes }: Body): Buffer | "nowhere" | undefined {
    const room = this.#room(head, payloadBytes);
    this.#waits = room === "later";
    if (room === "later") return undefined;
    if (room === "nowhere") return room;
    // Not from the pool and not zeroed: its pages cost nothing before the bytes are here.
    if (room === "own") return payloadBytes === 0 ? none : Buffer.allocUnsafeSlow(payloadBytes);
    assert(room.length === payloadBytes);
    return room;
  }

  #begin(): Body | undefined {
    this.#preambleFilled += this.#fill(this.#preamble, this.#preambleFilled);
    if (this.#preambleFilled < preambleBytes) return undefined;
    const headBytes = this.#preamble.readUInt32LE(0);
    const payloadBytes = this.#preamble.readUInt32LE(4);
    checkLengths(headBytes, payloadBytes);
    const head = Buffer.allocUnsafe(headBytes);
    return { head, headFilled: 0, payloadBytes, room: undefined, payloadFilled: 0 };
  }

  /** Copies what is here into the target from `start` on; how many bytes. */
  #fill(target: Buffer, start: number): number {
    return this.#move(target.length - start, (bytes, at) => target.set(bytes, start + at));
  }

  /** Takes so many bytes off what is here, if they are; how many. */
  #move(mostBytes: number, take: (bytes: Uint8Array, at: number) => void): number {
    let moved = 0;
    while (moved < mostBytes) {
      const chunk = this.#chunks[0];
      if (chunk === undefined) break;
      const end = Math.min(chunk.length, this.#offset + mostBytes - moved);
      take(chunk.subarray(this.#offset, end), moved);
      moved += end - this.#offset;
      this.#offset = end;
      if (this.#offset < chunk.length) break;
      this.#chunks.shift();
      this.#offset = 0;
    }
    this.#queuedBytes -= moved;
    return moved;
  }
}

function checkLengths(headBytes: number, payloadBytes: number): void {
  const fits = headBytes >= 1 && headBytes <= limits.peers.headBytesMax &&
    payloadBytes <= limits.peers.payloadBytesMax;
  if (!fits) throw new HiveError("Corrupt", "peers.frame", `lengths ${headBytes}+${payloadBytes}`);
}
