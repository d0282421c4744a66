/**
 * Extended attributes. Few and small ones lie in the inode; more of them become a sealed block of
 * their own when they are committed. Who may see or set which namespace is the kernel's to say.
 */
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Maybe } from "../../base/step.ts";
import { parseXattrs, xattrBytes } from "../../dag/inode-bytes.ts";
import { type Inode, type Xattrs, noXattrs, setGid } from "../../dag/inodes.ts";
import type { Node } from "../state/nodes.ts";
import { pinXattr } from "../state/pins.ts";
import { inodeChange, record } from "../state/recording.ts";
import type { State } from "../state/state.ts";
import { isAccessList, isAclName, modeForAcl } from "./acl.ts";
import { policyOf, policyXattr, removePolicy, setPolicy } from "./folder-policy.ts";

const { xattrBytesMax, xattrTotalBytesMax } = limits.tree;
const nameBytesMax = 255;
const namespaces = /^(user|trusted|security)\../;

export interface SetXattr {
  readonly name: string;
  readonly value: Uint8Array;
  readonly mode: "any" | "create" | "replace";
  readonly dropSetGid?: boolean;
}

/** All of an inode's attributes, or Wanted. */
export function valuesOf(state: State, inode: Inode): ReadonlyMap<string, Buffer> {
  const { xattrs } = inode;
  if (xattrs.kind === "inside") return xattrs.values;
  // They may be kept for long: a copy, since the chunk's own bytes are used again.
  return parseXattrs(Buffer.from(state.blocks.chunk(xattrs.link)));
}

/** The values as an inode keeps them. */
export function withValues(values: ReadonlyMap<string, Buffer>): Xattrs {
  return values.size === 0 ? noXattrs : { kind: "inside", values };
}

export function getXattr(state: State, node: Node, name: string): Uint8Array {
  const value = valueOf(state, node, name);
  if (value === undefined) throw new HiveError("NoData", "tree.getxattr", name);
  return value;
}

export function listXattrs(state: State, node: Node): readonly string[] {
  const names = [...valuesOf(state, node.inode).keys()];
  if (policyOf(state, node) !== undefined) names.push(policyXattr);
  // What only follows from a folder above is not the file's own: copies would take it along.
  if (state.pins.own(node.ino) !== undefined) names.push(pinXattr);
  return names;
}

function valueOf(state: State, node: Node, name: string): Uint8Array | undefined {
  if (name === policyXattr) return policyOf(state, node);
  if (name === pinXattr) return state.pins.valueOf(node);
  return valuesOf(state, node.inode).get(name);
}

export function setXattr(
  state: State,
  node: Node,
  { name, value, mode, dropSetGid = false }: SetXattr,
): Maybe<void> {
  // It is none of the drive's, and durable once its own list is.
  if (name === pinXattr) return state.pins.set(node, { value, mode });
  state.mayChange();
  checkName(name);
  if (name === policyXattr) return setPolicy(state, node, { value, mode });
  if (value.length > xattrBytesMax) throw new HiveError("TooLarge", "tree.setxattr", name);
  const values = new Map(valuesOf(state, node.inode));
  if (mode === "create" && values.has(name)) throw new HiveError("Exists", "tree.setxattr", name);
  const absent = mode === "replace" && !values.has(name);
  if (absent) throw new HiveError("NoData", "tree.setxattr", name);
  const acl = modeForAcl(node.inode.mode, name, value);
  if (acl.keeps) values.set(name, Buffer.from(value));
  else values.delete(name);
  const fits = xattrBytes(values) <= xattrTotalBytesMax;
  if (!fits) throw new HiveError("NoSpace", "tree.setxattr", name);
  const kept = dropSetGid && isAccessList(name) ? acl.mode & ~setGid : acl.mode;
  change(state, node, values, kept);
}

export function removeXattr(state: State, node: Node, name: string): Maybe<void> {
  if (name === pinXattr) return state.pins.remove(node.ino);
  state.mayChange();
  if (name === policyXattr) return removePolicy(state, node);
  const values = new Map(valuesOf(state, node.inode));
  if (!values.delete(name)) {
    // A list that says no more than the mode is not kept: taking it away is no fault.
    if (isAclName(name)) return;
    throw new HiveError("NoData", "tree.removexattr", name);
  }
  change(state, node, values, node.inode.mode);
}

function change(
  state: State,
  node: Node,
  values: ReadonlyMap<string, Buffer>,
  mode: number,
): void {
  const xattrs = withValues(values);
  record(state, [inodeChange(state, node, { xattrs, mode, ctime: state.now() })]);
}

function checkName(name: string): void {
  if (name.length > nameBytesMax) throw new HiveError("OutOfRange", "tree.setxattr", name);
  // Of the system's, which the kernel lets anybody set on any file, there are access lists alone.
  const isKnown = namespaces.test(name) || isAclName(name);
  if (!isKnown) throw new HiveError("Unsupported", "tree.setxattr", name);
}
