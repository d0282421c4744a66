/**
 * The ciphers that sealed bytes may name, and which of the two chunk suites this machine should
 * write. Both are read everywhere, so the choice is one of speed alone.
 *
 *   suite byte 1  aes-256-gcm         sealOnce
 *   suite byte 2  chacha20-poly1305   sealOnce
 *   suite byte 3  xchacha20-poly1305  sealRecord
 */
import type { CipherChaCha20Poly1305, CipherGCM, KeyObject } from "node:crypto";
import type { DecipherChaCha20Poly1305, DecipherGCM } from "node:crypto";
import { createCipheriv, createDecipheriv, createSecretKey } from "node:crypto";
import { assert } from "../../base/errors.ts";

export type Suite = "aes-256-gcm" | "chacha20-poly1305";

export const suiteBytes = {
  "aes-256-gcm": 1,
  "chacha20-poly1305": 2,
  "xchacha20-poly1305": 3,
} as const satisfies Record<Suite | "xchacha20-poly1305", number>;

export const tagBytes = 16;

const options = { authTagLength: tagBytes } as const;
const trialBytes = 16 * 1024;
const trials = 8;

let preferred: Suite | undefined;

/**
 * AES-256-GCM, unless ChaCha20-Poly1305 is at least twice as quick here. Node does not tell what
 * the CPU has; with AES instructions AES is 1.3 to 4 times quicker, without them (a Raspberry Pi 4)
 * ChaCha is 3 to 5 times quicker. Factor two lies so far from both that the best of a few trials,
 * in all half a millisecond once per process, answers the same on every start: a flush replayed
 * after a crash must make the same bytes.
 */
export function preferredSuite(): Suite {
  preferred ??= trialNs("chacha20-poly1305") * 2n <= trialNs("aes-256-gcm")
    ? "chacha20-poly1305"
    : "aes-256-gcm";
  return preferred;
}

/** An encryption under a 12-byte nonce. Two calls: Node's types know each cipher by itself. */
export function cipherOf(
  suite: Suite,
  key: KeyObject,
  nonce: Uint8Array,
): CipherGCM | CipherChaCha20Poly1305 {
  return suite === "aes-256-gcm"
    ? createCipheriv(suite, key, nonce, options)
    : createCipheriv(suite, key, nonce, options);
}

export function decipherOf(
  suite: Suite,
  key: KeyObject,
  nonce: Uint8Array,
): DecipherGCM | DecipherChaCha20Poly1305 {
  return suite === "aes-256-gcm"
    ? createDecipheriv(suite, key, nonce, options)
    : createDecipheriv(suite, key, nonce, options);
}

function trialNs(suite: Suite): bigint {
  const key = createSecretKey(Buffer.alloc(32));
  const nonce = Buffer.alloc(12);
  const plaintext = Buffer.alloc(trialBytes);
  let bestNs: bigint | undefined;
  for (let trial = 0; trial < trials; trial++) {
    const startNs = process.hrtime.bigint();
    const cipher = cipherOf(suite, key, nonce);
    cipher.update(plaintext);
    cipher.final();
    const spentNs = process.hrtime.bigint() - startNs;
    if (bestNs === undefined || spentNs < bestNs) bestNs = spentNs;
  }
  assert(bestNs !== undefined);
  return bestNs;
}
