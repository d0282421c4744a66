/**
 * Bringing the memory of what was written back under its bound, by what was longest untouched:
 * chunks are sealed, and what is short enough to lie in its directory's page goes there at once. As
 * a block of its own it would be one for each of thousands of small files, here and on peers. What
 * lacks what lies below it stays as it is, within a bound of its own (bringing.ts).
 */
import type { Cid } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Maybe } from "../../base/step.ts";
import { lacksBelow } from "../looking/content.ts";
import type { DirtyChunk } from "../state/dirty.ts";
import type { State } from "../state/state.ts";
import { fitsInline, publishInline } from "./inlining.ts";
import { isReady, sealChunks } from "./sealing.ts";

const { dirtyBytesMax } = limits.tree;

/** The writer waits for what has to be sealed. */
export function relieve(state: State): Maybe<void> {
  let overBytes = state.dirtyBytes - state.sealingBytes - dirtyBytesMax;
  if (overBytes <= 0) return;
  const oldest: DirtyChunk[] = [];
  for (const chunk of state.dirtyChunks) {
    if (overBytes <= 0) break;
    if (!isReady(chunk) || lacksBelow(state, chunk)) continue;
    overBytes -= chunk.top.heldBytes;
    const { node } = chunk;
    if (node.live !== undefined && fitsInline(state, node, node.live)) publishInline(state, node);
    else oldest.push(chunk);
  }
  if (oldest.length === 0) return;
  return sealChunks(state, oldest).then(() => linksArrive(state, oldest));
}

/** The writer hears of a store that had no room for what it made others give up. */
function linksArrive(state: State, chunks: readonly DirtyChunk[]): Promise<void> {
  const cids = chunks.map(({ node, index }) => node.live?.links.get(index)?.cid);
  return state.blocks.arrive(cids.filter((cid): cid is Cid => cid !== undefined));
}
