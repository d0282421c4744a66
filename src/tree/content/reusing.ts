/**
 * A file's data given to another file by its links alone: both have the same blocks. For a file of
 * the past, whose blocks are durable; the other one is new.
 */
import { limits } from "../../base/limits.ts";
import { Wanted, attempt } from "../attempt.ts";
import { linksFrom } from "../looking/content.ts";
import { sealedAs, slotOf } from "../looking/slots.ts";
import type { Change } from "../state/journal.ts";
import { type Node, allocatedFor } from "../state/nodes.ts";
import { inodeChange, record } from "../state/recording.ts";
import type { State } from "../state/state.ts";
import { flush } from "./flush.ts";

const { chunkBytes } = limits.tree;

export interface Source {
  readonly state: State;
  readonly node: Node;
}

/**
 * Blocks of another policy are no copy: they have to be sealed anew. So have those of an earlier
 * era that are to lie where somebody may have been shut out since who has their keys.
 */
export function mayShare(state: State, { node: { inode } }: Source, to: Node): boolean {
  const areKnown = inode.era < state.eras.now && state.secrets.areGiven(to);
  return inode.content.kind === "chunks" && inode.slot === slotOf(state, to) && !areKnown;
}

export async function shareFile(state: State, from: Source, to: Node): Promise<void> {
  for (let first: number | undefined = 0; first !== undefined; ) {
    const at: number = first;
    first = await attempt(() => shareSome(state, from, { to, first: at }));
  }
}

/** One record's worth; answers where the next begins. */
function shareSome(
  state: State, from: Source, { to, first }: { readonly to: Node; readonly first: number },
): number | undefined {
  state.mayChange();
  if (to.live !== undefined) throw new Wanted(() => flush(state, to));
  const { ino } = to;
  const changes: Change[] = [];
  let grown = 0;
  let next: number | undefined;
  for (const { index, link } of linksFrom(from.state, from.node, first)) {
    if (changes.length === limits.snapshots.linksAtOnce) {
      next = index;
      break;
    }
    changes.push({ kind: "chunk", ino, index, link });
    grown += allocatedFor(link.lengthBytes);
  }
  const sizeBytes = next === undefined ? from.node.inode.sizeBytes : next * chunkBytes;
  const content = { kind: "chunks", allocatedBytes: to.allocatedBytes + grown } as const;
  const sealed = sealedAs(to.inode, from.node.inode);
  record(state, [inodeChange(state, to, { content, sizeBytes, ...sealed }), ...changes]);
  return next;
}
