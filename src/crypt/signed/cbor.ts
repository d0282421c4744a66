/**
 * DAG-CBOR for what peers send each other and for the key file, and a reader that turns a decoded
 * map into typed values. Whatever is not exactly right is Corrupt; how long the bytes may be is
 * the caller's limit, checked before decoding. So is here how many values they may hold: a byte
 * of an answer costs a hundred as an object.
 */
import { decode, encode } from "@ipld/dag-cbor";
import { asBuffer } from "../../base/bytes.ts";
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";

export type Plain =
  | string
  | number
  | Uint8Array
  | readonly Plain[]
  | { readonly [name: string]: Plain };

export function encodePlain(value: Plain): Buffer {
  return asBuffer(encode(value));
}

/** A decoded value of any shape. `what` names the record in the fault. */
export function decodePlain(bytes: Uint8Array, what: string): unknown {
  const buffer = asBuffer(bytes);
  if (holdsMany(buffer)) throw new HiveError("Corrupt", what, "too many values");
  try {
    return decode(buffer);
  } catch {
    // The cause is dropped: the decoder's messages quote the bytes, which may be secret.
    throw new HiveError("Corrupt", what, "not DAG-CBOR");
  }
}

/** Counts heads from the front, whatever they are the heads of; makes nothing of them. */
function holdsMany(bytes: Buffer): boolean {
  let at = 0;
  for (let values = 0; at < bytes.length; values++) {
    if (values === limits.records.valuesMax) return true;
    const head = bytes[at] as number;
    const lengthBytes = argumentBytes(head & 31);
    // A byte or text string is one value, however long it is; all others are their heads.
    const isString = head >> 5 === 2 || head >> 5 === 3;
    const length = isString ? argument(bytes, at, lengthBytes) : 0;
    at += 1 + lengthBytes + length;
  }
  return false;
}

/** How many bytes of length or value follow a head's first byte. */
function argumentBytes(info: number): number {
  return info >= 24 && info <= 27 ? 2 ** (info - 24) : 0;
}

/** The length that a string's head tells; past the end it is the decoder's to refuse. */
function argument(bytes: Buffer, at: number, lengthBytes: number): number {
  if (lengthBytes === 0) return Math.min(23, (bytes[at] as number) & 31);
  if (at + 1 + lengthBytes > bytes.length) return bytes.length;
  return lengthBytes === 8
    ? Number(bytes.readBigUInt64BE(at + 1))
    : bytes.readUIntBE(at + 1, lengthBytes);
}

/** A decoded map, read field by field. */
export class Fields {
  readonly #map: ReadonlyMap<string, unknown>;
  readonly #what: string;

  constructor(value: unknown, what: string) {
    this.#what = what;
    const isMap = typeof value === "object" && value !== null && !Array.isArray(value);
    if (!isMap || ArrayBuffer.isView(value)) throw this.corrupt("map");
    this.#map = new Map(Object.entries(value));
  }

  has(name: string): boolean {
    return this.#map.has(name);
  }

  map(name: string): Fields {
    return new Fields(this.#map.get(name), `${this.#what}.${name}`);
  }

  /** An integer from `min` to `max`. */
  count(name: string, { min, max }: { readonly min: number; readonly max: number }): number {
    const value = this.#map.get(name);
    if (typeof value === "number" && Number.isSafeInteger(value)) {
      if (value >= min && value <= max) return value;
    }
    throw this.corrupt(name);
  }

  /** Bytes of a length from `min` to `max`; a view. */
  bytes(name: string, { min, max }: { readonly min: number; readonly max: number }): Buffer {
    return this.#bytes(this.#map.get(name), name, { min, max });
  }

  exactly(name: string, lengthBytes: number): Buffer {
    return this.bytes(name, { min: lengthBytes, max: lengthBytes });
  }

  /** Text without control characters, of 1 to so many bytes of UTF-8. */
  text(name: string, bytesMax: number): string {
    return this.#text(this.#map.get(name), name, bytesMax);
  }

  texts(name: string, { countMax, bytesMax }: { countMax: number; bytesMax: number }): string[] {
    return this.#list(name, countMax).map((item) => this.#text(item, name, bytesMax));
  }

  /** A list of byte strings of one length. */
  bytesList(name: string, { countMax, eachBytes }: { countMax: number; eachBytes: number }) {
    const size = { min: eachBytes, max: eachBytes };
    return this.#list(name, countMax).map((item) => this.#bytes(item, name, size));
  }

  /** A list of byte strings, none longer than this. */
  strings(name: string, { countMax, bytesMax }: { countMax: number; bytesMax: number }): Buffer[] {
    const size = { min: 0, max: bytesMax };
    return this.#list(name, countMax).map((item) => this.#bytes(item, name, size));
  }

  corrupt(field: string): HiveError {
    return new HiveError("Corrupt", this.#what, `${field} is not what it must be`);
  }

  #list(name: string, countMax: number): readonly unknown[] {
    const value = this.#map.get(name);
    if (Array.isArray(value) && value.length <= countMax) return value;
    throw this.corrupt(name);
  }

  #bytes(value: unknown, name: string, size: { min: number; max: number }): Buffer {
    if (value instanceof Uint8Array && value.length >= size.min && value.length <= size.max) {
      return asBuffer(value);
    }
    throw this.corrupt(name);
  }

  #text(value: unknown, name: string, bytesMax: number): string {
    if (typeof value === "string" && value !== "" && !/\p{Cc}/u.test(value)) {
      if (value.isWellFormed() && Buffer.byteLength(value) <= bytesMax) return value;
    }
    throw this.corrupt(name);
  }
}
