/**
 * Publishing what was written: from here on the journal tells of it, and the next commit keeps it.
 * Small and scattered changes go into the journal as they are (fsync of a 4 KiB write costs 4 KiB);
 * larger ones are sealed, and the journal links the chunks.
 *
 * A link in the journal stands for all that the journal told of its chunk before. So what was
 * written on top of a chunk while it was sealed is told again behind its link.
 */
import type { AppendOptions } from "../../base/blocks.ts";
import { type HiveError, isFault } from "../../base/errors.ts";
import type { Cid } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { ChunkLink } from "../../dag/chunks.ts";
import type { Content } from "../../dag/inodes.ts";
import { sealedAs } from "../looking/slots.ts";
import type { DirtyChunk } from "../state/dirty.ts";
import type { Change } from "../state/journal.ts";
import { type Live, type Node, allocatedFor } from "../state/nodes.ts";
import { type State, inodeChange } from "../state/state.ts";
import { fitsInline, publishInline } from "./inlining.ts";
import { dataChanges, dataOnTop, freshBytes } from "./promises.ts";
import { sealChunks } from "./sealing.ts";

/** What a link takes in a record, at most. */
const linkRecordBytes = 96;
const {
  chunkBytes, journaledBytesMax, journaledShareMax, journaledScatteredBytesMax,
} = limits.tree;

/** Publishes the file's data in sealed chunks. What is written meanwhile stays unpublished. */
export async function flush(state: State, node: Node): Promise<void> {
  await flushAll(state, [node]);
}

/** What of it may stay for a later time. */
interface Leeway {
  /** Bytes of these chunks go into the journal instead. */
  readonly leaves?: ((chunk: DirtyChunk) => boolean) | undefined;
  /** Chunks for which the store has no room yet stay unpublished. */
  readonly withholds?: boolean;
}

/**
 * The same for many files, with one sync for all: the journal only ever links durable blocks. It
 * answers what was withheld.
 */
export async function flushAll(
  state: State, nodes: readonly Node[], { leaves = () => false, withholds = false }: Leeway = {},
): Promise<readonly Cid[]> {
  const captures: Capture[] = [];
  let failure: HiveError | undefined;
  for (const node of nodes) {
    const { live } = node;
    if (live === undefined) continue;
    if (fitsInline(state, node, live)) {
      publishInline(state, node);
      continue;
    }
    const sealed = await sealMost(state, node, live, leaves).catch(orFault);
    if (isFault(sealed)) failure ??= sealed;
    else if (sealed.isWhole) {
      captures.push(captureOf(state, node, live, { ...sealed, withholds }));
      continue;
    }
    const untold = await journalRest(state, node, live).then(() => undefined, orFault);
    failure ??= untold;
  }
  const unpublished = await publishCaptures(state, captures);
  failure ??= unpublished;
  if (failure !== undefined) throw failure;
  return captures.flatMap(({ withheld }) => withheld);
}

/**
 * Seals until nothing is unsealed but what it leaves, for a few rounds. It is whole when all up to
 * the size that it answers is sealed: at best as of this moment, and else, where writers go on and
 * on, as of when the last round began.
 */
async function sealMost(
  state: State, node: Node, live: Live, leaves: (chunk: DirtyChunk) => boolean,
): Promise<{ readonly isWhole: boolean; readonly sizeBytes: number }> {
  let { sizeBytes } = node.inode;
  for (let round = 0; round < limits.tree.momentRoundsMax; round++) {
    ({ sizeBytes } = node.inode);
    await sealChunks(state, [...live.dirty.values()].filter((chunk) => !leaves(chunk)));
    if (live.dirty.size === 0) return { isWhole: true, sizeBytes: node.inode.sizeBytes };
    if ([...live.dirty.values()].every(leaves)) break;
  }
  const isLittle = freshBytes(live) <= journaledBytesMax;
  const rests = [...live.dirty.values()].some(leaves);
  return { isWhole: !isLittle && !rests, sizeBytes };
}

async function publishCaptures(
  state: State, captures: readonly Capture[],
): Promise<HiveError | undefined> {
  if (captures.length === 0) return undefined;
  const arrived = await withoutRefused(state, captures);
  await state.needs.store.sync();
  for (const capture of arrived.captures) publishCapture(state, capture);
  return arrived.failure;
}

/** What is not sealed waits in the journal: it rests, or what lies below is not to be had now. */
async function journalRest(state: State, node: Node, live: Live): Promise<void> {
  await whenSettled(state, live, (options) => {
    if (node.live === live && hasNews(node, live)) publishNow(state, node, live, options);
  });
}

/** True when the journal does not tell all that the file is now. */
export function hasNews(node: Node, live: Live): boolean {
  const grown = live.published.sizeBytes !== node.inode.sizeBytes;
  return grown || live.links.size > 0 || freshBytes(live) > 0;
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
      failure ??= orFault(error);
    }
  }
  return { captures: arrived, failure };
}

function orFault(error: unknown): HiveError {
  if (isFault(error)) return error;
  throw error;
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
  /** Chunks that the store has no room for yet: they, and the size behind them, are left out. */
  readonly withheld: readonly Cid[];
}

/** The file's sealed chunks, and how far they reach; of a moment behind that of the size. */
function captureOf(
  state: State, node: Node, live: Live,
  { sizeBytes, withholds }: { readonly sizeBytes: number; readonly withholds: boolean },
): Capture {
  const isWithheld = ({ cid }: ChunkLink): boolean => withholds && state.blocks.isPending(cid);
  const withheld = [...live.links].filter(([, link]) => isWithheld(link));
  // A size never counts bytes of a chunk that is left out, nor is a chunk told behind the size.
  const starts = withheld.map(([index]) => Math.max(index * chunkBytes, live.published.sizeBytes));
  const end = Math.min(sizeBytes, ...starts);
  const told = [...live.links].filter(([index, link]) => {
    return !isWithheld(link) && index * chunkBytes < end;
  });
  const links = new Map(told);
  let { allocatedBytes } = live;
  for (const [index, link] of live.links) {
    if (links.has(index)) continue;
    allocatedBytes -= allocatedFor(link.lengthBytes) - (live.over.get(index) ?? 0);
  }
  const cids = withheld.map(([, { cid }]) => cid);
  const number = ++live.captures;
  return { node, live, number, sizeBytes: end, links, allocatedBytes, withheld: cids };
}

function publishCapture(state: State, capture: Capture): void {
  const { node, live, number, links, allocatedBytes } = capture;
  if (node.live !== live || number <= live.publishedCapture) return;
  live.publishedCapture = number;
  for (const [index, link] of links) {
    const isNewest = live.links.get(index) === link;
    if (isNewest) live.links.delete(index);
    if (isNewest) live.over.delete(index);
    else live.over.set(index, allocatedFor(link.lengthBytes));
  }
  // Another capture, begun later, may have told of more.
  const sizeBytes = Math.max(capture.sizeBytes, live.published.sizeBytes);
  const data = dataOnTop(live, links);
  const namesDurableOnly = true;
  publishLinks(state, node, live, { links, sizeBytes, allocatedBytes, data, namesDurableOnly });
  const rest = live.dirty.size + live.links.size;
  live.promised = live.promised && rest > 0;
  if (rest === 0 && node.inode.sizeBytes === sizeBytes) settleLive(state, node);
}

/**
 * Acts in a moment in which every chunk of the file that is sealed is on stable storage; or, where
 * its writers are quicker than the store, tells the act that some are not.
 */
async function whenSettled(state: State, live: Live, act: Publish): Promise<void> {
  for (let round = 0; round < limits.tree.settleRoundsMax; round++) {
    const cids = new Set([...live.links.values()].map(({ cid }) => cid));
    await state.blocks.arrive(cids);
    if (cids.size > 0) await state.needs.store.sync();
    // A writer may have sealed more meanwhile.
    const isSettled = [...live.links.values()].every(({ cid }) => cids.has(cid));
    if (isSettled) return act({ namesDurableOnly: true });
  }
  // What they add is told now, and waited for.
  const cids = [...live.links.values()].map(({ cid }) => cid);
  act({ namesDurableOnly: false });
  await state.blocks.arrive(cids);
}

type Publish = (options: AppendOptions) => void;

/** Publishes the file's data in the cheapest way that a crash cannot undo once the store syncs. */
export async function persist(state: State, node: Node): Promise<void> {
  const { live } = node;
  if (live === undefined) return;
  if (fitsInline(state, node, live) || isForSealing(live)) return flush(state, node);
  await journalRest(state, node, live);
}

/** True when sealing costs less than writing it twice, the second time in its chunks. */
function isForSealing(live: Live): boolean {
  const fresh = freshBytes(live);
  if (fresh <= journaledBytesMax) return false;
  let chunksBytes = 0;
  for (const chunk of live.news) {
    if (chunk.fresh.length > 0) chunksBytes += chunk.lengthBytes;
  }
  return fresh > journaledScatteredBytesMax || fresh > chunksBytes * journaledShareMax;
}

/** Publishes all at once, without waiting: links as they are, the rest as bytes in the journal. */
function publishNow(state: State, node: Node, live: Live, options: AppendOptions): void {
  const links = new Map(live.links);
  const onTop = dataOnTop(live, links);
  const data = [...onTop, ...[...live.news].flatMap((chunk) => dataChanges(chunk))];
  live.news.clear();
  live.links.clear();
  live.over.clear();
  live.publishedCapture = live.captures;
  const { sizeBytes } = node.inode;
  const { allocatedBytes } = live;
  publishLinks(state, node, live, { links, sizeBytes, allocatedBytes, data, ...options });
  live.promised = live.dirty.size > 0;
  if (live.dirty.size === 0) settleLive(state, node);
}

type Facts = Pick<Capture, "links" | "sizeBytes" | "allocatedBytes">;
interface Publication extends Facts, AppendOptions {
  readonly data: readonly Change[];
}

function publishLinks(state: State, node: Node, live: Live, told: Publication): void {
  const { ino, content } = node.inode;
  const { sizeBytes, allocatedBytes, data, namesDurableOnly } = told;
  const links: Change[] = [...told.links].map(([index, link]) => {
    return { kind: "chunk", ino, index, link };
  });
  const chunked = content.kind === "chunks" || links.length > 0;
  const next: Content = chunked ? { kind: "chunks", allocatedBytes } : content;
  live.published = { sizeBytes, content: next };
  const sealed = links.length > 0 ? sealedAs(node.inode, live) : {};
  const inode = inodeChange(state, node, { content: next, ...sealed });
  recordInParts(state, [...links, ...data], inode, { namesDurableOnly });
}

/** The size comes last: a crash between two records must not show bytes that are not there. */
export function recordInParts(
  state: State, changes: readonly Change[], last: Change, options?: AppendOptions,
): void {
  let part: Change[] = [];
  let bytes = 0;
  for (const change of changes) {
    const more = change.kind === "data" ? change.bytes.length : linkRecordBytes;
    if (bytes + more > limits.tree.recordBytesMax) {
      state.record(part, options);
      part = [];
      bytes = 0;
    }
    part.push(change);
    bytes += more;
  }
  state.record([...part, last], options);
}

/** Nothing is unpublished any more: the inode alone tells all. */
export function settleLive(state: State, node: Node): void {
  node.live = undefined;
  state.liveFiles.delete(node);
  state.nodes.settle(node);
}

/** Before a commit cuts the journal: what it promised and no page will hold is told again. */
export async function promiseAgain(state: State): Promise<void> {
  let told = false;
  for (const node of [...state.liveFiles]) {
    const { live } = node;
    if (live?.promised !== true) continue;
    await whenSettled(state, live, (options) => {
      if (node.live !== live || !live.promised) return;
      for (const chunk of live.dirty.values()) {
        chunk.forgetPromises();
        live.news.add(chunk);
      }
      publishNow(state, node, live, options);
      told = true;
    });
  }
  if (told) await state.needs.store.sync();
}
