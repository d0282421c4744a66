/**
 * A file that has one name again goes back to where that is: as long as it lies in the table of
 * files with several names, it does not come along with a folder that somebody is given. Nobody
 * writes down where the names of such a file are, so this one goes by those that were given or met
 * while the file was in memory. Where none of them is known it stays in the table, as it may. Pure.
 */
import { briefOf, findName, isDirectory } from "../looking/names.ts";
import { slotOf } from "../looking/slots.ts";
import type { HomePlace } from "../state/journal.ts";
import type { Node, NodeName } from "../state/nodes.ts";
import type { State } from "../state/state.ts";

/** Where the file is to live once it has lost this name, which leaves it one. */
export function wayHome(
  state: State, node: Node, lost: Pick<NodeName, "parent" | "key">,
): HomePlace | undefined {
  const others = node.names.filter(({ parent, key }) => parent !== lost.parent || key !== lost.key);
  const left = others.find((name) => isStill(state, node, name));
  const isHere = left !== undefined && mayLiveIn(state, node, left);
  return isHere ? { kind: "entry", ...left } : undefined;
}

/** What lies under another policy than the folder's has to be sealed anew first. */
export function mayLiveIn(state: State, node: Node, { parent }: Pick<NodeName, "parent">): boolean {
  const folder = state.nodes.find(parent);
  if (folder === undefined) return false;
  const slot = slotOf(state, folder);
  const { inode, live, treeSlot } = node;
  const slots = [slotOf(state, node), inode.slot, treeSlot, live?.slot ?? slot];
  return slots.every((one) => one === slot);
}

/** It may have been renamed since, as may the folder have gone. */
function isStill(state: State, node: Node, { parent, key, name }: NodeName): boolean {
  const folder = state.nodes.find(parent);
  if (folder === undefined || !isDirectory(folder) || folder.inode.links === 0) return false;
  const found = findName(state, folder, name);
  return found?.key === key && briefOf(state, found).ino === node.ino;
}
