/**
 * Reading what a file holds: unsealed chunks first, then sealed ones not yet published, then the
 * layers' links over the committed pages. Everything here answers at once or throws Wanted.
 */
import { HiveError } from "../../base/errors.ts";
import type { ByteRange } from "../../base/filesystem.ts";
import { limits } from "../../base/limits.ts";
import { type ChunkLink, parseLink } from "../../dag/chunks.ts";
import { fileType, typeMask } from "../../dag/inodes.ts";
import { findItem, nextItem } from "../../dag/search.ts";
import { Wanted, wantAll } from "../attempt.ts";
import type { DirtyChunk } from "../state/dirty.ts";
import type { Change } from "../state/journal.ts";
import { type Node } from "../state/nodes.ts";
import type { Span } from "../state/spans.ts";
import type { State } from "../state/state.ts";

const { chunkBytes } = limits.tree;
const zeros = Buffer.alloc(chunkBytes);
const nothing = Buffer.alloc(0);

/** A part of one chunk. */
export interface Piece {
  readonly index: number;
  /** Within the chunk. */
  readonly start: number;
  readonly end: number;
}

export interface IndexedLink {
  readonly index: number;
  readonly link: ChunkLink;
}

/** The parts of chunks that a range of the file touches. */
export function piecesOf({ offsetBytes, lengthBytes }: ByteRange): Piece[] {
  const pieces: Piece[] = [];
  const last = offsetBytes + lengthBytes;
  for (let offset = offsetBytes; offset < last; ) {
    const index = Math.floor(offset / chunkBytes);
    const start = offset - index * chunkBytes;
    const end = Math.min(chunkBytes, last - index * chunkBytes);
    pieces.push({ index, start, end });
    offset = (index + 1) * chunkBytes;
  }
  return pieces;
}

/** The chunk's link, published or not; undefined for a hole and for what is short and inline. */
export function linkAt(state: State, node: Node, index: number): ChunkLink | undefined {
  return node.live?.links.get(index) ?? publishedLink(state, node, index);
}

function publishedLink(state: State, node: Node, index: number): ChunkLink | undefined {
  // Replay meets links before the inode that says it has some: see recordInParts.
  for (const layer of [state.active, state.frozen]) {
    const changes = layer?.chunks.get(node.ino);
    const link = changes?.links.get(index);
    if (link !== undefined) return link ?? undefined;
    if (changes !== undefined && index >= changes.cutFrom) return undefined;
  }
  if (node.inode.content.kind !== "chunks") return undefined;
  const bytes = findItem(node.tree.root, index, state.blocks.pagesOf(node.tree));
  return bytes && parseLink(bytes);
}

/** The first published chunk at or after the index. */
export function nextLink(state: State, node: Node, from: number): IndexedLink | undefined {
  if (node.inode.content.kind !== "chunks") return undefined;
  const active = state.active.chunks.get(node.ino);
  const frozen = state.frozen?.chunks.get(node.ino);
  const load = state.blocks.pagesOf(node.tree);
  const frozenEnd = active?.cutFrom ?? Infinity;
  const pagesEnd = Math.min(frozenEnd, frozen?.cutFrom ?? Infinity);
  for (let index = from; ; ) {
    const changed = active?.links.next(index);
    const older = before(frozen?.links.next(index), frozenEnd);
    const kept = before(nextItem(node.tree.root, index, load), pagesEnd);
    const first = Math.min(keyOf(changed), keyOf(older), keyOf(kept));
    if (first === Infinity) return undefined;
    const known = changed?.key === first ? changed : older?.key === first ? older : undefined;
    if (known?.value) return { index: first, link: known.value };
    if (known === undefined && kept !== undefined) {
      return { index: first, link: parseLink(kept.value) };
    }
    index = first + 1;
  }
}

interface Keyed {
  readonly key: number;
}

function before<T extends Keyed>(item: T | undefined, end: number): T | undefined {
  return item !== undefined && item.key < end ? item : undefined;
}

function keyOf(item: Keyed | undefined): number {
  return item === undefined ? Infinity : item.key;
}

export function* linksFrom(state: State, node: Node, from: number): Generator<IndexedLink> {
  let found = nextLink(state, node, from);
  while (found !== undefined) {
    yield found;
    found = nextLink(state, node, found.index + 1);
  }
}

/** All of a file's published links, as a journal must tell them of a file it never met. */
export function linksToTell(state: State, node: Node): readonly Change[] {
  const { ino } = node;
  const changes: Change[] = [{ kind: "cut", ino, from: 0 }];
  for (const { index, link } of linksFrom(state, node, 0)) {
    changes.push({ kind: "chunk", ino, index, link });
  }
  return changes;
}

/** How many bytes of a chunk that is not dirty count. */
export function cleanBytes(state: State, node: Node, index: number): number {
  const link = linkAt(state, node, index);
  const { content } = node.inode;
  if (link === undefined && content.kind === "inline" && index === 0) return content.bytes.length;
  return link?.lengthBytes ?? 0;
}

/** Pieces of the file's bytes; those of dirty chunks are copies, since writes go on. */
export function readRange(state: State, node: Node, range: ByteRange): readonly Uint8Array[] {
  const left = node.inode.sizeBytes - range.offsetBytes;
  const lengthBytes = Math.min(range.lengthBytes, Math.max(0, left));
  const answers: Uint8Array[] = [];
  const wants: Wanted[] = [];
  for (const piece of piecesOf({ offsetBytes: range.offsetBytes, lengthBytes })) {
    try {
      answers.push(...readPiece(state, node, piece));
    } catch (error) {
      if (!(error instanceof Wanted)) throw error;
      wants.push(error);
    }
  }
  if (wants.length > 0) throw wantAll(wants);
  return answers;
}

function readPiece(state: State, node: Node, { index, start, end }: Piece): Uint8Array[] {
  const dirty = node.live?.dirty.get(index);
  if (dirty !== undefined) return [readDirty(state, dirty, [start, end])];
  const link = linkAt(state, node, index);
  const data = link === undefined
    ? inlineBytes(node, index).subarray(start, end)
    : state.blocks.part(link, [start, end]);
  if (data.length === 0) return [zeros.subarray(start, end)];
  const missing = end - start - data.length;
  return missing === 0 ? [data] : [data, zeros.subarray(0, missing)];
}

function inlineBytes({ inode: { content } }: Node, index: number): Buffer {
  return content.kind === "inline" && index === 0 ? content.bytes : nothing;
}

/** What lies below the written bytes of a chunk, or Wanted. */
export function belowOf(state: State, { below, sealing }: DirtyChunk): Uint8Array {
  if (sealing !== undefined) return sealing.bytes;
  return below === undefined ? nothing : state.blocks.chunk(below);
}

/** True when it cannot be sealed before peers have given what lies below its written bytes. */
export function lacksBelow(state: State, chunk: DirtyChunk): boolean {
  const { below, sealing, standsAlone } = chunk;
  if (below === undefined || sealing !== undefined || standsAlone) return false;
  return !state.blocks.has(below.cid);
}

/** A copy of a part of the chunk, zeros where nothing is; or Wanted. */
function readDirty(state: State, chunk: DirtyChunk, [start, end]: Span): Buffer {
  const part = Buffer.allocUnsafe(end - start);
  if (!chunk.top.covers(start, end)) {
    const under = belowOf(state, chunk).subarray(start, end);
    part.set(under);
    part.fill(0, under.length);
  }
  chunk.top.copyTo(part, start);
  return part;
}

/** The next data or hole, in whole chunks; the end of the file is a hole. */
export function seekRange(
  state: State,
  node: Node,
  offsetBytes: number,
  whence: "data" | "hole",
): number {
  const { sizeBytes } = node.inode;
  if (offsetBytes < 0 || offsetBytes >= sizeBytes) {
    throw new HiveError("NoData", "tree.seek", String(offsetBytes));
  }
  const first = Math.floor(offsetBytes / chunkBytes);
  if (whence === "data") {
    const index = nextDataIndex(state, node, first);
    const at = index === undefined ? Infinity : Math.max(offsetBytes, index * chunkBytes);
    if (at < sizeBytes) return at;
    throw new HiveError("NoData", "tree.seek", "no data behind");
  }
  let index = first;
  while (index * chunkBytes < sizeBytes && nextDataIndex(state, node, index) === index) index++;
  return Math.min(sizeBytes, Math.max(offsetBytes, index * chunkBytes));
}

function nextDataIndex(state: State, node: Node, from: number): number | undefined {
  const { content } = node.inode;
  const known = [...(node.live?.dirty.keys() ?? []), ...(node.live?.links.keys() ?? [])];
  const published = nextLink(state, node, from)?.index;
  if (published !== undefined) known.push(published);
  if (content.kind === "inline" && content.bytes.length > 0) known.push(0);
  const found = known.reduce((least, at) => (at >= from && at < least ? at : least), Infinity);
  return found === Infinity ? undefined : found;
}

/** The node, if it is a file with bytes. */
export function fileOf(node: Node): Node {
  const type = node.inode.mode & typeMask;
  if (type === fileType.regular) return node;
  const kind = type === fileType.directory ? "IsDirectory" : "Invalid";
  throw new HiveError(kind, "tree.file", String(node.ino));
}
