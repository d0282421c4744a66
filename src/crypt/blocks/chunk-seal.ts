/**
 * Chunks named, keyed and sealed, or checked and opened, many in one call. Where the CPU hashes
 * several messages at once, native/seal does it; elsewhere node's OpenSSL one after another. Both
 * make the same bytes, those of keys.ts (chunkKey) and aead.ts (sealOnce).
 *
 * A seal says nothing of a part of a chunk. So native/seal also tags each leaf of ciphertext of
 * a chunk that it has had whole and right, under a key of this process; what has its tag can be
 * opened by itself (`openLeaves`). Tags stay in memory: see native/seal/leaf.h.
 */
import { asBuffer } from "../../base/bytes.ts";
import { HiveError, assert } from "../../base/errors.ts";
import { type Cid, cidOf, parseCid } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { BufferPool } from "../../base/machine/pool.ts";
import { openOnce, sealOnce, sealOnceOverheadBytes } from "../ciphers/aead.ts";
import { chunkKey, keyBytes } from "../ciphers/keys.ts";
import { type SealAddon, quickAddon } from "../ciphers/seal-addon.ts";
import { preferredSuite, suiteBytes } from "../ciphers/suite.ts";

/** What names and opens a sealed chunk. */
export interface ChunkName {
  readonly cid: Cid;
  readonly key: Buffer;
}

/** Whole leaves have one each; undefined where leaves cannot be opened by themselves. */
export type LeafTags = Buffer | undefined;

export interface NamedChunk extends ChunkName {
  readonly sealed: Buffer;
  readonly tags: LeafTags;
}

export interface OpenedChunk {
  readonly plain: Buffer;
  readonly tags: LeafTags;
}

/** Leaves side by side of a chunk, as they came back, and the tags that they had. */
export interface KeptLeaves {
  readonly key: Buffer;
  /** The number of the first one in its chunk. */
  readonly first: number;
  readonly sealed: Uint8Array;
  readonly tags: Buffer;
}

/** A named chunk as its bytes came back, from whoever kept them. */
export interface KeptChunk extends ChunkName {
  readonly sealed: Uint8Array;
  /** Where the plaintext may go, if it fits exactly. */
  readonly into?: Buffer | undefined;
}

export interface ChunkSealer {
  readonly engine: string;
  /** In the order of the plaintexts, each of 1 byte or more. */
  seal(secret: Uint8Array, plaintexts: readonly Uint8Array[]): NamedChunk[];
  /** The same on another thread where there is one; until then nobody changes a plaintext. */
  sealLater(secret: Uint8Array, plaintexts: readonly Uint8Array[]): Promise<NamedChunk[]>;
  /**
   * The plaintexts, or Corrupt when one of them is not what was sealed: by its CID too, or, where
   * who kept it need not be told apart from who damaged it, by the key and the tag alone.
   */
  open(chunks: readonly KeptChunk[], by?: "cid" | "key"): OpenedChunk[];
  /** The plaintext of these leaves; undefined when they are not those that had the tags. */
  openLeaves(leaves: KeptLeaves): Buffer | undefined;
}

/** As native/seal/leaf.h has them. */
export const leafBytes = 4096;
export const leafTagBytes = 16;

/** As native/seal/seal.h counts them. */
const batchMax = 16;
const linkBytes = 2 * keyBytes;
const verdicts = [undefined, "CID", "header", "tag"] as const;

/** As many as wait for the disk at a time, and less than that costs. */
const fullBlocks = new BufferPool({
  lengthBytes: limits.tree.chunkBytes + sealOnceOverheadBytes, countMax: 64,
});

let best: ChunkSealer | undefined;

/** The quickest of this machine. */
export function chunkSealer(): ChunkSealer {
  best ??= nativeSealer() ?? plainSealer;
  return best;
}

/** One after another through node:crypto. */
export const plainSealer: ChunkSealer = {
  engine: "node",
  seal: (secret, plaintexts) => plaintexts.map((plaintext) => {
    const key = chunkKey(secret, plaintext);
    const sealed = sealOnce(key, plaintext);
    return { cid: cidOf(sealed), key, sealed, tags: undefined };
  }),
  sealLater: async (secret, plaintexts) => plainSealer.seal(secret, plaintexts),
  open: (chunks, by = "cid") => chunks.map(({ cid, key, sealed }) => {
    if (by === "cid" && cidOf(sealed) !== cid) throw corrupt("CID", cid);
    return { plain: openOnce(key, sealed), tags: undefined };
  }),
  openLeaves: () => undefined,
};

/** Undefined where the addon was never built, or would be the slower of the two. */
export function nativeSealer(): ChunkSealer | undefined {
  const addon = quickAddon();
  if (addon === undefined) return undefined;
  return {
    engine: `native ${addon.path}`,
    seal: (secret, plaintexts) =>
      inBatches(plaintexts, (some) => {
        const room = roomFor(some);
        const { sealed, links, tags } = room;
        addon.seal(suiteBytes[preferredSuite()], secret, some, sealed, links, tags);
        return named(room);
      }),
    sealLater: async (secret, plaintexts) => {
      const batches = inBatches(plaintexts, (some) => [some]);
      const sealed = await Promise.all(batches.map(async (some) => {
        const room = roomFor(some);
        const { links, tags } = room;
        await addon.sealLater(suiteBytes[preferredSuite()], secret, some, room.sealed, links, tags);
        return named(room);
      }));
      return sealed.flat();
    },
    open: (chunks, by = "cid") =>
      inBatches(chunks, (some) => openBatch(addon, some, by === "cid")),
    openLeaves: ({ key, first, sealed, tags }) => {
      const plain = Buffer.allocUnsafeSlow(sealed.length);
      return addon.openLeaves(key, first, sealed, tags, plain) ? plain : undefined;
    },
  };
}

/** Where a batch is sealed into. */
interface Room {
  readonly sealed: readonly Buffer[];
  readonly links: Buffer;
  readonly tags: Buffer;
}

function roomFor(plaintexts: readonly Uint8Array[]): Room {
  const links = Buffer.alloc(plaintexts.length * linkBytes);
  const sealed = plaintexts.map(({ length }) => {
    const lengthBytes = length + sealOnceOverheadBytes;
    if (lengthBytes === fullBlocks.lengthBytes) return fullBlocks.take();
    return Buffer.allocUnsafeSlow(lengthBytes);
  });
  return { sealed, links, tags: tagsRoom(plaintexts) };
}

function tagsRoom(plaintexts: readonly Uint8Array[]): Buffer {
  return Buffer.allocUnsafe(plaintexts.reduce((sum, plain) => sum + tagsBytesOf(plain), 0));
}

function tagsBytesOf({ length }: Uint8Array): number {
  return Math.floor(length / leafBytes) * leafTagBytes;
}

/** A view for each chunk: its tags lie behind those of the one before. */
function tagsOf(sealed: readonly Uint8Array[], tags: Buffer): readonly LeafTags[] {
  let end = 0;
  return sealed.map((chunk) => {
    const start = end;
    end += tagsBytesOf(chunk.subarray(sealOnceOverheadBytes));
    // The other suite's stream is not one of AES, and is for machines that run no addon.
    return chunk[1] === suiteBytes["aes-256-gcm"] ? tags.subarray(start, end) : undefined;
  });
}

/** Nobody holds this sealed chunk any more: its buffer serves the next one. */
export function reuseSealed(sealed: Uint8Array): void {
  const isFull = sealed.buffer.byteLength === fullBlocks.lengthBytes;
  if (isFull && sealed.length === fullBlocks.lengthBytes) fullBlocks.give(asBuffer(sealed));
}

function named({ sealed, links, tags }: Room): NamedChunk[] {
  const tagged = tagsOf(sealed, tags);
  return sealed.map((bytes, at) => {
    const start = at * linkBytes;
    const cid = parseCid(links.toString("hex", start, start + keyBytes));
    const key = Buffer.from(links.subarray(start + keyBytes, start + linkBytes));
    return { cid, key, sealed: bytes, tags: tagged[at] };
  });
}

function openBatch(addon: SealAddon, chunks: readonly KeptChunk[], byName: boolean): OpenedChunk[] {
  const links = Buffer.alloc(chunks.length * linkBytes);
  const plaintexts = chunks.map(({ cid, key, sealed, into }, at) => {
    assert(key.length === keyBytes, "a chunk's key has 32 bytes");
    links.write(cid, at * linkBytes, "hex");
    links.set(key, at * linkBytes + keyBytes);
    const lengthBytes = sealed.length - sealOnceOverheadBytes;
    if (lengthBytes < 1) throw corrupt(`length ${sealed.length}`, cid);
    return into?.length === lengthBytes ? into : Buffer.allocUnsafeSlow(lengthBytes);
  });
  const found = Buffer.alloc(chunks.length);
  const whole = chunks.map(({ sealed }) => sealed);
  const tags = tagsRoom(plaintexts);
  addon.open(links, whole, plaintexts, found, byName, tags);
  for (const [at, verdict] of found.entries()) {
    const what = verdicts[verdict];
    if (what !== undefined) throw corrupt(what, chunks[at]?.cid ?? "");
  }
  const tagged = tagsOf(whole, tags);
  return plaintexts.map((plain, at) => ({ plain, tags: tagged[at] }));
}

function inBatches<In, Out>(
  all: readonly In[], act: (some: readonly In[]) => readonly Out[],
): Out[] {
  if (all.length <= batchMax) return all.length === 0 ? [] : [...act(all)];
  const answers: Out[] = [];
  for (let from = 0; from < all.length; from += batchMax) {
    answers.push(...act(all.slice(from, from + batchMax)));
  }
  return answers;
}

function corrupt(what: string, cid: string): HiveError {
  return new HiveError("Corrupt", "chunk.open", `${what} of ${cid}`);
}
