/** Taking names away: unlink and rmdir. A file that is open lives on until its last handle goes. */
import { HiveError } from "../../base/errors.ts";
import type { Place } from "../../base/filesystem.ts";
import { dropWrites } from "../content/sealing.ts";
import { directoryOf, entriesOf, findName, isDirectory, nodeOf } from "../looking/names.ts";
import { slotOf } from "../looking/slots.ts";
import type { Change, HomePlace } from "../state/journal.ts";
import type { Node, NodeName } from "../state/nodes.ts";
import { inodeChange, record } from "../state/recording.ts";
import type { State } from "../state/state.ts";
import { parentChange } from "./making.ts";
import { wayHome } from "./one-name.ts";

export function unlink(state: State, at: Place): void {
  state.mayChange();
  const parent = directoryOf(state, at.parent);
  const found = findName(state, parent, at.name);
  if (found === undefined) throw new HiveError("NotFound", "tree.unlink", at.name);
  const node = nodeOf(state, parent, found);
  if (isDirectory(node)) throw new HiveError("IsDirectory", "tree.unlink", at.name);
  record(state, [
    { kind: "unbind", directory: parent.ino, key: found.key },
    ...nameLost(state, node, { parent: parent.ino, key: found.key }),
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
  record(state, [
    { kind: "unbind", directory: parent.ino, key: found.key },
    ...nameLost(state, node, { parent: parent.ino, key: found.key }),
    parentChange(state, parent, { entries: -1, links: -1 }),
  ]);
}

/** The inode with one name fewer; a directory has only one. */
export function nameLost(
  state: State, node: Node, lost: Pick<NodeName, "parent" | "key">,
): readonly Change[] {
  const links = isDirectory(node) ? 0 : node.inode.links - 1;
  const ctime = state.now();
  const home = links === 1 ? wayHome(state, node, lost) : undefined;
  // Where it lives in a folder it goes by that.
  if (home !== undefined) {
    return cameHome(inodeChange(state, node, { links, policy: 0, ctime }), home);
  }
  // Without a name it is in no folder, and may still be written to.
  const policy = isDirectory(node) || links > 0 ? node.inode.policy : slotOf(state, node);
  const change = inodeChange(state, node, { links, policy, ctime });
  if (links > 0 || change.kind !== "inode") return [change];
  return [{ ...change, home: { kind: "none" } }];
}

/** Its only name leads to the inode itself from now on. */
function cameHome(change: Change, home: HomePlace): readonly Change[] {
  if (change.kind !== "inode" || home.kind !== "entry") return [change];
  const { parent, key, name } = home;
  const { ino } = change.inode;
  return [{ ...change, home }, { kind: "bind", directory: parent, key, name, ino }];
}

/** Data that nobody can read any more need not be sealed. */
export function afterLoss(state: State, node: Node): void {
  if (node.inode.links === 0 && node.handles === 0) dropWrites(state, node);
  // By the name that is gone it might have been found to be in the wrong place.
  if (node.inode.links > 0 && state.policies.resealing) state.reseal(node);
  state.nodes.settle(node);
}
