/** Taking names away: unlink and rmdir. A file that is open lives on until its last handle goes. */
import { HiveError } from "../base/errors.ts";
import type { Place } from "../base/filesystem.ts";
import type { Change } from "./journal.ts";
import { parentChange } from "./making.ts";
import { directoryOf, entriesOf, findName, isDirectory, nodeOf } from "./names.ts";
import type { Node } from "./nodes.ts";
import { slotOf } from "./slots.ts";
import { type State, inodeChange } from "./state.ts";
import { dropWrites } from "./sealing.ts";

export function unlink(state: State, at: Place): void {
  state.mayChange();
  const parent = directoryOf(state, at.parent);
  const found = findName(state, parent, at.name);
  if (found === undefined) throw new HiveError("NotFound", "tree.unlink", at.name);
  const node = nodeOf(state, parent, found);
  if (isDirectory(node)) throw new HiveError("IsDirectory", "tree.unlink", at.name);
  state.record([
    { kind: "unbind", directory: parent.ino, key: found.key },
    nameLost(state, node),
    parentChange(state, parent, { entries: -1, links: 0 }),
  ]);
  afterLoss(state, node);
}

export function rmdir(state: State, at: Place): void {
  state.mayChange();
  const parent = directoryOf(state, at.parent);
  const found = findName(state, parent, at.name);
  if (found === undefined) throw new HiveError("NotFound", "tree.rmdir", at.name);
  const node = nodeOf(state, parent, found);
  if (!isDirectory(node)) throw new HiveError("NotDirectory", "tree.rmdir", at.name);
  if (entriesOf(node) > 0) throw new HiveError("NotEmpty", "tree.rmdir", at.name);
  state.record([
    { kind: "unbind", directory: parent.ino, key: found.key },
    nameLost(state, node),
    parentChange(state, parent, { entries: -1, links: -1 }),
  ]);
}

/** The inode with one name fewer; a directory has only one. */
export function nameLost(state: State, node: Node): Change {
  const links = isDirectory(node) ? 0 : node.inode.links - 1;
  // Without a name it is in no folder, and may still be written to.
  const policy = isDirectory(node) || links > 0 ? node.inode.policy : slotOf(state, node);
  const change = inodeChange(state, node, { links, policy, ctime: state.now() });
  if (links > 0 || change.kind !== "inode") return change;
  return { ...change, home: { kind: "none" } };
}

/** Data that nobody can read any more need not be sealed. */
export function afterLoss(state: State, node: Node): void {
  if (node.inode.links === 0 && node.handles === 0) dropWrites(state, node);
  state.nodes.settle(node);
}
