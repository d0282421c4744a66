/**
 * What a move between folders of two policies does besides: what has blocks of its own is sealed
 * anew in the background; a short file lies in its folder's pages and goes with them.
 */
import type { PolicySlot } from "../../base/blocks.ts";
import type { Inode } from "../../dag/inodes.ts";
import { hasBlocks, jointIn, slotOf } from "../looking/slots.ts";
import type { Change } from "../state/journal.ts";
import type { Node } from "../state/nodes.ts";
import type { State } from "../state/state.ts";
import { resealingChange } from "./folder-policy.ts";

/** The slot that the node goes by once a name of it is in this folder. */
function slotAfter(state: State, node: Node, into: Node): PolicySlot {
  const { inode, home } = node;
  const slot = slotOf(state, into);
  if (home.kind === "table") return jointIn(state, inode.policy, slot);
  return inode.content.kind === "directory" && inode.policy > 0 ? inode.policy : slot;
}

/** To be told with the move, and done after it. */
export function following(
  state: State, node: Node, into: Node,
): { readonly changes: readonly Change[]; readonly begin: () => void } {
  const isSplit = node.home.kind === "table" && node.inode.content.kind === "inline";
  // While some of it is in the wrong place, what moves may come to where nobody looks any more.
  const isSettled = !state.policies.resealing;
  const stays = isSettled && slotAfter(state, node, into) === slotOf(state, node);
  const isLight = !hasBlocks(node.inode) && node.live === undefined && !isSplit;
  if (stays || isLight) return { changes: [], begin: () => undefined };
  return { changes: [resealingChange(state)], begin: () => state.reseal(node) };
}

/** What the move changes of the inode. */
export function inodeAfterMove(state: State, node: Node, into: Node): Partial<Inode> {
  const slot = slotAfter(state, node, into);
  const policy = node.home.kind === "table" ? slot : node.inode.policy;
  return hasBlocks(node.inode) || node.live !== undefined ? { policy } : { policy, slot };
}
