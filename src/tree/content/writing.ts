/**
 * Writing: bytes go over what the file holds, in memory. A chunk that a writer has filled is sealed
 * and handed to the store; when unsealed bytes pass their bound, the chunk longest untouched is.
 * Nothing here is published: see flush.ts.
 */
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Maybe } from "../../base/step.ts";
import { inodeWith } from "../../dag/inodes.ts";
import { type ChunkLink, isLost } from "../../dag/chunks.ts";
import { Wanted } from "../attempt.ts";
import { type Piece, lacksBelow, linkAt, piecesOf } from "../looking/content.ts";
import { DirtyChunk } from "../state/dirty.ts";
import type { Live, Node } from "../state/nodes.ts";
import type { State } from "../state/state.ts";
import { lacksMuch } from "./bringing.ts";
import { relieve } from "./relieving.ts";
import { type ChunkMoment, arrived, counted, forgetUnlinked, momentsOf, seal, sealChunks }
  from "./sealing.ts";

const { chunkBytes, inlineBytesMax, fileBytesMax } = limits.tree;

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
  const unders = pieces.map((piece) => lookUnder(state, node, piece));
  pieces.forEach((piece, at) => mayGoOver(state, node, piece, unders[at] as Under));
  const live = liveOf(state, node);
  const full = pieces.flatMap((piece, at) => {
    const part = partOf(bytes, piece, offsetBytes);
    return writePiece(state, node, piece, { part, under: unders[at] as Under });
  });
  if (end > inlineBytesMax) outgrowInline(state, node, live);
  const now = state.now();
  const sizeBytes = Math.max(node.inode.sizeBytes, end);
  node.inode = inodeWith(node.inode, { sizeBytes, mtime: now, ctime: now });
  return roomFor(state, full, bytes.length);
}

function partOf(bytes: Uint8Array, piece: Piece, offsetBytes: number): Uint8Array {
  const from = piece.index * chunkBytes + piece.start - offsetBytes;
  return bytes.subarray(from, from + piece.end - piece.start);
}

/** Seals what is full and what is too much; the writer waits until there is room for it. */
function roomFor(state: State, full: readonly ChunkMoment[], count: number): Maybe<number> {
  const handed = seal(state, full);
  const relieved = relieve(state);
  if (handed instanceof Promise) return bothEnded([handed.then(arrived), relieved], count);
  const waiting = [arrived(handed), relieved].filter((one) => one !== undefined);
  return waiting.length === 0 ? count : Promise.all(waiting).then(() => count);
}

/** Not before the sealing is over, whatever fails: it reads the request's bytes. */
async function bothEnded(works: readonly Maybe<void>[], count: number): Promise<number> {
  const ends = await Promise.allSettled(works);
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  return count;
}

/** What lies where a piece goes. */
interface Under {
  readonly below: ChunkLink | undefined;
  /** What is so short that it lies in the inode. */
  readonly inline: Buffer | undefined;
}

const nothingUnder: Under = { below: undefined, inline: undefined };

function lookUnder(state: State, node: Node, { index }: Piece): Under {
  if (node.live?.dirty.has(index) === true) return nothingUnder;
  const below = linkAt(state, node, index);
  if (below !== undefined) return { ...nothingUnder, below };
  const { content } = node.inode;
  if (content.kind !== "inline" || index > 0 || content.bytes.length === 0) return nothingUnder;
  return { ...nothingUnder, inline: content.bytes };
}

/**
 * Throws Wanted where a piece has to wait. What stays of an absent chunk does not hold a writer up:
 * it is brought before the chunk is sealed (bringing.ts), unless too much waits for that already.
 * Of a lost one nothing can stay.
 */
function mayGoOver(
  state: State, node: Node, { index, start, end }: Piece, under: Under,
): void {
  const known = node.live?.dirty.get(index);
  if (known?.isCrowded === true) throw new Wanted(() => sealChunks(state, [known]));
  const below = known?.below ?? under.below;
  if (below === undefined || state.blocks.has(below.cid)) return;
  const stays = start > 0 || end < below.lengthBytes;
  const isMore = known === undefined || (lacksBelow(state, known) && !known.top.covers(start, end));
  if (stays && isMore && (isLost(below) || lacksMuch(state))) state.blocks.chunk(below);
}

/** The chunk's moment, if this piece has filled it. */
function writePiece(
  state: State,
  node: Node,
  piece: Piece,
  { part, under }: { readonly part: Uint8Array; readonly under: Under },
): ChunkMoment[] {
  const live = node.live as Live;
  const known = live.dirty.get(piece.index);
  if (known === undefined && part.length === chunkBytes) {
    // Sealed right out of the request, which stays until this write is answered.
    const chunk = newDirty(state, node, piece.index, { ...under, inline: undefined });
    chunk.fresh = [[0, chunkBytes]];
    live.news.add(chunk);
    return [{ chunk, bytes: part, buffer: undefined }];
  }
  const chunk = known ?? newDirty(state, node, piece.index, under);
  fill(state, chunk, piece.start, part);
  return isFull(chunk, piece) ? momentsOf(state, [chunk]) : [];
}

/** The writer has gone through the chunk and moves on. */
function isFull(chunk: DirtyChunk, piece: Piece): boolean {
  return piece.end === chunkBytes && chunk.top.covers(0, chunkBytes);
}

/** The file's unpublished state, begun if it has none. */
function liveOf(state: State, node: Node): Live {
  if (node.live !== undefined) return node.live;
  const { sizeBytes, content } = node.inode;
  const allocatedBytes = content.kind === "chunks" ? content.allocatedBytes : 0;
  const published = { sizeBytes, content };
  const live: Live = {
    published,
    dirty: new Map(),
    news: new Set(),
    links: new Map(),
    over: new Map(),
    slot: undefined,
    era: state.eras.now,
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
  const sinceMs = state.needs.clock.monotonicMs();
  const chunk = new DirtyChunk({ node, index, sinceMs }, under.below);
  (node.live as Live).dirty.set(index, chunk);
  state.dirtyChunks.add(chunk);
  const { inline } = under;
  if (inline !== undefined) counted(state, chunk, () => chunk.top.write(0, inline));
  return chunk;
}

function fill(state: State, chunk: DirtyChunk, start: number, part: Uint8Array): void {
  counted(state, chunk, () => chunk.write(start, part));
  chunk.node.live?.news.add(chunk);
  state.dirtyChunks.delete(chunk);
  state.dirtyChunks.add(chunk);
}

/** A file that grows past inline takes its first bytes along as a chunk. */
function outgrowInline(state: State, node: Node, live: Live): void {
  const { content } = node.inode;
  if (content.kind !== "inline" || content.bytes.length === 0) return;
  if (live.dirty.has(0) || live.links.has(0)) return;
  const chunk = newDirty(state, node, 0, { ...nothingUnder, inline: content.bytes });
  chunk.fresh = [[0, content.bytes.length]];
  live.news.add(chunk);
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
    fill(state, chunk, piece.start, partOf(bytes, piece, offsetBytes));
  });
}
