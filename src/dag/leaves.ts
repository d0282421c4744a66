/**
 * Parts of a chunk: its ciphertext in leaves of 4 KiB, where they lie in the block, and how some of
 * them are opened without the rest, by the tags that this process made of them when it had the
 * whole. No I/O.
 */
import type { ByteRange } from "../base/filesystem.ts";
import { chunkSealer, leafBytes, leafTagBytes } from "../crypt/blocks/chunk-seal.ts";
import { sealOnceHeaderBytes } from "../crypt/ciphers/aead.ts";

/** Some leaves of a chunk, side by side. */
export interface Leaves {
  readonly first: number;
  readonly count: number;
}

/** What opens leaves of one chunk. */
export interface LeafKeys {
  /** The chunk's own. */
  readonly key: Buffer;
  /** Of all its leaves. */
  readonly tags: Buffer;
}

/** Those that hold these bytes of the chunk. */
export function leavesFor(start: number, end: number): Leaves {
  const first = Math.floor(start / leafBytes);
  return { first, count: Math.ceil(end / leafBytes) - first };
}

/** Of how many leaves these are the tags. */
export function leavesIn(tags: Buffer): number {
  return tags.length / leafTagBytes;
}

/** Where the first of them begins in the chunk. */
export function startOf({ first }: Leaves): number {
  return first * leafBytes;
}

/** Where they lie in the block. */
export function placeOf(leaves: Leaves): ByteRange {
  const offsetBytes = sealOnceHeaderBytes + startOf(leaves);
  return { offsetBytes, lengthBytes: leaves.count * leafBytes };
}

/** Their plaintext; undefined when these bytes are not those that had the tags. */
export function openLeaves(
  { key, tags }: LeafKeys, { first, count }: Leaves, sealed: Uint8Array,
): Buffer | undefined {
  if (sealed.length !== count * leafBytes) return undefined;
  const theirs = tags.subarray(first * leafTagBytes, (first + count) * leafTagBytes);
  return chunkSealer().openLeaves({ key, first, sealed, tags: theirs });
}
