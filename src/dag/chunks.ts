/**
 * A chunk of a file as a sealed block, and the link that names and opens it. No I/O. For parts of
 * a chunk see leaves.ts.
 *
 * The key comes from the secret and the plaintext (crypt/ciphers/keys.ts): the same chunk sealed
 * again makes the same block, so a flush repeated after a crash costs nothing and copies are free.
 *
 *   link    varint length of the plaintext | 32 bytes SHA-256 of the block | 32 bytes key
 *   block   sealOnce(key, plaintext and zeros up to a step of sizes.ts)
 *
 * A link may tell less than its block holds (a file cut short): the rest does not count. A link
 * whose name and key are zeros stands for a chunk that is lost: it can be read no more, and what
 * is lost must not look like zeros.
 */
import { Reader, Writer } from "../base/bytes.ts";
import { HiveError, assert } from "../base/errors.ts";
import { type Cid, parseCid } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type LeafTags, type NamedChunk, chunkSealer } from "../crypt/blocks/chunk-seal.ts";
import { blockSizes, padded } from "./sizes.ts";

const keyBytes = 32;
/** No block has this name: its bytes would have to hash to zeros. */
const lostCid = parseCid("0".repeat(64));

export interface ChunkLink {
  readonly cid: Cid;
  readonly key: Buffer;
  /** Bytes of the chunk that count; behind them it reads as zeros. */
  readonly lengthBytes: number;
}

export interface SealedChunk {
  readonly link: ChunkLink;
  readonly sealed: Buffer;
  readonly tags: LeafTags;
}

export interface OpenedChunk {
  /** The bytes that count. */
  readonly plain: Buffer;
  readonly tags: LeafTags;
}

/** Seals each, 1 to chunkBytes bytes, under the key that this secret and they make. */
export function sealChunks(
  secret: Uint8Array, plaintexts: readonly Uint8Array[],
): SealedChunk[] {
  return linked(plaintexts, chunkSealer().seal(secret, plaintexts.map(padded)));
}

/** The same on another thread; until then nobody may change a plaintext. */
export async function sealChunksLater(
  secret: Uint8Array, plaintexts: readonly Uint8Array[],
): Promise<SealedChunk[]> {
  return linked(plaintexts, await chunkSealer().sealLater(secret, plaintexts.map(padded)));
}

function linked(
  plaintexts: readonly Uint8Array[], chunks: readonly NamedChunk[],
): SealedChunk[] {
  const { chunkBytes } = limits.tree;
  assert(plaintexts.every(({ length }) => length >= 1 && length <= chunkBytes));
  return chunks.map(({ cid, key, sealed, tags }, at) => {
    assert(sealed.length <= limits.dag.blockBytesMax);
    return { link: { cid, key, lengthBytes: plaintexts[at]?.length ?? 0 }, sealed, tags };
  });
}

/**
 * Anything but the very block that was linked is Corrupt; `by` its key, which nobody else has, or
 * by its name as well, which a peer may be blamed by. The plaintext lies in `into` if that has the
 * block's length less its overhead.
 */
export function openChunk(
  link: ChunkLink, sealed: Uint8Array,
  { by = "cid", into }: { readonly by?: "cid" | "key"; readonly into?: Buffer } = {},
): OpenedChunk {
  const chunk = { cid: link.cid, key: link.key, sealed, into };
  const opened = chunkSealer().open([chunk], by)[0];
  assert(opened !== undefined);
  const { plain, tags } = opened;
  if (plain.length < link.lengthBytes) throw corrupt(link, "length");
  if (!blockSizes.includes(plain.length)) throw corrupt(link, "size");
  return { plain: plain.subarray(0, link.lengthBytes), tags };
}

export { reuseSealed } from "../crypt/blocks/chunk-seal.ts";

/** In the place of a link whose block nobody has. */
export function lostLink(lengthBytes: number): ChunkLink {
  return { cid: lostCid, key: Buffer.alloc(keyBytes), lengthBytes };
}

export function isLost(link: ChunkLink): boolean {
  return link.cid === lostCid;
}

export function writeLink(writer: Writer, link: ChunkLink): void {
  writer.varint(link.lengthBytes).hex(link.cid).raw(link.key);
}

export function readLink(reader: Reader): ChunkLink {
  const lengthBytes = reader.varint();
  const right = lengthBytes >= 1 && lengthBytes <= limits.tree.chunkBytes;
  if (!right) throw reader.corrupt(`chunk of ${lengthBytes} bytes`);
  const cid = parseCid(reader.hex(32));
  return { cid, key: Buffer.from(reader.raw(keyBytes)), lengthBytes };
}

/** The value of a chunk's page entry. */
export function encodeLink(link: ChunkLink): Buffer {
  const writer = new Writer(72);
  writeLink(writer, link);
  return writer.finish();
}

export function parseLink(bytes: Uint8Array): ChunkLink {
  const reader = new Reader(bytes, "dag.link");
  const link = readLink(reader);
  reader.end();
  return link;
}

function corrupt(link: ChunkLink, what: string): HiveError {
  return new HiveError("Corrupt", "dag.openChunk", `${what} of ${link.cid}`);
}
