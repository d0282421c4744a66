/**
 * The envelope of every signed record: how a body is signed, and what is checked before one is
 * believed. What the kinds of record hold is in records.ts.
 *
 *   record  = DAG-CBOR [body, signature]        two byte strings; the signature has 64 bytes
 *   body    = DAG-CBOR map, canonical (keys by length, then bytes; no other form is taken)
 *   signed  = "hive/" || kind || "/1" || 0x00 || body         by Ed25519
 *
 * The kind in the signed message keeps a record of one kind from passing as another.
 */
import { asBuffer } from "../base/bytes.ts";
import { HiveError, isFault } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { Fields, type Plain, decodePlain, encodePlain } from "./cbor.ts";
import { isSignedBy, signatureBytes } from "./ed25519.ts";
import { sha256 } from "./sha256.ts";

/** How one kind of record is written and read; `T` is the record without its bytes. */
export interface RecordShape<T> {
  readonly kind: string;
  /** The body's map. */
  write(record: T): Plain;
  /** Checks every field; `bodyHash` is the SHA-256 of the body, in hex. */
  read(fields: Fields, bodyHash: string): T;
  /** Whose Ed25519 key must have signed it. */
  signer(record: T): Uint8Array;
}

export type Signed<T> = T & { readonly bytes: Uint8Array };

/** Invalid when a field breaks the kind's own rules: what we sign must pass our own checks. */
export function signRecord<T>(
  shape: RecordShape<T>,
  record: T,
  sign: (message: Uint8Array) => Uint8Array,
): Signed<T> {
  try {
    const body = encodePlain(shape.write(record));
    return parseRecord(shape, encodePlain([body, sign(messageOf(shape.kind, body))]));
  } catch (cause) {
    if (!isFault(cause, "Corrupt")) throw cause;
    throw new HiveError("Invalid", "records.sign", shape.kind, { cause });
  }
}

/** The record, when its size, form, fields and signature are right; else Corrupt. */
export function parseRecord<T>(shape: RecordShape<T>, given: Uint8Array): Signed<T> {
  const what = `records.${shape.kind}`;
  if (given.length > limits.records.recordBytesMax) {
    throw new HiveError("Corrupt", what, `${given.length} bytes`);
  }
  // A copy of our own: fields are views of it, and the caller's buffer may be used again.
  const bytes = Buffer.from(given);
  const { body, signature } = openEnvelope(bytes, what);
  const record = shape.read(new Fields(decodePlain(body, what), what), hexHash(body));
  const canonical = encodePlain([encodePlain(shape.write(record)), signature]);
  if (!canonical.equals(bytes)) throw new HiveError("Corrupt", what, "not the canonical form");
  if (!isSignedBy(shape.signer(record), messageOf(shape.kind, body), signature)) {
    throw new HiveError("Corrupt", what, "the signature is wrong");
  }
  return { ...record, bytes };
}

function openEnvelope(bytes: Uint8Array, what: string): { body: Buffer; signature: Buffer } {
  const value = decodePlain(bytes, what);
  if (Array.isArray(value) && value.length === 2) {
    const [body, signature] = value;
    const right = body instanceof Uint8Array && signature instanceof Uint8Array;
    if (right && signature.length === signatureBytes) {
      return { body: asBuffer(body), signature: asBuffer(signature) };
    }
  }
  throw new HiveError("Corrupt", what, "not an envelope");
}

function messageOf(kind: string, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`hive/${kind}/1\0`), body]);
}

function hexHash(body: Uint8Array): string {
  return sha256(body).toString("hex");
}
