/**
 * A file as it was at one moment, told by what of it is sealed: published once the store has it,
 * while its writers go on.
 */
import type { Cid } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { ChunkLink } from "../../dag/chunks.ts";
import { type Live, type Node, allocatedFor } from "../state/nodes.ts";
import { isFilling } from "../state/room.ts";
import type { State } from "../state/state.ts";
import { dataOnTop } from "./promises.ts";
import { allocatedWith, publishLinks, settleLive } from "./publishing.ts";

const { chunkBytes } = limits.tree;

/** A file as it was at one moment, all of it sealed. */
export interface Capture {
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
export function captureOf(
  state: State, node: Node, live: Live,
  { sizeBytes, withholds }: { readonly sizeBytes: number; readonly withholds: boolean },
): Capture {
  const isShort = withholds && isFilling(state);
  const withheld = isShort ? pendingLinks(state, live) : new Map<number, ChunkLink>();
  const end = Math.min(sizeBytes, ...untoldFrom(live, withheld.keys()));
  const links = new Map([...live.links].filter(([index]) => {
    return !withheld.has(index) && index * chunkBytes < end;
  }));
  const allocatedBytes = allocatedWith(live, links);
  const cids = [...withheld.values()].map(({ cid }) => cid);
  const number = ++live.captures;
  return { node, live, number, sizeBytes: end, links, allocatedBytes, withheld: cids };
}

/** How far the file can be told by its sealed chunks, and what is published of it, alone. */
export function sealedBytes(node: Node, live: Live): number {
  return Math.min(node.inode.sizeBytes, ...untoldFrom(live, live.dirty.keys()));
}

/**
 * Where chunks begin that are left out, but for what was told of them before: it stays as it is,
 * and no size keeps the others back.
 */
function untoldFrom({ published }: Live, indexes: Iterable<number>): number[] {
  const growing = [...indexes].filter((index) => (index + 1) * chunkBytes > published.sizeBytes);
  return growing.map((index) => Math.max(index * chunkBytes, published.sizeBytes));
}

/** The chunks of the file that the store has no room for yet. */
export function pendingLinks(state: State, live: Live): ReadonlyMap<number, ChunkLink> {
  return new Map([...live.links].filter(([, { cid }]) => state.blocks.isPending(cid)));
}

export function publishCapture(state: State, capture: Capture): void {
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
