/**
 * The envelope of every signed record: how a body is signed, and what is checked before one is
 * believed. What the kinds of record hold is in records.ts.
 *
 *   record  = DAG-CBOR [body, signature]        two byte strings; the signature has 64 bytes
 *           | [body, signature, certificate]    signed by the device that the certificate names
 *   body    = DAG-CBOR map, canonical (keys by length, then bytes; no other form is taken)
 *   signed  = "hive/" || kind || "/1" || 0x00 || body         by Ed25519
 *
 * The kind in the signed message keeps a record of one kind from passing as another. A device that
 * was added to a drive signs with its own key, and shows by which certificate it may; whether it
 * still may is not for these bytes to tell.
 */
import { asBuffer } from "../../base/bytes.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { isSignedBy, signatureBytes } from "../ciphers/ed25519.ts";
import { sha256 } from "../ciphers/sha256.ts";
import { Fields, type Plain, decodePlain, encodePlain } from "./cbor.ts";

/** How one kind of record is written and read; `T` is the record without its bytes. */
export interface RecordShape<T> {
  readonly kind: string;
  /** The body's map. */
  write(record: T): Plain;
  /** Checks every field; `bodyHash` is the SHA-256 of the body, in hex. */
  read(fields: Fields, bodyHash: string): T;
  /** Whose Ed25519 key must have signed it. */
  signer(record: T): Uint8Array;
  /** Whom a certificate lets sign in the signer's stead; absent where nobody may. */
  deputy?(certificate: Uint8Array): Deputy;
  /** What no deputy may sign, as the signer could not outdo it any more. */
  isForSigner?(record: T): boolean;
}

/** A device that may sign for a drive. */
export interface Deputy {
  /** The key of whoever says so. */
  readonly appointedBy: Uint8Array;
  readonly peer: PeerId;
  readonly key: Uint8Array;
}

export type Signed<T> = T & {
  readonly bytes: Uint8Array;
  /** The device that signed it in the signer's stead. */
  readonly by?: PeerId;
};

/** With one key for good. */
type Sign = (message: Uint8Array) => Uint8Array;

/** Whose word each signer gives, as a signature of his that was checked has shown. */
const keysOfSigners = new WeakMap<Sign, Buffer>();

/**
 * Invalid when a field breaks the kind's own rules: what we sign must pass our own checks. The
 * certificate is that of a device that signs in the signer's stead.
 */
export function signRecord<T>(
  shape: RecordShape<T>,
  record: T,
  sign: Sign,
  certificate?: Uint8Array,
): Signed<T> {
  try {
    const body = encodePlain(shape.write(record));
    const signature = sign(messageOf(shape.kind, body));
    const made = readRecord(shape, encodePlain(envelopeOf({ body, signature }, certificate)));
    if (keysOfSigners.get(sign)?.equals(made.key) === true) return made.record;
    checkSignature(shape.kind, made);
    keysOfSigners.set(sign, Buffer.from(made.key));
    return made.record;
  } catch (cause) {
    if (!isFault(cause, "Corrupt")) throw cause;
    throw new HiveError("Invalid", "records.sign", shape.kind, { cause });
  }
}

/** The record, when its size, form, fields and signature are right; else Corrupt. */
export function parseRecord<T>(shape: RecordShape<T>, given: Uint8Array): Signed<T> {
  const told = readRecord(shape, given);
  checkSignature(shape.kind, told);
  return told.record;
}

function checkSignature(kind: string, { key, body, signature }: Unchecked<unknown>): void {
  if (isSignedBy(key, messageOf(kind, body), signature)) return;
  throw new HiveError("Corrupt", `records.${kind}`, "the signature is wrong");
}

/** All checks but that of the signature. */
function readRecord<T>(shape: RecordShape<T>, given: Uint8Array): Unchecked<T> {
  const what = `records.${shape.kind}`;
  if (given.length > limits.records.recordBytesMax) {
    throw new HiveError("Corrupt", what, `${given.length} bytes`);
  }
  // A copy of our own: fields are views of it, and the caller's buffer may be used again.
  const bytes = Buffer.from(given);
  const { body, signature, certificate } = openEnvelope(bytes, what);
  const record = shape.read(new Fields(decodePlain(body, what), what), hexHash(body));
  const written = { body: encodePlain(shape.write(record)), signature };
  const canonical = encodePlain(envelopeOf(written, certificate));
  if (!canonical.equals(bytes)) throw new HiveError("Corrupt", what, "not the canonical form");
  const deputy = certificate && deputyFor(shape, record, certificate);
  const key = deputy?.key ?? shape.signer(record);
  const by = deputy === undefined ? {} : { by: deputy.peer };
  return { record: { ...record, bytes, ...by }, key, body, signature };
}

/** The certificate must be the signer's own word. */
function deputyFor<T>(shape: RecordShape<T>, record: T, certificate: Uint8Array): Deputy {
  const deputy = shape.isForSigner?.(record) === true ? undefined : shape.deputy?.(certificate);
  if (deputy !== undefined && asBuffer(deputy.appointedBy).equals(shape.signer(record))) {
    return deputy;
  }
  throw new HiveError("Corrupt", `records.${shape.kind}`, "not for this device to sign");
}

/** A record of the right form, and whose key must have signed it. */
interface Unchecked<T> extends Envelope {
  readonly record: Signed<T>;
  readonly key: Uint8Array;
}

interface Envelope {
  readonly body: Buffer;
  readonly signature: Uint8Array;
}

function envelopeOf({ body, signature }: Envelope, certificate: Uint8Array | undefined): Plain[] {
  return certificate === undefined ? [body, signature] : [body, signature, certificate];
}

function openEnvelope(
  bytes: Uint8Array, what: string,
): Envelope & { readonly certificate: Buffer | undefined } {
  const value = decodePlain(bytes, what);
  const parts: readonly unknown[] = Array.isArray(value) ? value : [];
  const [body, signature, certificate] = parts.filter((part) => part instanceof Uint8Array);
  const isWhole = (parts.length === 2 && signature !== undefined) || certificate !== undefined;
  if (parts.length > 3 || !isWhole || signature?.length !== signatureBytes) {
    throw new HiveError("Corrupt", what, "not an envelope");
  }
  const told = certificate === undefined ? undefined : asBuffer(certificate);
  return { body: asBuffer(body as Uint8Array), signature: asBuffer(signature), certificate: told };
}

function messageOf(kind: string, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`hive/${kind}/1\0`), body]);
}

function hexHash(body: Uint8Array): string {
  return sha256(body).toString("hex");
}
