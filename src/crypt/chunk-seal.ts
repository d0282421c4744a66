/**
 * Chunks named, keyed and sealed, or checked and opened, many in one call. Where the CPU hashes
 * several messages at once, native/seal does it; elsewhere node's OpenSSL one after another. Both
 * make the same bytes, those of keys.ts (chunkKey) and aead.ts (sealOnce).
 */
import { asBuffer } from "../base/bytes.ts";
import { HiveError, assert } from "../base/errors.ts";
import { type Cid, cidOf, parseCid } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { loadAddon } from "../base/native.ts";
import { BufferPool } from "../base/pool.ts";
import { openOnce, sealOnce, sealOnceOverheadBytes } from "./aead.ts";
import { chunkKey, keyBytes } from "./keys.ts";
import { preferredSuite, suiteBytes } from "./suite.ts";

/** What names and opens a sealed chunk. */
export interface ChunkName {
  readonly cid: Cid;
  readonly key: Buffer;
}

export interface NamedChunk extends ChunkName {
  readonly sealed: Buffer;
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
  open(chunks: readonly KeptChunk[], by?: "cid" | "key"): Buffer[];
}

/** What native/seal/addon.c exports; it checks every argument itself. */
interface SealAddon {
  /** "sha-ni" or "scalar"; empty when this node has no OpenSSL to lend. */
  readonly path: string;
  seal(
    suite: number, secret: Uint8Array, plains: readonly Uint8Array[],
    sealed: readonly Uint8Array[], links: Uint8Array,
  ): void;
  sealLater(
    suite: number, secret: Uint8Array, plains: readonly Uint8Array[],
    sealed: readonly Uint8Array[], links: Uint8Array,
  ): Promise<void>;
  open(
    links: Uint8Array, sealed: readonly Uint8Array[], plains: readonly Uint8Array[],
    verdicts: Uint8Array, byName: boolean,
  ): void;
}

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
    return { cid: cidOf(sealed), key, sealed };
  }),
  sealLater: async (secret, plaintexts) => plainSealer.seal(secret, plaintexts),
  open: (chunks, by = "cid") => chunks.map(({ cid, key, sealed }) => {
    if (by === "cid" && cidOf(sealed) !== cid) throw corrupt("CID", cid);
    return openOnce(key, sealed);
  }),
};

/** Undefined where the addon was never built, or would be the slower of the two. */
export function nativeSealer(): ChunkSealer | undefined {
  const addon = loadAddon("seal", parseAddon);
  if (addon === undefined || addon.path !== "sha-ni") return undefined;
  return {
    engine: `native ${addon.path}`,
    seal: (secret, plaintexts) =>
      inBatches(plaintexts, (some) => {
        const room = roomFor(some);
        addon.seal(suiteBytes[preferredSuite()], secret, some, room.sealed, room.links);
        return named(room);
      }),
    sealLater: async (secret, plaintexts) => {
      const batches = inBatches(plaintexts, (some) => [some]);
      const sealed = await Promise.all(batches.map(async (some) => {
        const room = roomFor(some);
        await addon.sealLater(suiteBytes[preferredSuite()], secret, some, room.sealed, room.links);
        return named(room);
      }));
      return sealed.flat();
    },
    open: (chunks, by = "cid") =>
      inBatches(chunks, (some) => openBatch(addon, some, by === "cid")),
  };
}

/** Where a batch is sealed into. */
interface Room {
  readonly sealed: readonly Buffer[];
  readonly links: Buffer;
}

function roomFor(plaintexts: readonly Uint8Array[]): Room {
  const links = Buffer.alloc(plaintexts.length * linkBytes);
  const sealed = plaintexts.map(({ length }) => {
    const lengthBytes = length + sealOnceOverheadBytes;
    if (lengthBytes === fullBlocks.lengthBytes) return fullBlocks.take();
    return Buffer.allocUnsafeSlow(lengthBytes);
  });
  return { sealed, links };
}

/** Nobody holds this sealed chunk any more: its buffer serves the next one. */
export function reuseSealed(sealed: Uint8Array): void {
  const isFull = sealed.buffer.byteLength === fullBlocks.lengthBytes;
  if (isFull && sealed.length === fullBlocks.lengthBytes) fullBlocks.give(asBuffer(sealed));
}

function named({ sealed, links }: Room): NamedChunk[] {
  return sealed.map((bytes, at) => {
    const start = at * linkBytes;
    const cid = parseCid(links.toString("hex", start, start + keyBytes));
    const key = Buffer.from(links.subarray(start + keyBytes, start + linkBytes));
    return { cid, key, sealed: bytes };
  });
}

function openBatch(addon: SealAddon, chunks: readonly KeptChunk[], byName: boolean): Buffer[] {
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
  addon.open(links, chunks.map(({ sealed }) => sealed), plaintexts, found, byName);
  for (const [at, verdict] of found.entries()) {
    const what = verdicts[verdict];
    if (what !== undefined) throw corrupt(what, chunks[at]?.cid ?? "");
  }
  return plaintexts;
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

function parseAddon(exports: unknown): SealAddon {
  const addon = exports as Partial<SealAddon> | null;
  const sound = typeof addon?.seal === "function" && typeof addon.open === "function" &&
    typeof addon.sealLater === "function" && typeof addon.path === "string";
  if (!sound) throw new HiveError("Corrupt", "crypt.load", "seal is another addon");
  return addon as SealAddon;
}

function corrupt(what: string, cid: string): HiveError {
  return new HiveError("Corrupt", "chunk.open", `${what} of ${cid}`);
}
