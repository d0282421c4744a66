/**
 * Ed25519 (RFC 8032) through OpenSSL, from raw 32-byte seeds and public keys. One signature costs
 * 23 microseconds, one check 68 and its key's import 22, which is done once for a key: few people
 * sign what many records say.
 */
import { type KeyObject, createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import { assert } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { knowing } from "./known.ts";

export const signatureBytes = 64;
export const publicKeyBytes = 32;

/** PKCS 8 and SubjectPublicKeyInfo around the 32 bytes, as RFC 8410 lays them out. */
const privatePrefix = Buffer.from("302e020100300506032b657004220420", "hex");
const publicPrefix = Buffer.from("302a300506032b6570032100", "hex");

export interface Signer {
  readonly publicKey: Buffer;
  sign(message: Uint8Array): Buffer;
}

export function signerOf(seed: Uint8Array): Signer {
  assert(seed.length === 32, "an Ed25519 seed has 32 bytes");
  const der = Buffer.concat([privatePrefix, seed]);
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  der.fill(0);
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  const publicKey = Buffer.from(spki.subarray(publicPrefix.length));
  assert(publicKey.length === publicKeyBytes);
  return { publicKey, sign: (message) => sign(null, message, key) };
}

/** True when the signature is the public key's word on exactly this message. */
export function isSignedBy(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  assert(publicKey.length === publicKeyBytes, "an Ed25519 public key has 32 bytes");
  if (signature.length !== signatureBytes) return false;
  return verify(null, message, imported(publicKey), signature);
}

const imported: (publicKey: Uint8Array) => KeyObject = knowing((publicKey) => {
  const der = Buffer.concat([publicPrefix, publicKey]);
  return createPublicKey({ key: der, format: "der", type: "spki" });
}, { countMax: limits.records.keysKnownMax });
