/**
 * The one packing for what Hive alone reads on its own disk: pages, journal records, index values.
 * (What peers send each other is DAG-CBOR, see crypt/records/records.ts.) Integers are
 * little-endian or unsigned LEB128 varints below 2^53; every reader checks its bounds and fails as
 * Corrupt.
 */
import { HiveError, assert } from "./errors.ts";

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

/** A growing buffer. `finish` returns a view of it: copy it, or use the writer no more. */
export class Writer {
  readonly #capacityBytes: number;
  #buffer: Buffer;
  #length = 0;

  constructor(capacityBytes = 256) {
    this.#capacityBytes = capacityBytes;
    this.#buffer = Buffer.allocUnsafe(capacityBytes);
  }

  /** Empty again, in the room that it began with: what `finish` gave is written over. */
  again(): this {
    this.#length = 0;
    const hasGrown = this.#buffer.length > this.#capacityBytes;
    if (hasGrown) this.#buffer = Buffer.allocUnsafe(this.#capacityBytes);
    return this;
  }

  get lengthBytes(): number {
    return this.#length;
  }

  u8(value: number): this {
    this.#room(1);
    this.#length = this.#buffer.writeUInt8(value, this.#length);
    return this;
  }

  u32(value: number): this {
    this.#room(4);
    this.#length = this.#buffer.writeUInt32LE(value, this.#length);
    return this;
  }

  /** Unsigned LEB128, 0 to 2^53 - 1, in 1 to 8 bytes. */
  varint(value: number): this {
    // The words are made for who fails, not for each of the many that do not.
    if (!Number.isSafeInteger(value) || value < 0) assert(false, `varint ${value}`);
    this.#room(8);
    let rest = value;
    if (value >= 2 ** 31) {
      // Four groups of bits as one whole number, then what is above them: quicker than divisions.
      rest = Math.floor(value / 2 ** 28);
      for (let low = value - rest * 2 ** 28, group = 0; group < 4; group++, low >>>= 7) {
        this.#buffer[this.#length++] = (low & 127) | 128;
      }
    }
    while (rest >= 128) {
      this.#buffer[this.#length++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.#buffer[this.#length++] = rest;
    return this;
  }

  /** Any safe integer, zigzag over a varint; magnitudes below 2^52. */
  signed(value: number): this {
    return this.varint(value < 0 ? -value * 2 - 1 : value * 2);
  }

  /** Bytes of a length the reader knows. */
  raw(bytes: Uint8Array): this {
    this.#room(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** A varint length, then the bytes. */
  bytes(bytes: Uint8Array): this {
    return this.varint(bytes.length).raw(bytes);
  }

  /** A varint length, then one byte for each character (for names and hex kept as text). */
  latin1(text: string): this {
    this.varint(text.length);
    this.#room(text.length);
    this.#length += this.#buffer.write(text, this.#length, "latin1");
    return this;
  }

  /** Raw bytes from hex, of a length the reader knows. */
  hex(text: string): this {
    this.#room(text.length / 2);
    this.#length += this.#buffer.write(text, this.#length, "hex");
    return this;
  }

  finish(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #room(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}

/** Reads what a Writer wrote. Every read past the end fails as Corrupt, naming the record. */
export class Reader {
  readonly #buffer: Buffer;
  readonly #what: string;
  #offset = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#buffer = asBuffer(bytes);
    this.#what = what;
  }

  get restBytes(): number {
    return this.#buffer.length - this.#offset;
  }

  /** How much was read. */
  get offsetBytes(): number {
    return this.#offset;
  }

  /** A view of what was read from there on. */
  since(offsetBytes: number): Buffer {
    return this.#buffer.subarray(offsetBytes, this.#offset);
  }

  /** Passes over the next bytes and answers where they begin. */
  skip(lengthBytes: number): number {
    return this.#take(lengthBytes);
  }

  u8(): number {
    const byte = this.#buffer[this.#offset];
    if (byte === undefined) throw this.#endsEarly(1);
    this.#offset++;
    return byte;
  }

  u32(): number {
    return this.#buffer.readUInt32LE(this.#take(4));
  }

  varint(): number {
    const first = this.u8();
    return first < 128 ? first : this.#longVarint(first);
  }

  #longVarint(first: number): number {
    let value = first & 127;
    for (let shift = 7; shift < 28; shift += 7) {
      const byte = this.u8();
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
    for (let scale = 2 ** 28; scale < 2 ** 56; scale *= 128) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (byte < 128) {
        if (Number.isSafeInteger(value)) return value;
        break;
      }
    }
    throw this.corrupt("varint too large");
  }

  signed(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** A view of the next bytes, not a copy. */
  raw(lengthBytes: number): Buffer {
    const start = this.#take(lengthBytes);
    return this.#buffer.subarray(start, start + lengthBytes);
  }

  bytes(): Buffer {
    return this.raw(this.varint());
  }

  latin1(): string {
    const length = this.varint();
    const start = this.#take(length);
    return this.#buffer.toString("latin1", start, start + length);
  }

  hex(lengthBytes: number): string {
    const start = this.#take(lengthBytes);
    return this.#buffer.toString("hex", start, start + lengthBytes);
  }

  /** Call when the record must be over. */
  end(): void {
    if (this.restBytes !== 0) throw this.corrupt(`${this.restBytes} bytes too many`);
  }

  corrupt(why: string): HiveError {
    return new HiveError("Corrupt", this.#what, `${why} at byte ${this.#offset}`);
  }

  #take(lengthBytes: number): number {
    const start = this.#offset;
    const fits = lengthBytes <= this.#buffer.length - start;
    if (!fits) throw this.#endsEarly(lengthBytes);
    this.#offset = start + lengthBytes;
    return start;
  }

  #endsEarly(lengthBytes: number): HiveError {
    return this.corrupt(`ends ${lengthBytes} bytes early`);
  }
}

/** The same bytes as a Buffer, without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  if (Buffer.isBuffer(bytes)) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return asBuffer(left).equals(right);
}

/** As much of a short text as so many bytes of UTF-8 hold, in whole characters. */
export function beginningOf(text: string, bytesMax: number): string {
  const characters = [...text];
  while (Buffer.byteLength(characters.join("")) > bytesMax) characters.pop();
  return characters.join("");
}
