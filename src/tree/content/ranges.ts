/**
 * What programs do with ranges of a file besides reading and writing: reserve, punch, zero, and
 * copy. Whole chunks change by their links alone.
 */
import { HiveError } from "../../base/errors.ts";
import type { AllocateKind, ByteRange } from "../../base/filesystem.ts";
import { limits } from "../../base/limits.ts";
import { type Maybe } from "../../base/step.ts";
import { Wanted, attempt } from "../attempt.ts";
import { type Piece, cleanBytes, fileOf, linkAt, linksFrom, piecesOf } from "../looking/content.ts";
import { readRange } from "../looking/content.ts";
import { saltOf } from "../looking/salts.ts";
import { sealedAs, slotOf } from "../looking/slots.ts";
import type { Change } from "../state/journal.ts";
import { type Node, allocatedFor } from "../state/nodes.ts";
import { inodeChange, record } from "../state/recording.ts";
import type { State } from "../state/state.ts";
import { flush } from "./flush.ts";
import { writeRange } from "./writing.ts";

const { chunkBytes, fileBytesMax, copyBytesMax } = limits.tree;

export async function allocate(
  state: State,
  node: Node,
  range: ByteRange,
  kind: AllocateKind,
): Promise<void> {
  fileOf(node);
  const end = range.offsetBytes + range.lengthBytes;
  if (range.lengthBytes <= 0) throw new HiveError("Invalid", "tree.allocate", "length");
  if (end > fileBytesMax) throw new HiveError("TooLarge", "tree.allocate", String(end));
  const grows = kind === "extend" || kind === "zero-range";
  if (kind === "extend" || kind === "keep-size") checkRoom(state, node, range);
  else await punch(state, node, { ...range, end: Math.min(end, node.inode.sizeBytes) });
  if (grows && end > node.inode.sizeBytes) await attempt(() => extend(state, node, end));
}

/** Room cannot be set aside in a store that seals what it keeps: only the plainly absurd fails. */
function checkRoom(state: State, node: Node, range: ByteRange): void {
  const { limitBytes } = state.needs.store.usage();
  const held = node.allocatedBytes;
  if (range.lengthBytes - held <= limitBytes) return;
  throw new HiveError("NoSpace", "tree.allocate", `${range.lengthBytes} bytes`);
}

function extend(state: State, node: Node, sizeBytes: number): void {
  state.mayChange();
  const now = state.now();
  // A file with unpublished data must not publish a size that its chunks do not fill yet.
  if (node.live !== undefined) {
    node.inode = { ...node.inode, sizeBytes, mtime: now, ctime: now };
    return;
  }
  record(state, [inodeChange(state, node, { sizeBytes, mtime: now, ctime: now })]);
}

/** Zeros at the edges, holes between. */
async function punch(
  state: State,
  node: Node,
  range: { readonly offsetBytes: number; readonly end: number },
): Promise<void> {
  const { offsetBytes, end } = range;
  if (end <= offsetBytes) return;
  const whole = { from: Math.ceil(offsetBytes / chunkBytes), to: Math.floor(end / chunkBytes) };
  // A last chunk whose data ends inside the range goes whole as well.
  if (end === node.inode.sizeBytes) whole.to = Math.ceil(end / chunkBytes);
  const edges = [
    { start: offsetBytes, end: Math.min(end, whole.from * chunkBytes) },
    { start: Math.max(offsetBytes, whole.to * chunkBytes), end },
  ];
  const distinct = whole.from > whole.to ? [{ start: offsetBytes, end }] : edges;
  for (const edge of distinct) await zero(state, node, edge.start, edge.end);
  await flush(state, node);
  if (whole.from < whole.to) await attempt(() => dropChunks(state, node, whole));
}

async function zero(state: State, node: Node, start: number, end: number): Promise<void> {
  for (const piece of piecesOf({ offsetBytes: start, lengthBytes: Math.max(0, end - start) })) {
    const offset = piece.index * chunkBytes + piece.start;
    const zeros = Buffer.alloc(piece.end - piece.start);
    await attempt(() => {
      if (hasData(state, node, piece)) return writeRange(state, node, offset, zeros);
      return 0;
    });
  }
}

function hasData(state: State, node: Node, { index, start }: Piece): boolean {
  const dirty = node.live?.dirty.get(index);
  return (dirty?.lengthBytes ?? cleanBytes(state, node, index)) > start;
}

function dropChunks(
  state: State,
  node: Node,
  { from, to }: { readonly from: number; readonly to: number },
): void {
  state.mayChange();
  if (node.live !== undefined) throw new Wanted(() => flush(state, node));
  const { ino, content } = node.inode;
  const now = state.now();
  if (content.kind === "inline") {
    const bytes = from === 0 ? Buffer.alloc(0) : content.bytes;
    const kept = { kind: "inline", bytes } as const;
    record(state, [inodeChange(state, node, { content: kept, mtime: now, ctime: now })]);
    return;
  }
  const changes: Change[] = [];
  let freed = 0;
  for (const { index, link } of linksFrom(state, node, from)) {
    if (index >= to) break;
    freed += allocatedFor(link.lengthBytes);
    changes.push({ kind: "hole", ino, index });
  }
  const allocatedBytes = Math.max(0, node.allocatedBytes - freed);
  const after = { kind: "chunks", allocatedBytes } as const;
  record(state, [inodeChange(state, node, { content: after, mtime: now, ctime: now }), ...changes]);
}

/** Copies at most copyBytesMax and answers how much it was. */
export async function copyRange(
  state: State,
  from: Node,
  range: ByteRange,
  to: Node,
  toOffsetBytes: number,
): Promise<number> {
  fileOf(to);
  const left = Math.max(0, fileOf(from).inode.sizeBytes - range.offsetBytes);
  const lengthBytes = Math.min(range.lengthBytes, left, copyBytesMax);
  const apart = Math.abs(range.offsetBytes - toOffsetBytes) >= lengthBytes;
  if (from === to && !apart) throw new HiveError("Invalid", "tree.copy", "ranges overlap");
  const aligned = range.offsetBytes % chunkBytes === 0 && toOffsetBytes % chunkBytes === 0;
  if (aligned) await flush(state, from);
  if (aligned) await flush(state, to);
  const whole = Math.floor(lengthBytes / chunkBytes) * chunkBytes;
  // A link is a copy only where both go by one policy, and are given to the same people.
  const alike = from.inode.slot === slotOf(state, to) && saltOf(state, from) === saltOf(state, to);
  const mayShare = aligned && alike && isChunked(from) && (isChunked(to) || isEmpty(to));
  const shared = mayShare ? whole : 0;
  if (shared > 0) {
    const shift = (toOffsetBytes - range.offsetBytes) / chunkBytes;
    const first = range.offsetBytes / chunkBytes;
    const last = first + shared / chunkBytes;
    await attempt(() => shareChunks(state, from, to, { first, last, shift }));
  }
  const rest = { offsetBytes: range.offsetBytes + shared, lengthBytes: lengthBytes - shared };
  await copyBytes(state, from, rest, to, toOffsetBytes + shared);
  return lengthBytes;
}

/** What cannot be shared, read and written piece by piece. */
async function copyBytes(
  state: State, from: Node, range: ByteRange, to: Node, toOffsetBytes: number,
): Promise<void> {
  for (const piece of piecesOf(range)) {
    const offsetBytes = piece.index * chunkBytes + piece.start;
    const part = { offsetBytes, lengthBytes: piece.end - piece.start };
    const pieces = await attempt(() => readRange(state, from, part));
    const target = offsetBytes - range.offsetBytes + toOffsetBytes;
    await writeAll(state, to, target, Buffer.concat(pieces));
  }
}

function isChunked(node: Node): boolean {
  return node.inode.content.kind === "chunks";
}

function isEmpty(node: Node): boolean {
  const { content } = node.inode;
  return content.kind === "inline" && content.bytes.length === 0;
}

function writeAll(state: State, to: Node, offset: number, bytes: Buffer): Maybe<number> {
  return attempt(() => writeRange(state, to, offset, bytes)) as Maybe<number>;
}

/** The target's chunks become the source's: a link is a copy. */
function shareChunks(
  state: State,
  from: Node,
  to: Node,
  { first, last, shift }: { readonly first: number; readonly last: number; readonly shift: number },
): void {
  state.mayChange();
  for (const node of [from, to]) {
    if (node.live !== undefined) throw new Wanted(() => flush(state, node));
  }
  const { ino } = to;
  const changes: Change[] = [];
  let grown = 0;
  for (let index = first; index < last; index++) {
    const link = linkAt(state, from, index);
    const old = linkAt(state, to, index + shift);
    grown -= old === undefined ? 0 : allocatedFor(old.lengthBytes);
    grown += link === undefined ? 0 : allocatedFor(link.lengthBytes);
    if (link !== undefined) changes.push({ kind: "chunk", ino, index: index + shift, link });
    else if (old !== undefined) changes.push({ kind: "hole", ino, index: index + shift });
  }
  const sizeBytes = Math.max(to.inode.sizeBytes, (last + shift) * chunkBytes);
  const now = state.now();
  const content = { kind: "chunks", allocatedBytes: to.allocatedBytes + grown } as const;
  const sealed = sealedAs(to.inode, from.inode);
  const inode = inodeChange(state, to, { content, sizeBytes, ...sealed, mtime: now, ctime: now });
  record(state, [inode, ...changes]);
}
