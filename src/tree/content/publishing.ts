/**
 * How a file's data gets into the journal: links of sealed chunks, and bytes of those that are not.
 */
import type { AppendOptions } from "../../base/blocks.ts";
import { limits } from "../../base/limits.ts";
import type { ChunkLink } from "../../dag/chunks.ts";
import type { Content } from "../../dag/inodes.ts";
import { sealedAs } from "../looking/slots.ts";
import type { Change } from "../state/journal.ts";
import { type Live, type Node, allocatedFor } from "../state/nodes.ts";
import { inodeChange, record } from "../state/recording.ts";
import type { State } from "../state/state.ts";
import { dataChanges, dataOnTop, freshBytes } from "./promises.ts";

const { chunkBytes } = limits.tree;
/** What a link takes in a record, at most. */
const linkRecordBytes = 96;

/** True when the journal does not tell all that the file is now. */
export function hasNews(node: Node, live: Live): boolean {
  const grown = live.published.sizeBytes !== node.inode.sizeBytes;
  return grown || live.links.size > 0 || freshBytes(live) > 0;
}

/** How something is told. */
export interface Telling extends AppendOptions {
  /** The journal was told all of it before, and other devices of it: it is no other edit. */
  readonly isAgain?: boolean;
}

/**
 * Publishes all at once, without waiting: links as they are, the rest as bytes in the journal. As
 * bytes go those sealed chunks too that the store has no room for: their links stay unpublished.
 */
export function publishNow(
  state: State, node: Node, live: Live, options: Telling,
  homeless: ReadonlyMap<number, ChunkLink> = new Map(),
): void {
  const links = new Map([...live.links].filter(([index]) => !homeless.has(index)));
  const allocatedBytes = allocatedWith(live, links);
  const below = [...homeless].map(([index, link]) => chunkData(state, node, index, link));
  const onTop = dataOnTop(live, live.links);
  const data = [...below, ...onTop, ...[...live.news].flatMap((chunk) => dataChanges(chunk))];
  live.news.clear();
  for (const index of links.keys()) {
    live.links.delete(index);
    live.over.delete(index);
  }
  live.publishedCapture = live.captures;
  const { sizeBytes } = node.inode;
  publishLinks(state, node, live, { links, sizeBytes, allocatedBytes, data, ...options });
  const rest = live.dirty.size + live.links.size;
  live.promised = rest > 0;
  if (rest === 0) settleLive(state, node);
}

/** All of a sealed chunk, as bytes. */
function chunkData(state: State, node: Node, index: number, link: ChunkLink): Change {
  const bytes = Buffer.from(state.blocks.chunk(link));
  return { kind: "data", ino: node.ino, offsetBytes: index * chunkBytes, bytes };
}

/** How the file is told from now on. */
interface Publication extends Telling {
  readonly links: ReadonlyMap<number, ChunkLink>;
  readonly sizeBytes: number;
  readonly allocatedBytes: number;
  readonly data: readonly Change[];
}

export function publishLinks(state: State, node: Node, live: Live, told: Publication): void {
  const { ino, content } = node.inode;
  const { sizeBytes, allocatedBytes, data, namesDurableOnly, isAgain = false } = told;
  const links: Change[] = [...told.links].map(([index, link]) => {
    return { kind: "chunk", ino, index, link };
  });
  const chunked = content.kind === "chunks" || links.length > 0;
  const isSame = isAgain || !chunked;
  const next: Content = isSame ? content : { kind: "chunks", allocatedBytes };
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
      record(state, part, options);
      part = [];
      bytes = 0;
    }
    part.push(change);
    bytes += more;
  }
  record(state, [...part, last], options);
}

/** Nothing is unpublished any more: the inode alone tells all. */
export function settleLive(state: State, node: Node): void {
  node.live = undefined;
  state.liveFiles.delete(node);
  state.nodes.settle(node);
}

/** What the file takes once these of its new chunks are told, and no others. */
export function allocatedWith(live: Live, told: ReadonlyMap<number, ChunkLink>): number {
  let { allocatedBytes } = live;
  for (const [index, link] of live.links) {
    if (told.has(index)) continue;
    allocatedBytes -= allocatedFor(link.lengthBytes) - (live.over.get(index) ?? 0);
  }
  return allocatedBytes;
}
