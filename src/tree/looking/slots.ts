/**
 * Which policy a file or folder goes by: that of the nearest folder above which has one, the
 * folder itself included; without any, the drive's default, slot 0. The drive's root decides what
 * the default is, and never has another slot. A file that has several names, or none, belongs to
 * no folder and knows its slot itself. Looking is a walk up the nodes in memory, and remembered
 * until some folder moves or is given another policy. It never waits.
 */
import type { PolicySlot, SlotName } from "../../base/blocks.ts";
import type { Ino } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { xattrBytes } from "../../dag/inode-bytes.ts";
import { type Inode, mergedSlot } from "../../dag/inodes.ts";
import { jointSlot, nameOfSlot } from "../../dag/policies.ts";
import type { Layer } from "../state/layers.ts";
import type { Home, Live, Node } from "../state/nodes.ts";
import { snapshotOf } from "../state/plans.ts";
import type { State } from "../state/state.ts";

export function slotOf(state: State, node: Node): PolicySlot {
  if (state.policies.names.length === 0) return 0;
  const { placesChanged } = state;
  if (node.slotAt === placesChanged) return node.slot;
  const way: Node[] = [];
  let at = node;
  while (at.slotAt !== placesChanged && ownSlot(at) === undefined) {
    way.push(at);
    at = parentOf(at.home);
  }
  const slot = at.slotAt === placesChanged ? at.slot : ownSlot(at) as PolicySlot;
  for (const one of [...way, at]) Object.assign(one, { slot, slotAt: placesChanged });
  return slot;
}

/** The same as a layer has it, which is about to be written into pages. */
export function slotIn(layer: Layer, ino: Ino): PolicySlot {
  for (let at = snapshotOf(layer, ino); ; at = snapshotOf(layer, parentOf(at.home).ino)) {
    const slot = ownSlot(at);
    if (slot !== undefined) return slot;
  }
}

/** The folder whose policy it is; the root where it is the default. */
export function governorOf(node: Node): Node {
  let at = node;
  while (ownSlot(at) === undefined && at.home.kind === "entry") at = parentOf(at.home);
  return at;
}

/** Undefined for what goes by the folder above it. */
function ownSlot({ inode, home }: Pick<Node, "inode" | "home">): PolicySlot | undefined {
  if (home.kind === "root") return 0;
  if (home.kind !== "entry") return inode.policy;
  const isFolder = inode.content.kind === "directory";
  return isFolder && inode.policy > 0 ? inode.policy : undefined;
}

function parentOf(home: Home): Node {
  if (home.kind === "entry") return home.parent;
  throw new Error(`unreachable: ${home.kind}`);
}

/** The table of linked files goes by the default: only what does too may lie in its pages. */
export function mayBeInline(state: State, node: Node): boolean {
  return node.home.kind !== "table" || slotOf(state, node) === 0;
}

/** Something of it lies in blocks or pages of its own, or will with the next commit. */
export function hasBlocks({ xattrs, content }: Inode): boolean {
  if (content.kind === "chunks" || content.kind === "directory") return true;
  return xattrs.kind === "block" || isLarge(xattrs.values);
}

function isLarge(values: ReadonlyMap<string, Buffer>): boolean {
  return values.size > 0 && xattrBytes(values) > limits.tree.xattrInsideBytesMax;
}

/** The slot of a file's blocks once it also has such that were sealed under `more`. */
function slotWith(inode: Inode, more: PolicySlot | undefined): PolicySlot {
  if (more === undefined) return inode.slot;
  return hasBlocks(inode) ? mergedSlot(inode.slot, more) : more;
}

/** What a file says of its blocks once it has those of another, or of its own live state, too. */
export function sealedAs(
  inode: Inode, { slot, era }: Pick<Live, "slot" | "era">,
): Pick<Inode, "slot" | "era"> {
  return { slot: slotWith(inode, slot), era: hasBlocks(inode) ? Math.min(inode.era, era) : era };
}

/** What the uploader must know: the names of the slots, the root's own among them as slot 0. */
export function slotNames({ policies, nodes }: State): readonly SlotName[] {
  const named = policies.names.map((name, at) => ({ slot: at + 1, name }));
  const whole = nameOfSlot(policies, nodes.root.inode.policy);
  return whole === undefined ? named : [{ slot: 0, name: whole }, ...named];
}

/** Of a file whose attributes were just put under this slot. */
export function withAttributes({ slot, content }: Inode, own: PolicySlot): PolicySlot {
  return content.kind === "chunks" ? mergedSlot(slot, own) : own;
}

/** A directory's pages tell of its attributes, too; of a file they are only a part. */
export function writtenSlot({ tree, treeSlot }: Node, inode: Inode): PolicySlot {
  if (inode.content.kind === "directory") return treeSlot;
  return tree.root.kind === "page" ? mergedSlot(inode.slot, treeSlot) : inode.slot;
}

/** What goes by both: of several names of a file each lies in a folder of its own. */
export function jointIn({ policies }: State, one: PolicySlot, other: PolicySlot): PolicySlot {
  return jointSlot((slot) => nameOfSlot(policies, slot), one, other);
}
