/**
 * Writing: bytes go into dirty chunks in memory. A chunk that a writer has filled is sealed and
 * handed to the store at once; when dirty bytes pass their bound, the chunk longest untouched is.
 * Nothing here is published: see flush.ts.
 */
import { HiveError, assert } from "../base/errors.ts";
import type { Cid } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Maybe } from "../base/step.ts";
import type { ChunkLink } from "../dag/chunks.ts";
import { Wanted } from "./attempt.ts";
import { type Piece, cleanChunk, linkAt, piecesOf } from "./content.ts";
import { type DirtyChunk, type Live, type Node, allocatedFor } from "./nodes.ts";
import { addSpan, addSpans } from "./spans.ts";
import type { State } from "./state.ts";

const { chunkBytes, inlineBytesMax, fileBytesMax } = limits.tree;
const smallestBytes = 4096;

/** Buffers of full chunks, used again: a fresh one costs as much as filling it. */
const pool: Buffer[] = [];
const pooledMax = 32;

/** Puts the bytes into the file. Throws Wanted before it has changed anything. */
export function writeRange(
  state: State,
  node: Node,
  offsetBytes: number,
  bytes: Uint8Array,
): Maybe<number> {
  state.mayChange();
  if (bytes.length === 0) return 0;
  const end = offsetBytes + bytes.length;
  if (end > fileBytesMax) throw new HiveError("TooLarge", "tree.write", String(end));
  if (state.blocks.isStuck) forgetUnlinked(state);
  // There may be room again since: what was refused goes first.
  if (state.blocks.isStuck) throw new Wanted(() => state.blocks.retryRefused());
  const pieces = piecesOf({ offsetBytes, lengthBytes: bytes.length });
  const replaced = pieces.map((piece) => lookUnder(state, node, piece));
  const live = liveOf(state, node);
  const full = pieces.map((piece, at) => {
    const from = piece.index * chunkBytes + piece.start - offsetBytes;
    const part = bytes.subarray(from, from + piece.end - piece.start);
    return writePiece(state, node, piece, { part, under: replaced[at] as Under });
  });
  const arrivals = seal(state, full.filter((one) => one !== undefined));
  if (end > inlineBytesMax) outgrowInline(state, node, live);
  const now = state.now();
  const sizeBytes = Math.max(node.inode.sizeBytes, end);
  node.inode = { ...node.inode, sizeBytes, mtime: now, ctime: now };
  arrivals.push(...sealOldest(state));
  return allArrived(arrivals, bytes.length);
}

function allArrived(arrivals: readonly Maybe<void>[], count: number): Maybe<number> {
  const waiting = arrivals.filter((arrival) => arrival !== undefined);
  return waiting.length === 0 ? count : Promise.all(waiting).then(() => count);
}

/** What lies where a piece goes: what it takes on disk, and its bytes if some of them stay. */
interface Under {
  readonly replacedBytes: number;
  readonly bytes: Buffer | undefined;
}

function lookUnder(state: State, node: Node, piece: Piece): Under {
  if (node.live?.dirty.has(piece.index) === true) return { replacedBytes: 0, bytes: undefined };
  const replacedBytes = replacedAt(state, node, piece.index);
  const whole = piece.start === 0 && piece.end === chunkBytes;
  return { replacedBytes, bytes: whole ? undefined : cleanChunk(state, node, piece.index) };
}

function replacedAt(state: State, node: Node, index: number): number {
  const link = linkAt(state, node, index);
  return link === undefined ? 0 : allocatedFor(link.lengthBytes);
}

/** What nobody will write to for now: bytes to seal, and what becomes of their link. */
interface Ready {
  readonly bytes: Uint8Array;
  readonly linked: (link: ChunkLink) => void;
}

/** The chunk, if this piece has filled it. */
function writePiece(
  state: State,
  node: Node,
  piece: Piece,
  { part, under }: { readonly part: Uint8Array; readonly under: Under },
): Ready | undefined {
  const live = node.live as Live;
  const known = live.dirty.get(piece.index);
  if (known === undefined && part.length === chunkBytes) {
    const { replacedBytes } = under;
    const chunk = { index: piece.index, replacedBytes };
    return { bytes: part, linked: (link) => keepLink(live, chunk, link) };
  }
  const chunk = known ?? newDirty(state, node, piece.index, under);
  fill(state, chunk, piece.start, part);
  return isFull(chunk, piece) ? readyOf(state, chunk) : undefined;
}

function readyOf(state: State, chunk: DirtyChunk): Ready {
  const { live } = chunk.node;
  assert(live !== undefined && live.dirty.get(chunk.index) === chunk);
  const linked = (link: ChunkLink): void => {
    keepLink(live, chunk, link);
    forgetDirty(state, chunk);
  };
  return { bytes: chunk.buffer.subarray(0, chunk.lengthBytes), linked };
}

function keepLink(
  live: Live,
  { index, replacedBytes }: Pick<DirtyChunk, "index" | "replacedBytes">,
  link: ChunkLink,
): void {
  live.allocatedBytes += allocatedFor(link.lengthBytes) - replacedBytes;
  live.links.set(index, link);
}

/** Seals together what is ready; each link is there to read at once. */
function seal(state: State, ready: readonly Ready[]): Maybe<void>[] {
  if (ready.length === 0) return [];
  const handed = state.blocks.putChunks(ready.map(({ bytes }) => bytes));
  return handed.map(({ link, arrival }, at) => {
    ready[at]?.linked(link);
    return arrival;
  });
}

/** The writer has gone through the chunk and moves on. */
function isFull(chunk: DirtyChunk, piece: Piece): boolean {
  if (piece.end < chunkBytes) return false;
  const [first] = addSpans(chunk.promised, chunk.fresh);
  return first !== undefined && first[0] === 0 && first[1] === chunkBytes;
}

/** The file's unpublished state, begun if it has none. */
export function liveOf(state: State, node: Node): Live {
  if (node.live !== undefined) return node.live;
  const { sizeBytes, content } = node.inode;
  const allocatedBytes = content.kind === "chunks" ? content.allocatedBytes : 0;
  const published = { sizeBytes, content };
  const live: Live = {
    published,
    dirty: new Map(),
    links: new Map(),
    allocatedBytes,
    promised: false,
    captures: 0,
    publishedCapture: 0,
  };
  node.live = live;
  state.liveFiles.add(node);
  state.changed();
  return live;
}

function newDirty(state: State, node: Node, index: number, under: Under): DirtyChunk {
  const { bytes, replacedBytes } = under;
  const lengthBytes = bytes?.length ?? 0;
  const buffer = takeBuffer(Math.max(smallestBytes, lengthBytes));
  if (bytes !== undefined) buffer.set(bytes);
  const chunk = { node, index, buffer, lengthBytes, replacedBytes, fresh: [], promised: [] };
  state.dirtyBytes += buffer.length;
  (node.live as Live).dirty.set(index, chunk);
  state.dirtyChunks.add(chunk);
  return chunk;
}

function fill(state: State, chunk: DirtyChunk, start: number, part: Uint8Array): void {
  const end = start + part.length;
  if (end > chunk.buffer.length) grow(state, chunk, end);
  if (start > chunk.lengthBytes) chunk.buffer.fill(0, chunk.lengthBytes, start);
  chunk.buffer.set(part, start);
  chunk.lengthBytes = Math.max(chunk.lengthBytes, end);
  chunk.fresh = addSpan(chunk.fresh, [start, end]);
  state.dirtyChunks.delete(chunk);
  state.dirtyChunks.add(chunk);
}

function grow(state: State, chunk: DirtyChunk, needed: number): void {
  const grown = takeBuffer(needed);
  chunk.buffer.copy(grown, 0, 0, chunk.lengthBytes);
  state.dirtyBytes += grown.length - chunk.buffer.length;
  giveBuffer(chunk.buffer);
  chunk.buffer = grown;
}

function takeBuffer(needed: number): Buffer {
  let size = smallestBytes;
  while (size < needed) size *= 4;
  if (size < chunkBytes) return Buffer.allocUnsafe(size);
  return pool.pop() ?? Buffer.allocUnsafeSlow(chunkBytes);
}

function giveBuffer(buffer: Buffer): void {
  if (buffer.length === chunkBytes && pool.length < pooledMax) pool.push(buffer);
}

/** A file that grows past inline takes its first bytes along as a chunk. */
function outgrowInline(state: State, node: Node, live: Live): void {
  const { content } = node.inode;
  if (content.kind !== "inline" || content.bytes.length === 0) return;
  if (live.dirty.has(0) || live.links.has(0)) return;
  const chunk = newDirty(state, node, 0, { replacedBytes: 0, bytes: content.bytes });
  chunk.fresh = [[0, content.bytes.length]];
}

/** Seals dirty chunks and lets go of their memory; their links are there to read at once. */
export function sealDirty(state: State, chunks: readonly DirtyChunk[]): Maybe<void>[] {
  return seal(state, chunks.map((chunk) => readyOf(state, chunk)));
}

export function forgetDirty(state: State, chunk: DirtyChunk): void {
  chunk.node.live?.dirty.delete(chunk.index);
  state.dirtyChunks.delete(chunk);
  state.dirtyBytes -= chunk.buffer.length;
  giveBuffer(chunk.buffer);
}

/** Refused chunks of files that are gone or were cut: they need no room any more. */
export function forgetUnlinked(state: State): void {
  const refused = state.blocks.refusedChunks();
  if (refused.length === 0) return;
  const linked = new Set<Cid>();
  for (const { live } of state.liveFiles) {
    for (const { cid } of live?.links.values() ?? []) linked.add(cid);
  }
  for (const cid of refused) if (!linked.has(cid)) state.blocks.forget(cid);
}

/** Brings dirty bytes back under their bound. */
function sealOldest(state: State): Maybe<void>[] {
  let overBytes = state.dirtyBytes - limits.tree.dirtyBytesMax;
  const oldest: DirtyChunk[] = [];
  for (const chunk of state.dirtyChunks) {
    if (overBytes <= 0) break;
    overBytes -= chunk.buffer.length;
    oldest.push(chunk);
  }
  return sealDirty(state, oldest);
}

/** Forgets unpublished data: the file was emptied or is gone. */
export function dropWrites(state: State, node: Node): void {
  const { live } = node;
  if (live === undefined) return;
  for (const chunk of [...live.dirty.values()]) forgetDirty(state, chunk);
  node.live = undefined;
  state.liveFiles.delete(node);
}

/** What a journal holds of a file's bytes goes back into dirty chunks. */
export function replayData(state: State, node: Node, offsetBytes: number, bytes: Buffer): void {
  const pieces = piecesOf({ offsetBytes, lengthBytes: bytes.length });
  const unders = pieces.map((piece) => lookUnder(state, node, piece));
  const live = liveOf(state, node);
  live.promised = true;
  pieces.forEach((piece, at) => {
    const known = live.dirty.get(piece.index);
    const chunk = known ?? newDirty(state, node, piece.index, unders[at] as Under);
    const from = piece.index * chunkBytes + piece.start - offsetBytes;
    fill(state, chunk, piece.start, bytes.subarray(from, from + piece.end - piece.start));
  });
}
