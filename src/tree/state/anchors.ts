/**
 * What a record of the journal says first: where the nodes that it changes are found, so that a
 * replay, which has nothing in memory, can load them. Each is told once in a layer.
 */
import { type Change, type HomePlace, inoOf, isOfDrive } from "./journal.ts";
import type { Node } from "./nodes.ts";
import type { State } from "./state.ts";

export function anchorsOf(state: State, changes: readonly Change[]): readonly Change[] {
  const anchors: Change[] = [];
  for (const change of changes) {
    if (isOfDrive(change)) continue;
    if (change.kind === "inode") anchorHome(state, change.home, anchors);
    const node = state.nodes.find(inoOf(change));
    if (node !== undefined) anchor(state, node, anchors);
  }
  return anchors;
}

/** A folder that is not in memory is made by the same record. */
function anchorHome(state: State, home: HomePlace, anchors: Change[]): void {
  const parent = home.kind === "entry" ? state.nodes.find(home.parent) : undefined;
  if (parent !== undefined) anchor(state, parent, anchors);
}

function anchor(state: State, node: Node, anchors: Change[]): void {
  const { number } = state.active;
  if (node.anchored === number) return;
  node.anchored = number;
  const { home } = node;
  if (home.kind === "entry") {
    anchor(state, home.parent, anchors);
    anchors.push({ kind: "where", ino: node.ino, parent: home.parent.ino, key: home.key });
  } else if (home.kind === "table") {
    anchors.push({ kind: "where", ino: node.ino, parent: undefined, key: node.ino });
  }
  state.keep(node);
}
