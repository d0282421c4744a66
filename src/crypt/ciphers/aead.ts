/**
 * Sealed bytes: what stands on disk and on other people's machines. A seal is checked whole before
 * a byte of it is given out, and anything wrong with it is Corrupt.
 *
 *   header     version byte 1 | suite byte (suite.ts) | 16-byte key commitment
 *   sealOnce   header | ciphertext, as long as the plaintext | 16-byte tag
 *              the nonce is 12 zero bytes, the additional data is the header
 *   sealRecord header | 24-byte random nonce | ciphertext | 16-byte tag
 *              the additional data is the header, then the caller's own
 *
 *   commitment = the first 16 bytes of HMAC-SHA-256(key, "hive commit v1" || nonce of a record)
 *
 * The commitment binds the key: neither cipher does by itself, and a sealed chunk could otherwise
 * be made that opens differently under two keys. It takes in the record's nonce, so that holders
 * cannot tell which records share a key. Never seals twice under one key with `sealOnce`: its key
 * comes from the plaintext (keys.ts, chunkKey).
 */
import { createSecretKey, timingSafeEqual } from "node:crypto";
import { asBuffer } from "../../base/bytes.ts";
import { HiveError, assert } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Random } from "../../base/random.ts";
import { hchacha20 } from "./hchacha.ts";
import { keyBytes } from "./keys.ts";
import { quickAddon } from "./seal-addon.ts";
import { hmacSha256 } from "./sha256.ts";
import { type Suite, cipherOf, decipherOf, preferredSuite } from "./suite.ts";
import { suiteBytes, tagBytes } from "./suite.ts";

export { type Suite, preferredSuite } from "./suite.ts";

const version = 1;
const commitmentBytes = 16;
const headerBytes = 2 + commitmentBytes;
const recordNonceBytes = 24;
const commitLabel = Buffer.from("hive commit v1");
const zeroNonce = Buffer.alloc(12);
const nothing = Buffer.alloc(0);

/** What comes before the ciphertext. */
export const sealOnceHeaderBytes = headerBytes;

/** How much longer the sealed form is. */
export const sealOnceOverheadBytes = headerBytes + tagBytes;
export const sealRecordOverheadBytes = headerBytes + recordNonceBytes + tagBytes;

/** Seals under a key that seals nothing else, ever. The same input gives the same bytes. */
export function sealOnce(
  key: Uint8Array,
  plaintext: Uint8Array,
  options: { readonly suite?: Suite } = {},
): Buffer {
  const suite = options.suite ?? preferredSuite();
  const sealed = newSealed(key, plaintext, suiteBytes[suite], nothing);
  const parts = { suite, key, nonce: zeroNonce, additional: sealed.subarray(0, headerBytes) };
  encryptInto(sealed, headerBytes, parts, plaintext);
  return sealed;
}

/** The plaintext of `sealOnce`, whichever suite it names; else Corrupt. */
export function openOnce(key: Uint8Array, sealed: Uint8Array): Buffer {
  const whole = checkSealed(key, sealed, 0);
  const suite = onceSuiteOf(whole[1] as number);
  const additional = whole.subarray(0, headerBytes);
  return decrypt(whole.subarray(headerBytes), { suite, key, nonce: zeroNonce, additional });
}

/** Seals under a key that may seal many records; `aad` must be given again to open. */
export function sealRecord(
  key: Uint8Array,
  plaintext: Uint8Array,
  random: Random,
  aad: Uint8Array = nothing,
): Buffer {
  const nonce = random.bytes(recordNonceBytes);
  assert(nonce.length === recordNonceBytes);
  return recordSealer().seal(key, plaintext, nonce, aad);
}

/** The plaintext of `sealRecord` under the same key and additional data; else Corrupt. */
export function openRecord(
  key: Uint8Array,
  sealed: Uint8Array,
  aad: Uint8Array = nothing,
): Buffer {
  return recordSealer().open(key, sealed, aad);
}

/** Both make the same bytes, and refuse the same. */
export interface RecordSealer {
  seal(key: Uint8Array, plaintext: Uint8Array, nonce: Buffer, aad: Uint8Array): Buffer;
  open(key: Uint8Array, sealed: Uint8Array, aad: Uint8Array): Buffer;
}

let best: RecordSealer | undefined;

function recordSealer(): RecordSealer {
  best ??= nativeRecords() ?? plainRecords;
  return best;
}

/** By node's objects, of which each record takes several. */
export const plainRecords: RecordSealer = {
  seal(key, plaintext, nonce, aad) {
    const sealed = newSealed(key, plaintext, suiteBytes["xchacha20-poly1305"], nonce);
    const parts = recordParts(key, sealed, aad);
    encryptInto(sealed, headerBytes + recordNonceBytes, parts, plaintext);
    return sealed;
  },
  open(key, sealed, aad) {
    const whole = checkSealed(key, sealed, recordNonceBytes);
    if (whole[1] !== suiteBytes["xchacha20-poly1305"]) throw corrupt("suite");
    const parts = recordParts(key, whole, aad);
    return decrypt(whole.subarray(headerBytes + recordNonceBytes), parts);
  },
};

/** In one call; undefined where native/seal is not the quicker way. */
export function nativeRecords(): RecordSealer | undefined {
  const addon = quickAddon();
  if (addon === undefined) return undefined;
  const { sealRecord: seal, openRecord: open } = addon;
  return {
    seal(key, plaintext, nonce, aad) {
      const sealed = roomFor(key, plaintext, recordNonceBytes);
      seal(key, nonce, aad, plaintext, sealed);
      return sealed;
    },
    open(key, sealed, aad) {
      const plaintext = Buffer.allocUnsafeSlow(textBytesOf(key, sealed, recordNonceBytes));
      const wrong = open(key, aad, sealed, plaintext);
      if (wrong !== 0) throw corrupt("record");
      return plaintext;
    },
  };
}

interface CipherParts {
  readonly suite: Suite;
  readonly key: Uint8Array;
  readonly nonce: Buffer;
  readonly additional: Buffer;
}

/** XChaCha20-Poly1305 is ChaCha20-Poly1305 under a subkey, with the nonce's last 8 bytes. */
function recordParts(key: Uint8Array, sealed: Buffer, aad: Uint8Array): CipherParts {
  const long = sealed.subarray(headerBytes, headerBytes + recordNonceBytes);
  const nonce = Buffer.alloc(12);
  long.copy(nonce, 4, 16);
  const header = sealed.subarray(0, headerBytes);
  return {
    suite: "chacha20-poly1305",
    key: hchacha20(asBuffer(key), long.subarray(0, 16)),
    nonce,
    additional: aad.length === 0 ? header : Buffer.concat([header, aad]),
  };
}

/** For the whole sealed form. */
function roomFor(key: Uint8Array, plaintext: Uint8Array, nonceBytes: number): Buffer {
  assert(key.length === keyBytes, "a sealing key has 32 bytes");
  const length = headerBytes + nonceBytes + plaintext.length + tagBytes;
  assert(length <= limits.crypt.sealedBytesMax, "a plaintext within the limit");
  return Buffer.allocUnsafeSlow(length);
}

/** The whole sealed buffer, with header and nonce in place and room for the rest. */
function newSealed(key: Uint8Array, plaintext: Uint8Array, suite: number, nonce: Buffer): Buffer {
  const sealed = roomFor(key, plaintext, nonce.length);
  sealed[0] = version;
  sealed[1] = suite;
  hmacSha256(key, commitLabel, nonce).copy(sealed, 2, 0, commitmentBytes);
  sealed.set(nonce, headerBytes);
  return sealed;
}

/** How long the plaintext is, if that is possible. */
function textBytesOf(key: Uint8Array, { length }: Uint8Array, nonceBytes: number): number {
  assert(key.length === keyBytes, "a sealing key has 32 bytes");
  const least = headerBytes + nonceBytes + tagBytes;
  if (length >= least && length <= limits.crypt.sealedBytesMax) return length - least;
  throw corrupt(`length ${length}`);
}

/** Length, version and commitment are right: this key sealed it, or somebody copied its header. */
function checkSealed(key: Uint8Array, sealed: Uint8Array, nonceBytes: number): Buffer {
  textBytesOf(key, sealed, nonceBytes);
  const whole = asBuffer(sealed);
  if (whole[0] !== version) throw corrupt(`version ${whole[0]}`);
  const nonce = whole.subarray(headerBytes, headerBytes + nonceBytes);
  const expected = hmacSha256(key, commitLabel, nonce).subarray(0, commitmentBytes);
  if (timingSafeEqual(whole.subarray(2, headerBytes), expected)) return whole;
  throw corrupt("key commitment");
}

function onceSuiteOf(byte: number): Suite {
  if (byte === suiteBytes["aes-256-gcm"]) return "aes-256-gcm";
  if (byte === suiteBytes["chacha20-poly1305"]) return "chacha20-poly1305";
  throw corrupt(`suite ${byte}`);
}

/** A fresh KeyObject and all costs 4 microseconds; a raw key in createCipheriv costs 11. */
function encryptInto(
  sealed: Buffer,
  start: number,
  { suite, key, nonce, additional }: CipherParts,
  plaintext: Uint8Array,
): void {
  const cipher = cipherOf(suite, createSecretKey(key), nonce);
  cipher.setAAD(additional, { plaintextLength: plaintext.length });
  const body = cipher.update(plaintext);
  assert(body.length === plaintext.length && cipher.final().length === 0);
  sealed.set(body, start);
  sealed.set(cipher.getAuthTag(), start + body.length);
}

function decrypt(body: Buffer, { suite, key, nonce, additional }: CipherParts): Buffer {
  const end = body.length - tagBytes;
  const decipher = decipherOf(suite, createSecretKey(key), nonce);
  decipher.setAuthTag(body.subarray(end));
  decipher.setAAD(additional, { plaintextLength: end });
  const plaintext = decipher.update(body.subarray(0, end));
  try {
    decipher.final();
  } catch {
    plaintext.fill(0);
    throw corrupt("tag");
  }
  return plaintext;
}

function corrupt(what: string): HiveError {
  return new HiveError("Corrupt", "aead.open", what);
}
