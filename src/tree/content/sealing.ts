/**
 * From written bytes to sealed chunks: a chunk's moment is taken, sealed on another thread, and its
 * link is there to read when that is done. Nothing here is published: see flush.ts.
 */
import { type HiveError, assert, isFault } from "../../base/errors.ts";
import type { Cid } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Maybe } from "../../base/step.ts";
import type { ChunkLink } from "../../dag/chunks.ts";
import { mergedSlot } from "../../dag/inodes.ts";
import type { Ground } from "../../dag/keys.ts";
import { Breather, Wanted, attempt, wantAll } from "../attempt.ts";
import { belowOf, lacksBelow } from "../looking/content.ts";
import { groundOf } from "../looking/salts.ts";
import type { HandedChunk } from "../state/blocks.ts";
import type { DirtyChunk } from "../state/dirty.ts";
import { takeBuffer } from "../state/extents.ts";
import { type Node, allocatedFor } from "../state/nodes.ts";
import type { State } from "../state/state.ts";

const { sealedAtOnce, sealedInPlaceBytesMax, sealingLanes } = limits.tree;

/** All of a chunk at one moment, and the memory of ours that it takes. */
export interface ChunkMoment {
  readonly chunk: DirtyChunk;
  readonly bytes: Uint8Array;
  readonly buffer: Buffer | undefined;
}

/** Seals the chunks; what became of them is handed over when their links are there to read. */
export function seal(
  state: State, moments: readonly ChunkMoment[],
): Maybe<readonly HandedChunk[]> {
  if (moments.length === 0) return [];
  const total = moments.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const over = Promise.withResolvers<void>();
  for (const moment of moments) begin(state, moment, over.promise);
  if (total >= sealedInPlaceBytesMax) return sealLater(state, moments).finally(over.resolve);
  const handed = byGround(state, moments).flatMap(({ ground, some }) => {
    const chunks = state.blocks.putChunks(some.map(({ bytes }) => bytes), ground);
    settle(state, { ground, some }, chunks);
    return chunks;
  });
  over.resolve();
  return handed;
}

/** Moments of files on one ground; nearly always that is all of them. */
interface Alike {
  readonly ground: Ground;
  readonly some: readonly ChunkMoment[];
}

function byGround(state: State, moments: readonly ChunkMoment[]): readonly Alike[] {
  const grounds = moments.map(({ chunk }) => groundOf(state, chunk.node));
  const keys = grounds.map(({ slot, salt }) => `${slot}/${salt}`);
  return [...new Set(keys)].map((key) => {
    const ground = grounds[keys.indexOf(key)] as Ground;
    return { ground, some: moments.filter((_, at) => keys[at] === key) };
  });
}

async function sealLater(
  state: State, moments: readonly ChunkMoment[],
): Promise<readonly HandedChunk[]> {
  try {
    const sealing = byGround(state, moments).map(async ({ ground, some }) => {
      const chunks = await state.blocks.putChunksLater(some.map(({ bytes }) => bytes), ground);
      settle(state, { ground, some }, chunks);
      return chunks;
    });
    return (await Promise.all(sealing)).flat();
  } catch (error) {
    for (const { chunk, buffer } of moments) {
      if (chunk.sealing === undefined) continue;
      state.sealingBytes -= buffer?.length ?? 0;
      counted(state, chunk, () => chunk.undoSealing());
    }
    throw error;
  }
}

/** Resolves when the store has room for what was handed over, and fails as it does. */
export function arrived(handed: readonly HandedChunk[]): Maybe<void> {
  const waiting = handed.map(({ arrival }) => arrival).filter((one) => one !== undefined);
  if (waiting.length > 0) return Promise.all(waiting).then(() => undefined);
}

function begin(state: State, { chunk, bytes, buffer }: ChunkMoment, done: Promise<void>): void {
  assert(chunk.sealing === undefined && chunk.isWanted);
  state.sealingBytes += buffer?.length ?? 0;
  counted(state, chunk, () => chunk.beginSealing({ bytes, buffer, done }));
}

function settle(
  state: State, { ground: { slot }, some }: Alike, handed: readonly HandedChunk[],
): void {
  for (const [at, { chunk, buffer }] of some.entries()) {
    const { link } = handed[at] as HandedChunk;
    state.sealingBytes -= buffer?.length ?? 0;
    counted(state, chunk, () => chunk.endSealing());
    if (chunk.isWanted) keepLink(state, chunk, { link, slot });
  }
}

/** The chunk's link, not published yet; what was written meanwhile lies on top of it. */
function keepLink(
  state: State, chunk: DirtyChunk,
  { link, slot }: { readonly link: ChunkLink } & Pick<Ground, "slot">,
): void {
  const { live } = chunk.node;
  assert(live !== undefined);
  live.slot = mergedSlot(live.slot ?? slot, slot);
  live.allocatedBytes += allocatedFor(link.lengthBytes) - chunk.replacedBytes;
  if (!live.links.has(chunk.index)) live.over.set(chunk.index, chunk.replacedBytes);
  live.links.set(chunk.index, link);
  chunk.below = link;
  chunk.sinceMs = state.needs.clock.monotonicMs();
  if (chunk.top.isEmpty) forgetDirty(state, chunk);
}

/** Keeps the count of dirty memory while a chunk takes or gives some. */
export function counted<T>(state: State, chunk: DirtyChunk, act: () => T): T {
  const before = chunk.heldBytes;
  const result = act();
  state.dirtyBytes += chunk.heldBytes - before;
  return result;
}

/** Its data is gone, or sealed. What is being sealed of it is let go when that is over. */
export function forgetDirty(state: State, chunk: DirtyChunk): void {
  if (chunk.isWanted) chunk.node.live?.dirty.delete(chunk.index);
  chunk.node.live?.news.delete(chunk);
  state.dirtyChunks.delete(chunk);
  counted(state, chunk, () => chunk.top.clear());
}

/** Forgets unpublished data: the file was emptied or is gone. */
export function dropWrites(state: State, node: Node): void {
  const { live } = node;
  if (live === undefined) return;
  for (const chunk of [...live.dirty.values()]) forgetDirty(state, chunk);
  node.live = undefined;
  state.liveFiles.delete(node);
}

/** The chunk as it is now, its own buffer if it needs no other bytes; or Wanted. */
function momentOf(state: State, chunk: DirtyChunk): ChunkMoment {
  const { lengthBytes, top } = chunk;
  const own = counted(state, chunk, () => top.takeWhole(lengthBytes));
  if (own !== undefined) return { chunk, bytes: own.subarray(0, lengthBytes), buffer: own };
  const under = chunk.standsAlone ? undefined : belowOf(state, chunk).subarray(0, lengthBytes);
  const buffer = takeBuffer(lengthBytes);
  const bytes = buffer.subarray(0, lengthBytes);
  if (under !== undefined) bytes.set(under);
  bytes.fill(0, under?.length ?? 0);
  top.copyTo(bytes, 0);
  return { chunk, bytes, buffer };
}

/** The moments of those that have unsealed data and may be sealed now; or Wanted, all at once. */
export function momentsOf(state: State, chunks: readonly DirtyChunk[]): ChunkMoment[] {
  const ready = chunks.filter((chunk) => isReady(chunk));
  const wants: Wanted[] = [];
  for (const chunk of ready) {
    try {
      if (!chunk.standsAlone) belowOf(state, chunk);
    } catch (error) {
      if (!(error instanceof Wanted)) throw error;
      wants.push(error);
    }
  }
  if (wants.length > 0) throw wantAll(wants);
  return ready.map((chunk) => momentOf(state, chunk));
}

/** True when it has unsealed data that may be sealed now. */
export function isReady(chunk: DirtyChunk): boolean {
  return chunk.isWanted && chunk.sealing === undefined && !chunk.top.isEmpty;
}

/**
 * Seals all that these chunks hold at the time of the call, a few at a time. Where what lies below
 * is not to be had, a chunk stays as it is, and the first such failure is thrown in the end; peers
 * that are silent are then not asked for more.
 */
export async function sealChunks(state: State, chunks: readonly DirtyChunk[]): Promise<void> {
  const batches: DirtyChunk[][] = [];
  for (let from = 0; from < chunks.length; from += sealedAtOnce) {
    batches.push(chunks.slice(from, from + sealedAtOnce));
  }
  const next = batches.values();
  let failure: HiveError | undefined;
  const lane = async (): Promise<void> => {
    const breather = new Breather(() => state.needs.clock.monotonicMs());
    for (const batch of next) {
      const some = failure === undefined ? batch : batch.filter((one) => !lacksBelow(state, one));
      const failed = await sealBatch(state, some);
      failure ??= failed;
      await breather.breathe();
    }
  };
  await Promise.all(Array.from({ length: sealingLanes }, lane));
  if (failure !== undefined) throw failure;
}

/** One chunk that cannot be sealed must not keep the others of its batch back. */
async function sealBatch(
  state: State, chunks: readonly DirtyChunk[],
): Promise<HiveError | undefined> {
  let failure: HiveError | undefined;
  try {
    await ended(chunks);
    // A store without room keeps what it refused, and says so when its arrival is asked for.
    await attempt(() => seal(state, momentsOf(state, chunks)));
    await ended(chunks);
    return undefined;
  } catch (error) {
    if (!isFault(error)) throw error;
    if (chunks.length === 1) return error;
    if (chunks.some((chunk) => lacksBelow(state, chunk))) failure = error;
  }
  for (const chunk of chunks.filter((one) => !lacksBelow(state, one))) {
    const failed = await sealBatch(state, [chunk]);
    failure ??= failed;
  }
  return failure;
}

/** Resolves when none of what is being sealed now is under way any more. */
async function ended(chunks: readonly DirtyChunk[]): Promise<void> {
  for (const { sealing } of chunks) if (sealing !== undefined) await sealing.done;
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
