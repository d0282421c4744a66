/**
 * Publishing what was written: from here on the journal tells of it, and the next commit keeps it.
 * Small and scattered changes go into the journal as they are (fsync of a 4 KiB write costs 4 KiB);
 * larger ones are sealed, and the journal links the chunks.
 *
 * A link in the journal stands for all that the journal told of its chunk before. So what was
 * written on top of a chunk while it was sealed is told again behind its link.
 */
import { type HiveError, isFault } from "../../base/errors.ts";
import type { Cid } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { lacksBelow } from "../looking/content.ts";
import type { DirtyChunk } from "../state/dirty.ts";
import type { Live, Node } from "../state/nodes.ts";
import type { State } from "../state/state.ts";
import { type Capture, captureOf, publishCapture, sealedBytes } from "./captures.ts";
import { fitsInline, publishInline } from "./inlining.ts";
import { freshBytes } from "./promises.ts";
import { hasNews } from "./publishing.ts";
import { sealChunks } from "./sealing.ts";
import { type Patience, tellRest } from "./telling.ts";

const { journaledBytesMax, journaledShareMax, journaledScatteredBytesMax } = limits.tree;

/** Publishes the file's data in the cheapest way that a crash cannot undo once the store syncs. */
export async function persist(state: State, node: Node): Promise<void> {
  const { live } = node;
  if (live === undefined) return;
  if (fitsInline(state, node, live) || isForSealing(live)) await publish(state, [node]);
  else await tellRest(state, node, live, { withholds: false });
}

/** True when the file is published, in sealed chunks as far as nobody else is needed for that. */
export function isPublished(state: State, node: Node): boolean {
  const { live } = node;
  if (live === undefined) return true;
  return !hasNews(node, live) && [...live.dirty.values()].every((one) => lacksBelow(state, one));
}

/** Makes these so. */
export async function publish(state: State, nodes: readonly Node[]): Promise<void> {
  const leaves = (chunk: DirtyChunk): boolean => lacksBelow(state, chunk);
  await flushAll(state, nodes, { leaves, withholds: false });
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

/** Publishes the file's data in sealed chunks. What is written meanwhile stays unpublished. */
export async function flush(state: State, node: Node): Promise<void> {
  await flushAll(state, [node]);
}

/** What of it may stay for a later time. */
interface Leeway extends Patience {
  /** Bytes of these chunks go into the journal instead. */
  readonly leaves: (chunk: DirtyChunk) => boolean;
}

const noLeeway: Leeway = { leaves: () => false, withholds: false };

/**
 * The same for many files, with one sync for all: the journal only ever links durable blocks. It
 * answers what was withheld. A file that fails keeps no other from being published.
 */
export async function flushAll(
  state: State, nodes: readonly Node[], leeway: Leeway = noLeeway,
): Promise<readonly Cid[]> {
  const faults: HiveError[] = [];
  const captures: Capture[] = [];
  for (const node of nodes) {
    const capture = await sealOrTell(state, node, leeway, faults);
    if (capture !== undefined) captures.push(capture);
  }
  await publishCaptures(state, captures, faults);
  if (faults[0] !== undefined) throw faults[0];
  return captures.flatMap(({ withheld }) => withheld);
}

/** Publishes what needs no capture; answers what is to be published once the store has it. */
async function sealOrTell(
  state: State, node: Node, leeway: Leeway, faults: HiveError[],
): Promise<Capture | undefined> {
  const { live } = node;
  if (live === undefined) return undefined;
  if (fitsInline(state, node, live)) {
    publishInline(state, node);
    return undefined;
  }
  const { withholds } = leeway;
  const noted = noteIn(faults);
  const sizeBytes = await sealMost(state, node, live, leeway).catch(noted);
  if (sizeBytes !== undefined) return captureOf(state, node, live, { sizeBytes, withholds });
  const ended = await tellRest(state, node, live, leeway).catch(noted);
  if (ended !== "no room") return undefined;
  return captureOf(state, node, live, { sizeBytes: sealedBytes(node, live), withholds });
}

/**
 * Seals until nothing is unsealed but what it leaves, for a few rounds. All is sealed up to the
 * size that it answers: at best as of this moment, and else, where writers go on and on, as of when
 * the last round began. It answers none where so little is not sealed that it is for the journal.
 */
async function sealMost(
  state: State, node: Node, live: Live, { leaves }: Leeway,
): Promise<number | undefined> {
  let { sizeBytes } = node.inode;
  for (let round = 0; round < limits.tree.momentRoundsMax; round++) {
    ({ sizeBytes } = node.inode);
    await sealChunks(state, [...live.dirty.values()].filter((chunk) => !leaves(chunk)));
    if (live.dirty.size === 0) return node.inode.sizeBytes;
    if ([...live.dirty.values()].every(leaves)) break;
  }
  const isLittle = freshBytes(live) <= journaledBytesMax;
  const rests = [...live.dirty.values()].some(leaves);
  return isLittle || rests ? undefined : sizeBytes;
}

/** All that arrive, with one sync: the store may refuse those of a file for want of room. */
async function publishCaptures(
  state: State, captures: readonly Capture[], faults: HiveError[],
): Promise<void> {
  if (captures.length === 0) return;
  const arrived: Capture[] = [];
  for (const capture of captures) {
    const cids = [...capture.links.values()].map(({ cid }) => cid);
    await state.blocks.arrive(cids).then(() => arrived.push(capture), noteIn(faults));
  }
  await state.needs.store.sync();
  for (const capture of arrived) publishCapture(state, capture);
}

/** Keeps a fault for when the others are through; anything else is a bug and stops us. */
function noteIn(faults: HiveError[]): (error: unknown) => undefined {
  return (error) => {
    if (!isFault(error)) throw error;
    faults.push(error);
    return undefined;
  };
}
