/**
 * A 32-byte secret sealed to one person, such as a folder's epoch key. Only that person can open
 * it; it does not say who sealed it (whoever publishes a grant signs it).
 *
 *   grant   version byte 1 | suite byte 4 (X-Wing) | X-Wing ciphertext (1120) | sealed (66)
 *   sealed  = sealOnce(key, the 32 bytes), always chacha20-poly1305
 *   key     = deriveKey(X-Wing secret, "grant/seal", SHA-256(public key | all before `sealed`))
 *
 *   person/sign  label of the seed of a person's Ed25519 key, from the person's seed
 *   person/seal  label of the seed of its X-Wing key
 */
import { asBuffer } from "../../base/bytes.ts";
import { HiveError, assert } from "../../base/errors.ts";
import { openOnce, sealOnce, sealOnceOverheadBytes } from "../ciphers/aead.ts";
import { signerOf } from "../ciphers/ed25519.ts";
import { deriveKey, keyBytes } from "../ciphers/keys.ts";
import { sha256 } from "../ciphers/sha256.ts";
import { xwingCiphertextBytes, xwingKeysOf, xwingSecretFor } from "../ciphers/xwing.ts";

const version = 1;
const xwingSuite = 4;
const headBytes = 2 + xwingCiphertextBytes;
export const grantBytes = headBytes + sealOnceOverheadBytes + keyBytes;

export interface PersonKeys {
  /** Ed25519, 32 bytes: checks what this person signed. */
  readonly signPublic: Buffer;
  /** X-Wing, 1216 bytes: what `sealGrant` takes. */
  readonly sealPublic: Buffer;
  sign(message: Uint8Array): Buffer;
  /** The X-Wing secret of a ciphertext; for `openGrant`. */
  secretOf(ciphertext: Uint8Array): Buffer;
}

export function personKeysOf(seed: Uint8Array): PersonKeys {
  const signer = signerOf(deriveKey(seed, "person/sign"));
  const receiver = xwingKeysOf(deriveKey(seed, "person/seal"));
  return {
    signPublic: signer.publicKey,
    sealPublic: receiver.publicKey,
    sign: signer.sign,
    secretOf: receiver.secretOf,
  };
}

/** Corrupt when the public key is none. */
export function sealGrant(toPublic: Uint8Array, secret: Uint8Array): Buffer {
  assert(secret.length === keyBytes, "a grant holds 32 bytes");
  const { secret: shared, ciphertext } = xwingSecretFor(toPublic);
  const head = Buffer.concat([Buffer.from([version, xwingSuite]), ciphertext]);
  const key = grantKey(shared, toPublic, head);
  return Buffer.concat([head, sealOnce(key, secret, { suite: "chacha20-poly1305" })]);
}

/** Corrupt when it is bent, or sealed to somebody else. */
export function openGrant(keys: PersonKeys, sealed: Uint8Array): Buffer {
  const whole = asBuffer(sealed);
  if (whole.length !== grantBytes) throw corrupt(`length ${whole.length}`);
  if (whole[0] !== version || whole[1] !== xwingSuite) throw corrupt("version or suite");
  const head = whole.subarray(0, headBytes);
  const shared = keys.secretOf(head.subarray(2));
  return openOnce(grantKey(shared, keys.sealPublic, head), whole.subarray(headBytes));
}

function grantKey(shared: Buffer, toPublic: Uint8Array, head: Buffer): Buffer {
  return deriveKey(shared, "grant/seal", sha256(Buffer.concat([toPublic, head])));
}

function corrupt(what: string): HiveError {
  return new HiveError("Corrupt", "grants.open", what);
}
