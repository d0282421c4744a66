/**
 * Keys made from keys. Every secret of a drive is `deriveKey(parent, label)`: HMAC-SHA-256 of
 * "hive/" label 0x00 context, so that two labels never meet and no child tells of its parent.
 *
 *   derived = HMAC-SHA-256(secret, "hive/" || label || 0x00 || context)
 *   chunk   = HMAC-SHA-256(secret, "chunk" || SHA-256(plaintext))
 */
import { assert } from "../../base/errors.ts";
import { hmacSha256, sha256 } from "./sha256.ts";

export const keyBytes = 32;

const chunkLabel = Buffer.from("chunk");
const labelShape = /^[a-z0-9][a-z0-9 /-]{0,63}$/;

/** A 32-byte key for one purpose; `context` tells many of one purpose apart. */
export function deriveKey(secret: Uint8Array, label: string, context?: Uint8Array): Buffer {
  assert(labelShape.test(label), `key label ${label}`);
  const prefix = Buffer.from(`hive/${label}\0`);
  return context === undefined ? hmacSha256(secret, prefix) : hmacSha256(secret, prefix, context);
}

/** A chunk's own key: the same plaintext gives the same key, any other plaintext another one. */
export function chunkKey(secret: Uint8Array, plaintext: Uint8Array): Buffer {
  return hmacSha256(secret, chunkLabel, sha256(plaintext));
}
