/**
 * Folders in which nothing more is taken. Too few peers satisfy their policy, and it says that data
 * is then to be refused: what would make the drive larger there fails as it does on a full disk.
 * Looking, reading, deleting, and all that moves within the folder goes on, and so does giving it
 * another policy. Which policies these are, others judge; here is only what follows.
 *
 * Nothing that is in the drive already is touched, and what the drive does by itself (sealing anew,
 * merging) is never refused: that data waits on this machine.
 */
import { HiveError } from "../../base/errors.ts";
import type { AttributeChange, OpenFlags } from "../../base/filesystem.ts";
import { nameOfSlot } from "../../dag/policies.ts";
import { slotOf } from "../looking/slots.ts";
import type { Node } from "../state/nodes.ts";
import { pinXattr } from "../state/pins.ts";
import type { State } from "../state/state.ts";
import { policyXattr } from "./folder-policy.ts";

/** What the whole drive goes by, unless a folder says otherwise. */
const wholeDrive = "";

/** The node, if something may be added to it, or below it. */
export function growing(state: State, node: Node): Node {
  // Every write comes by here.
  if (state.refused.size === 0) return node;
  const slot = slotOf(state, node);
  const name = slot === 0 ? wholeDrive : nameOfSlot(state.policies, slot);
  const why = name === undefined ? undefined : state.refused.get(name);
  if (why === undefined) return node;
  throw new HiveError("NoSpace", "tree.refused", name === wholeDrive ? why : `${name}: ${why}`);
}

/**
 * Writes may stay in the kernel for a while, where no program hears how they end; and who cannot
 * write what takes its place is not to empty a file.
 */
export function opening(state: State, node: Node, flags: OpenFlags): Node {
  return flags.write ? growing(state, node) : node;
}

export function resizing(state: State, node: Node, { sizeBytes }: AttributeChange): Node {
  return sizeBytes !== undefined && sizeBytes > node.inode.sizeBytes ? growing(state, node) : node;
}

export function describing(state: State, node: Node, xattr: string): Node {
  return xattr === policyXattr || xattr === pinXattr ? node : growing(state, node);
}

/** What stays under its policy takes no more room than before. */
export function refuseArrival(state: State, from: Node, to: Node): void {
  if (slotOf(state, from) !== slotOf(state, to)) growing(state, to);
}
