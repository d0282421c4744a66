/**
 * Publishing what was written: from here on the journal tells of it, and the next commit keeps it.
 * Small changes go into the journal as they are (fsync of a 4 KiB write costs 4 KiB); larger ones
 * are sealed, and the journal links the chunks.
 */
import { type HiveError, isFault } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { ChunkLink } from "../dag/chunks.ts";
import type { Content } from "../dag/inodes.ts";
import { Breather } from "./attempt.ts";
import type { Change } from "./journal.ts";
import type { DirtyChunk, Live, Node } from "./nodes.ts";
import { addSpans } from "./spans.ts";
import { type State, inodeChange } from "./state.ts";
import { dropWrites, sealDirty } from "./writing.ts";

/** What a link takes in a record, at most. */
const linkRecordBytes = 96;
/** Chunks sealed in one go: as many as gain by it, and less than a millisecond of work. */
const sealedAtOnce = 4;
const { chunkBytes, inlineBytesMax, journaledBytesMax } = limits.tree;

/** Publishes the file's data in sealed chunks. What is written meanwhile stays unpublished. */
export function flush(state: State, node: Node): Promise<void> {
  return flushAll(state, [node]);
}

/** The same for many files, with one sync for all: the journal only ever links durable blocks. */
export async function flushAll(state: State, nodes: readonly Node[]): Promise<void> {
  const captures: Capture[] = [];
  for (const node of nodes) {
    const { live } = node;
    if (live === undefined) continue;
    if (fitsInline(node, live)) publishInline(state, node, live);
    else captures.push(await sealAll(state, node, live));
  }
  if (captures.length === 0) return;
  const arrived = await withoutRefused(state, captures);
  await state.needs.store.sync();
  for (const capture of arrived.captures) publishCapture(state, capture);
  if (arrived.failure !== undefined) throw arrived.failure;
}

/** A file that the store has no room for must not keep the others from being published. */
async function withoutRefused(
  state: State, captures: readonly Capture[],
): Promise<{ readonly captures: readonly Capture[]; readonly failure: HiveError | undefined }> {
  const arrived: Capture[] = [];
  let failure: HiveError | undefined;
  for (const capture of captures) {
    try {
      await state.blocks.arrive([...capture.links.values()].map(({ cid }) => cid));
      arrived.push(capture);
    } catch (error) {
      if (!isFault(error)) throw error;
      failure ??= error;
    }
  }
  return { captures: arrived, failure };
}

/** A file as it was at one moment, all of it sealed. */
interface Capture {
  readonly node: Node;
  readonly live: Live;
  /** Captures of a file are numbered: an older one is not published after a newer. */
  readonly number: number;
  readonly links: ReadonlyMap<number, ChunkLink>;
  readonly sizeBytes: number;
  readonly allocatedBytes: number;
}

/** Seals until nothing is left unsealed, and takes that moment's state. */
async function sealAll(state: State, node: Node, live: Live): Promise<Capture> {
  const breather = new Breather(() => state.needs.clock.monotonicMs());
  while (live.dirty.size > 0) {
    void sealDirty(state, firstDirty(live, sealedAtOnce));
    // A writer that is quicker than the sealing waits here for its turn.
    if (live.dirty.size > 0) await breather.breathe();
  }
  const { allocatedBytes } = live;
  const { sizeBytes } = node.inode;
  const links = new Map(live.links);
  return { node, live, number: ++live.captures, links, sizeBytes, allocatedBytes };
}

function firstDirty(live: Live, most: number): DirtyChunk[] {
  const first: DirtyChunk[] = [];
  for (const chunk of live.dirty.values()) {
    if (first.push(chunk) === most) break;
  }
  return first;
}

function publishCapture(state: State, capture: Capture): void {
  const { node, live, number, links, sizeBytes, allocatedBytes } = capture;
  if (node.live !== live || number <= live.publishedCapture) return;
  live.publishedCapture = number;
  for (const [index, link] of links) {
    if (live.links.get(index) === link) live.links.delete(index);
  }
  publishLinks(state, node, live, { links, sizeBytes, allocatedBytes });
  live.promised = live.promised && live.dirty.size > 0;
  const rest = live.dirty.size + live.links.size;
  if (rest === 0 && node.inode.sizeBytes === sizeBytes) settleLive(state, node);
}

/** Acts in a moment in which the store has every chunk of the file that is sealed. */
async function whenSettled(state: State, live: Live, act: () => void): Promise<void> {
  for (let round = 0; round < limits.tree.settleRoundsMax; round++) {
    const cids = [...live.links.values()].map(({ cid }) => cid);
    await state.blocks.arrive(cids);
    if (cids.length > 0) await state.needs.store.sync();
    // A writer may have sealed more meanwhile.
    const isSettled = [...live.links.values()].every(({ cid }) => !state.blocks.isPending(cid));
    if (isSettled) return act();
  }
  // Its writers are quicker than the store: what they add is told now, and waited for.
  const cids = [...live.links.values()].map(({ cid }) => cid);
  act();
  await state.blocks.arrive(cids);
}

/** Publishes the file's data in the cheapest way that a crash cannot undo once the store syncs. */
export async function persist(state: State, node: Node): Promise<void> {
  const { live } = node;
  if (live === undefined) return;
  if (fitsInline(node, live) || freshBytes(live) > journaledBytesMax) return flush(state, node);
  await whenSettled(state, live, () => {
    const grown = live.published.sizeBytes !== node.inode.sizeBytes;
    const news = grown || live.links.size > 0 || freshBytes(live) > 0;
    if (node.live === live && news) publishNow(state, node, live);
  });
}

/** Publishes all at once, without waiting: links as they are, the rest as bytes in the journal. */
export function publishNow(state: State, node: Node, live: Live): void {
  const data = [...live.dirty.values()].flatMap((chunk) => dataChanges(node, chunk));
  const links = new Map(live.links);
  live.links.clear();
  live.publishedCapture = live.captures;
  const { sizeBytes } = node.inode;
  publishLinks(state, node, live, { links, sizeBytes, allocatedBytes: live.allocatedBytes, data });
  live.promised = live.dirty.size > 0;
  if (live.dirty.size === 0) settleLive(state, node);
}

/** Publishes what is small enough to lie in the inode; the next write begins anew. */
function publishInline(state: State, node: Node, live: Live): void {
  const chunk = live.dirty.get(0);
  const bytes = chunk === undefined ? Buffer.alloc(0) : chunk.buffer.subarray(0, chunk.lengthBytes);
  const content: Content = { kind: "inline", bytes: Buffer.from(bytes) };
  dropWrites(state, node);
  state.record([inodeChange(state, node, { content })]);
}

interface Publication extends Pick<Capture, "links" | "sizeBytes" | "allocatedBytes"> {
  readonly data?: readonly Change[];
}

function publishLinks(state: State, node: Node, live: Live, told: Publication): void {
  const { ino, content } = node.inode;
  const { sizeBytes, allocatedBytes, data = [] } = told;
  const links: Change[] = [...told.links].map(([index, link]) => {
    return { kind: "chunk", ino, index, link };
  });
  const chunked = content.kind === "chunks" || links.length > 0;
  const next: Content = chunked ? { kind: "chunks", allocatedBytes } : content;
  live.published = { sizeBytes, content: next };
  recordInParts(state, [...links, ...data], inodeChange(state, node, { content: next }));
}

/** The size comes last: a crash between two records must not show bytes that are not there. */
export function recordInParts(state: State, changes: readonly Change[], last: Change): void {
  let part: Change[] = [];
  let bytes = 0;
  for (const change of changes) {
    const more = change.kind === "data" ? change.bytes.length : linkRecordBytes;
    if (bytes + more > limits.tree.recordBytesMax) {
      state.record(part);
      part = [];
      bytes = 0;
    }
    part.push(change);
    bytes += more;
  }
  state.record([...part, last]);
}

/** Nothing is unpublished any more: the inode alone tells all. */
export function settleLive(state: State, node: Node): void {
  node.live = undefined;
  state.liveFiles.delete(node);
  state.nodes.settle(node);
}

function fitsInline(node: Node, live: Live): boolean {
  if (node.inode.content.kind !== "inline" || live.links.size > 0) return false;
  const chunks = [...live.dirty.values()];
  return chunks.every(({ index, lengthBytes }) => index === 0 && lengthBytes <= inlineBytesMax);
}

function freshBytes(live: Live): number {
  let total = 0;
  for (const chunk of live.dirty.values()) {
    for (const [start, end] of chunk.fresh) total += end - start;
  }
  return total;
}

/** What of the chunk the journal must have: what is new, and again what a commit cut off. */
function dataChanges(node: Node, chunk: DirtyChunk): Change[] {
  const spans = chunk.fresh;
  chunk.promised = addSpans(chunk.promised, spans);
  chunk.fresh = [];
  return spans.map(([start, end]) => ({
    kind: "data",
    ino: node.ino,
    offsetBytes: chunk.index * chunkBytes + start,
    bytes: Buffer.from(chunk.buffer.subarray(start, end)),
  }));
}

/** Before a commit cuts the journal: what it promised and no page will hold is told again. */
export async function promiseAgain(state: State): Promise<void> {
  let told = false;
  for (const node of [...state.liveFiles]) {
    const { live } = node;
    if (live?.promised !== true) continue;
    await whenSettled(state, live, () => {
      if (node.live !== live || !live.promised) return;
      for (const chunk of live.dirty.values()) chunk.fresh = addSpans(chunk.fresh, chunk.promised);
      publishNow(state, node, live);
      told = true;
    });
  }
  if (told) await state.needs.store.sync();
}
