/**
 * One request of the kernel, taken apart in place. Strict: whatever does not fit the bytes that
 * came is a HiveError, so that no operation checks again. Offsets are the body's.
 *
 * A Request is reused for the next read of the device: an operation that answers later copies what
 * it needs, unless its table entry says that it keeps the request.
 */
import { HiveError, assert } from "../../base/errors.ts";
import type { Caller, Instant, Place } from "../../base/filesystem.ts";
import { type Handle, type Ino, parseHandle, parseIno, parseName } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { requestHeadBytes } from "./protocol.ts";

const wordSpan = 2 ** 32;

export class Request {
  readonly bytes: Buffer;
  readonly #words: Uint32Array;
  #lengthBytes = 0;

  constructor(capacityBytes: number) {
    // Slow: its own memory, so that every structure lies aligned.
    this.bytes = Buffer.allocUnsafeSlow(capacityBytes);
    assert(this.bytes.byteOffset % 8 === 0 && capacityBytes % 8 === 0);
    this.#words = new Uint32Array(this.bytes.buffer, this.bytes.byteOffset, capacityBytes / 4);
  }

  /** Takes what a read of the device left in `bytes`. */
  load(lengthBytes: number): this {
    this.#lengthBytes = lengthBytes;
    const sound = lengthBytes >= requestHeadBytes && this.#words[0] === lengthBytes;
    if (sound) return this;
    throw new HiveError("Corrupt", "mount.request", `head of ${lengthBytes} bytes`);
  }

  get opcode(): number {
    return this.#words[1] as number;
  }

  /** The request's number, which its answer repeats. */
  get unique(): number {
    return this.#double(2);
  }

  /** False for a number that no kernel makes, and that no answer could name. */
  get hasUnique(): boolean {
    return (this.#words[3] as number) < 2 ** 21;
  }

  get ino(): Ino {
    return parseIno(this.#double(4));
  }

  get caller(): Caller {
    const words = this.#words;
    return { uid: words[6] as number, gid: words[7] as number, pid: words[8] as number };
  }

  get pid(): number {
    return this.#words[8] as number;
  }

  get bodyBytes(): number {
    return this.#lengthBytes - requestHeadBytes;
  }

  u32(offset: number): number {
    return this.#words[this.#at(offset, 4)] as number;
  }

  /** A number below 2^53; larger ones are TooLarge. */
  u64(offset: number): number {
    return this.#double(this.#at(offset, 8));
  }

  /** The same for lengths, where larger only means "as much as you can". */
  u64Clamped(offset: number): number {
    const at = this.#at(offset, 8);
    const high = this.#words[at + 1] as number;
    return high < 2 ** 21 ? this.#double(at) : Number.MAX_SAFE_INTEGER;
  }

  handle(offset: number): Handle {
    return parseHandle(this.u64(offset));
  }

  inoAt(offset: number): Ino {
    return parseIno(this.u64(offset));
  }

  /** What lies beyond all that can be kept becomes the nearest that can, as Linux has it. */
  instant(secondsOffset: number, nanosecondsOffset: number): Instant {
    const at = this.#at(secondsOffset, 8);
    const high = (this.#words[at + 1] as number) | 0;
    const seconds = high * wordSpan + (this.#words[at] as number);
    const nanoseconds = this.u32(nanosecondsOffset);
    if (nanoseconds >= 1e9) throw new HiveError("Invalid", "mount.request", "time");
    const { secondsMax } = limits.tree;
    if (Math.abs(seconds) <= secondsMax) return { seconds, nanoseconds };
    return { seconds: Math.sign(seconds) * secondsMax, nanoseconds: 0 };
  }

  /** The name at this offset, in the directory that the request is about. */
  place(offset: number): Place {
    return { parent: this.ino, name: parseName(this.text(offset)) };
  }

  /** Characters (one a byte) up to the NUL that must follow. */
  text(offset: number): string {
    return this.bytes.toString("latin1", requestHeadBytes + offset, this.#nul(offset));
  }

  /** Where the body goes on after the text at this offset. */
  after(offset: number): number {
    return this.#nul(offset) + 1 - requestHeadBytes;
  }

  /** A view, good until the request is used again. */
  view(offset: number, lengthBytes: number): Buffer {
    const fits = offset + lengthBytes <= this.bodyBytes;
    if (!fits) throw this.#short(offset);
    const start = requestHeadBytes + offset;
    return this.bytes.subarray(start, start + lengthBytes);
  }

  copy(offset: number, lengthBytes: number): Buffer {
    return Buffer.from(this.view(offset, lengthBytes));
  }

  #nul(offset: number): number {
    const end = this.bytes.indexOf(0, requestHeadBytes + offset);
    const inside = offset <= this.bodyBytes && end >= 0 && end < this.#lengthBytes;
    if (inside) return end;
    throw this.#short(offset);
  }

  #at(offset: number, lengthBytes: number): number {
    const fits = offset + lengthBytes <= this.bodyBytes;
    if (fits) return (requestHeadBytes + offset) >> 2;
    throw this.#short(offset);
  }

  #double(at: number): number {
    const high = this.#words[at + 1] as number;
    if (high < 2 ** 21) return high * wordSpan + (this.#words[at] as number);
    throw new HiveError("TooLarge", "mount.request", `number in opcode ${this.opcode}`);
  }

  #short(offset: number): HiveError {
    const subject = `opcode ${this.opcode} of ${this.#lengthBytes} bytes ends before ${offset}`;
    return new HiveError("Invalid", "mount.request", subject);
  }
}
