/**
 * What is short lies in its inode, and with it in its directory's page: it is published without a
 * block of its own, and nothing is waited for.
 */
import { limits } from "../../base/limits.ts";
import type { Content } from "../../dag/inodes.ts";
import { mayBeInline, slotOf } from "../looking/slots.ts";
import type { Live, Node } from "../state/nodes.ts";
import { inodeChange, record } from "../state/recording.ts";
import type { State } from "../state/state.ts";
import { dropWrites } from "./sealing.ts";

const { inlineBytesMax } = limits.tree;

/** True when all of it may lie in its inode, and none of it is sealed. */
export function fitsInline(state: State, node: Node, live: Live): boolean {
  if (node.inode.content.kind !== "inline" || live.links.size > 0) return false;
  if (!mayBeInline(state, node)) return false;
  const chunks = [...live.dirty.values()];
  return chunks.every(({ index, lengthBytes, sealing }) => {
    return index === 0 && lengthBytes <= inlineBytesMax && sealing === undefined;
  });
}

/** Publishes what is small enough to lie in the inode; the next write begins anew. */
export function publishInline(state: State, node: Node): void {
  const chunk = node.live?.dirty.get(0);
  const bytes = Buffer.alloc(chunk?.lengthBytes ?? 0);
  chunk?.top.copyTo(bytes, 0);
  const content: Content = { kind: "inline", bytes };
  dropWrites(state, node);
  const { xattrs, slot } = node.inode;
  const rest = xattrs.kind === "block" ? slot : slotOf(state, node);
  record(state, [inodeChange(state, node, { content, slot: rest })]);
}
