/**
 * X-Wing (draft-connolly-cfrg-xwing-kem-10): a key encapsulation that holds as long as either
 * X25519 or ML-KEM-768 does, through node's own crypto. Takes its randomness from the operating
 * system, since node's `encapsulate` takes none; grants are the only bytes a seed cannot replay.
 *
 *   private     32-byte seed; SHAKE256(seed, 96) = ML-KEM's d and z (64) | X25519 key (32)
 *   public      ML-KEM-768 key (1184) | X25519 key (32)
 *   ciphertext  ML-KEM-768's (1088) | ephemeral X25519 key (32)
 *   secret      SHA3-256(ML-KEM's | X25519's | ephemeral key | X25519 key | "\.//^\")
 */
import type { KeyObject } from "node:crypto";
import { createPrivateKey, createPublicKey, decapsulate, diffieHellman } from "node:crypto";
import { encapsulate, generateKeyPairSync, hash } from "node:crypto";
import { asBuffer } from "../../base/bytes.ts";
import { HiveError, assert } from "../../base/errors.ts";

const latticePublicBytes = 1184;
const latticeCiphertextBytes = 1088;
const curveBytes = 32;
export const xwingPublicBytes = latticePublicBytes + curveBytes;
export const xwingCiphertextBytes = latticeCiphertextBytes + curveBytes;

/** PKCS 8 and SubjectPublicKeyInfo (RFC 8410, RFC 9935) before the raw bytes. */
const curvePrivate = Buffer.from("302e020100300506032b656e04220420", "hex");
const curvePublic = Buffer.from("302a300506032b656e032100", "hex");
const latticePrivate = Buffer.from("3054020100300b060960864801650304040204428040", "hex");
const latticePublic = Buffer.from("308204b2300b0609608648016503040402038204a100", "hex");
const label = Buffer.from("5c2e2f2f5e5c", "hex");

export interface XWingKeys {
  readonly publicKey: Buffer;
  /** The shared secret of a ciphertext. A bent one gives another secret, or is Corrupt. */
  secretOf(ciphertext: Uint8Array): Buffer;
}

export function xwingKeysOf(seed: Uint8Array): XWingKeys {
  assert(seed.length === 32, "an X-Wing seed has 32 bytes");
  const wide = Buffer.from(hash("shake256", seed, { outputLength: 96, outputEncoding: "buffer" }));
  const lattice = privateKeyOf(latticePrivate, wide.subarray(0, 64));
  const curve = privateKeyOf(curvePrivate, wide.subarray(64));
  wide.fill(0);
  const own = rawPublic(curve, curvePublic);
  return {
    publicKey: Buffer.concat([rawPublic(lattice, latticePublic), own]),
    secretOf(ciphertext) {
      if (ciphertext.length !== xwingCiphertextBytes) throw corrupt("ciphertext");
      const [sealed, ephemeral] = halves(ciphertext, latticeCiphertextBytes);
      return combine(decapsulate(lattice, sealed), agree(curve, ephemeral), ephemeral, own);
    },
  };
}

/** A fresh secret, and what its receiver makes it of; a public key that is none is Corrupt. */
export function xwingSecretFor(publicKey: Uint8Array): { secret: Buffer; ciphertext: Buffer } {
  if (publicKey.length !== xwingPublicBytes) throw corrupt("public key");
  const [latticeKey, curveKey] = halves(publicKey, latticePublicBytes);
  const lattice = encapsulate(publicKeyOf(latticePublic, latticeKey));
  const once = generateKeyPairSync("x25519");
  const ephemeral = rawPublic(once.privateKey, curvePublic);
  const shared = agree(once.privateKey, curveKey);
  return {
    secret: combine(lattice.sharedKey, shared, ephemeral, curveKey),
    ciphertext: Buffer.concat([lattice.ciphertext, ephemeral]),
  };
}

/** In the draft's order; the lattice's ciphertext need not be hashed, ML-KEM binds it itself. */
function combine(lattice: Buffer, curve: Buffer, ephemeral: Buffer, own: Buffer): Buffer {
  return hash("sha3-256", Buffer.concat([lattice, curve, ephemeral, own, label]), "buffer");
}

/** A public key of small order, which would make a secret of zeros, is refused by OpenSSL. */
function agree(privateKey: KeyObject, raw: Uint8Array): Buffer {
  const publicKey = publicKeyOf(curvePublic, raw);
  try {
    return diffieHellman({ privateKey, publicKey });
  } catch (cause) {
    throw corrupt("X25519 key", cause);
  }
}

function privateKeyOf(prefix: Buffer, raw: Uint8Array): KeyObject {
  const der = Buffer.concat([prefix, raw]);
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  der.fill(0);
  return key;
}

function publicKeyOf(prefix: Buffer, raw: Uint8Array): KeyObject {
  try {
    return createPublicKey({ key: Buffer.concat([prefix, raw]), format: "der", type: "spki" });
  } catch (cause) {
    throw corrupt("public key", cause);
  }
}

function rawPublic(privateKey: KeyObject, prefix: Buffer): Buffer {
  const der = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  assert(der.subarray(0, prefix.length).equals(prefix));
  return Buffer.from(der.subarray(prefix.length));
}

function halves(bytes: Uint8Array, at: number): [Buffer, Buffer] {
  const whole = asBuffer(bytes);
  return [whole.subarray(0, at), whole.subarray(at)];
}

function corrupt(subject: string, cause?: unknown): HiveError {
  return new HiveError("Corrupt", "xwing.key", subject, { cause });
}
