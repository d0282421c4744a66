/**
 * The one way to change the state. An operation decides on a list of changes and calls `record`:
 * they go into the journal as one record, and into the active layer. Replay after a crash applies
 * what the journal holds: the same changes, the same state.
 */
import type { AppendOptions } from "../../base/blocks.ts";
import { assert } from "../../base/errors.ts";
import { type Inode, inodeWith } from "../../dag/inodes.ts";
import { anchorsOf } from "./anchors.ts";
import { apply } from "./applying.ts";
import { type Change, isOfDrive } from "./journal.ts";
import { markedAll } from "./marking.ts";
import type { Node } from "./nodes.ts";
import type { State } from "./state.ts";

/**
 * Journals the changes as one record and makes them so. The blocks that they name are durable,
 * unless it is said that they are not.
 */
export function record(
  state: State, changes: readonly Change[], options: AppendOptions = { namesDurableOnly: true },
): void {
  const isMarked = state.device.number > 0;
  recordAsIs(state, isMarked ? markedAll(state, changes) : changes, options);
}

/** The same for changes that another device made and marked. */
export function recordAsIs(
  state: State, changes: readonly Change[], options: AppendOptions = { namesDurableOnly: true },
): void {
  const told = changes.filter((change) => isTold(state, change));
  if (told.length > 0) {
    const anchors = anchorsOf(state, told);
    state.changed();
    state.journal.append([...anchors, ...told.map((one) => published(state, one))], options);
  }
  for (const change of changes) apply(state, change);
  if (!state.isTogether) tellMoves(state);
}

/** Several records that are one act: what moved is told when the last of them is made so. */
export function together(state: State, work: () => void): void {
  state.isTogether = true;
  try {
    work();
  } finally {
    state.isTogether = false;
    tellMoves(state);
  }
}

/** Not before the end of a record: half of it may leave a folder below what is in it. */
export function tellMoves({ movedFrom, secrets }: State): void {
  if (movedFrom.size === 0) return;
  secrets.moved(movedFrom);
  movedFrom.clear();
}

/** Every change of an inode is written through this: what it is now, and where it is kept. */
export function inodeChange(state: State, node: Node, change: Partial<Inode>): Change {
  const inode = inodeWith(node.inode, change);
  assert(inode.ino === node.ino);
  return { kind: "inode", inode, home: state.placeOf(node.home) };
}

/** A file without a name is not worth a record: a crash forgets it. */
function isTold(state: State, change: Change): boolean {
  if (isOfDrive(change)) return true;
  if (change.kind === "bind" || change.kind === "unbind" || change.kind === "graft") return true;
  if (change.kind === "inode" && change.home.kind !== "none") return true;
  const node = state.nodes.find(change.kind === "inode" ? change.inode.ino : change.ino);
  return node !== undefined && node.home.kind !== "none";
}

function published(state: State, change: Change): Change {
  if (change.kind !== "inode") return change;
  const node = state.nodes.find(change.inode.ino);
  if (node?.live === undefined) return change;
  return { ...change, inode: state.publishedInode(node, change.inode) };
}
