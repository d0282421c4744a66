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
import type { DirtyChunk } from "../state/dirty.ts";
import type { Live, Node } from "../state/nodes.ts";
import { isFilling } from "../state/room.ts";
import type { State } from "../state/state.ts";
import { type Capture, captureOf, pendingLinks, publishCapture, sealedBytes } from "./captures.ts";
import { fitsInline, publishInline } from "./inlining.ts";
import { freshBytes } from "./promises.ts";
import { hasNews, publishNow } from "./publishing.ts";
import { sealChunks } from "./sealing.ts";

const { journaledBytesMax, journaledShareMax, journaledScatteredBytesMax } = limits.tree;

/** Publishes the file's data in sealed chunks. What is written meanwhile stays unpublished. */
export async function flush(state: State, node: Node): Promise<void> {
  await flushAll(state, [node]);
}

/** What of it may stay for a later time. */
interface Leeway {
  /** Bytes of these chunks go into the journal instead. */
  readonly leaves?: ((chunk: DirtyChunk) => boolean) | undefined;
  /**
   * Chunks for which the store has no room yet stay unpublished: as where this is part of a commit,
   * since only what is committed goes up and makes some.
   */
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
    let wholeBytes = isFault(sealed) ? undefined : sealed.wholeBytes;
    if (wholeBytes === undefined) {
      const told = await journalRest(state, node, live, { withholds }).catch(orFault);
      if (isFault(told)) failure ??= told;
      if (told !== "no room") continue;
      wholeBytes = sealedBytes(node, live);
    }
    captures.push(captureOf(state, node, live, { sizeBytes: wholeBytes, withholds }));
  }
  const unpublished = await publishCaptures(state, captures);
  failure ??= unpublished;
  if (failure !== undefined) throw failure;
  return captures.flatMap(({ withheld }) => withheld);
}

/**
 * Seals until nothing is unsealed but what it leaves, for a few rounds. Where little enough is not,
 * all up to the size that it answers is sealed: at best as of this moment, and else, where writers
 * go on and on, as of when the last round began.
 */
async function sealMost(
  state: State, node: Node, live: Live, leaves: (chunk: DirtyChunk) => boolean,
): Promise<{ readonly wholeBytes: number | undefined }> {
  let { sizeBytes } = node.inode;
  for (let round = 0; round < limits.tree.momentRoundsMax; round++) {
    ({ sizeBytes } = node.inode);
    await sealChunks(state, [...live.dirty.values()].filter((chunk) => !leaves(chunk)));
    if (live.dirty.size === 0) return { wholeBytes: node.inode.sizeBytes };
    if ([...live.dirty.values()].every(leaves)) break;
  }
  const isLittle = freshBytes(live) <= journaledBytesMax;
  const rests = [...live.dirty.values()].some(leaves);
  return { wholeBytes: isLittle || rests ? undefined : sizeBytes };
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
async function journalRest(
  state: State, node: Node, live: Live, patience: Patience,
): Promise<"told" | "no room"> {
  return await whenSettled(state, live, patience, (options) => {
    if (node.live === live && hasNews(node, live)) publishNow(state, node, live, options);
  });
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

type Patience = Pick<Required<Leeway>, "withholds">;

/**
 * Acts in a moment in which every chunk of the file that is sealed is on stable storage; or, where
 * its writers are quicker than the store, tells the act that some are not. One that withholds does
 * not wait for room, and has not acted where there is none.
 */
async function whenSettled(
  state: State, live: Live, { withholds }: Patience, act: Publish,
): Promise<"told" | "no room"> {
  const lacksRoom = (): boolean => {
    return withholds && isFilling(state) && pendingLinks(state, live).size > 0;
  };
  for (let round = 0; round < limits.tree.settleRoundsMax; round++) {
    if (lacksRoom()) return "no room";
    const cids = new Set([...live.links.values()].map(({ cid }) => cid));
    await state.blocks.arrive(cids);
    if (cids.size > 0) await state.needs.store.sync();
    // A writer may have sealed more meanwhile.
    const isSettled = [...live.links.values()].every(({ cid }) => cids.has(cid));
    if (!isSettled) continue;
    act({ namesDurableOnly: true });
    return "told";
  }
  if (lacksRoom()) return "no room";
  // What they add is told now, and waited for.
  const cids = [...live.links.values()].map(({ cid }) => cid);
  act({ namesDurableOnly: false });
  await state.blocks.arrive(cids);
  return "told";
}

type Publish = (options: AppendOptions) => void;

/** Publishes the file's data in the cheapest way that a crash cannot undo once the store syncs. */
export async function persist(state: State, node: Node): Promise<void> {
  const { live } = node;
  if (live === undefined) return;
  if (fitsInline(state, node, live) || isForSealing(live)) return flush(state, node);
  await journalRest(state, node, live, { withholds: false });
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

/** Before a commit cuts the journal: what it promised and no page will hold is told again. */
export async function promiseAgain(state: State): Promise<void> {
  let told = false;
  for (const node of [...state.liveFiles]) {
    const { live } = node;
    if (live?.promised !== true) continue;
    const tell = (options: AppendOptions, untold?: ReadonlyMap<number, ChunkLink>): void => {
      if (node.live !== live || !live.promised) return;
      for (const chunk of live.dirty.values()) {
        chunk.forgetPromises();
        live.news.add(chunk);
      }
      publishNow(state, node, live, options, untold);
      told = true;
    };
    const ended = await whenSettled(state, live, { withholds: true }, tell);
    if (ended === "no room") tell({ namesDurableOnly: false }, pendingLinks(state, live));
  }
  if (told) await state.needs.store.sync();
}
