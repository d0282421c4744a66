/**
 * chmod, chown, truncate, utimes: one call may ask for several, and they are one journal record.
 * Who may do what is the kernel's to say (default_permissions, and with it sticky directories);
 * what follows for the set-user-id and set-group-id bits is decided here.
 */
import { HiveError } from "../../base/errors.ts";
import type { AttributeChange, Caller, Instant } from "../../base/filesystem.ts";
import { limits } from "../../base/limits.ts";
import { type Inode, fileType, inodeWith, setGid, setUid, typeMask } from "../../dag/inodes.ts";
import { Wanted } from "../attempt.ts";
import { flush } from "../content/flush.ts";
import { dropWrites } from "../content/sealing.ts";
import { fileOf, linkAt, linksFrom } from "../looking/content.ts";
import type { Change } from "../state/journal.ts";
import { type Node, allocatedFor } from "../state/nodes.ts";
import { inodeChange, record } from "../state/recording.ts";
import type { State } from "../state/state.ts";
import { aclForMode } from "./acl.ts";
import { valuesOf, withValues } from "./xattrs.ts";

const { chunkBytes, fileBytesMax } = limits.tree;
const groupExecute = 0o010;
const permissionMask = 0o7777;

type Draft = { -readonly [K in keyof Inode]: Inode[K] };

export function setAttributes(
  state: State,
  node: Node,
  change: AttributeChange,
  caller?: Caller,
): void {
  state.mayChange();
  const now = state.now();
  const { sizeBytes } = change;
  const resize = sizeBytes === undefined ? undefined : planResize(state, node, sizeBytes);
  const next: Draft = inodeWith(node.inode, resize?.inode ?? {});
  if (resize !== undefined) next.mtime = now;
  next.mode = modeAfter(node.inode, change, caller);
  next.uid = change.uid ?? next.uid;
  next.gid = change.gid ?? next.gid;
  next.atime = moment(change.atime, now) ?? next.atime;
  next.mtime = moment(change.mtime, now) ?? next.mtime;
  next.ctime = moment(change.ctime, now) ?? now;
  if (change.mode !== undefined) followMode(state, node, next);
  if (resize?.forget === true) dropWrites(state, node);
  record(state, [inodeChange(state, node, next), ...(resize?.changes ?? [])]);
}

function moment(asked: Instant | "now" | undefined, now: Instant): Instant | undefined {
  return asked === "now" ? now : asked;
}

function modeAfter(inode: Inode, change: AttributeChange, caller: Caller | undefined): number {
  const type = inode.mode & typeMask;
  if (change.mode !== undefined) return type | (change.mode & permissionMask);
  const chown = change.uid !== undefined || change.gid !== undefined;
  const drops = change.dropPrivileges === true || chown;
  return drops && type !== fileType.directory ? withoutPrivileges(inode, caller) : inode.mode;
}

/**
 * Set-group-id without group execution once meant mandatory locking, and stays for root and the
 * group. Of a caller's groups we know one: a member by another loses the bit, which harms nobody.
 */
function withoutPrivileges({ mode, gid }: Inode, caller: Caller | undefined): number {
  const kept = mode & ~setUid;
  const foreign = caller !== undefined && caller.uid !== 0 && caller.gid !== gid;
  return (kept & groupExecute) === 0 && !foreign ? kept : kept & ~setGid;
}

/** An access list follows chmod, as chmod follows it. */
function followMode(state: State, node: Node, next: Draft): void {
  const values = valuesOf(state, node.inode);
  const followed = aclForMode(values, next.mode);
  if (followed !== undefined) next.xattrs = withValues(followed);
}

interface Resize {
  readonly inode: Partial<Inode>;
  readonly changes: readonly Change[];
  readonly forget?: boolean;
}

/** What truncate does; unpublished data is flushed first, or forgotten with the rest. */
function planResize(state: State, node: Node, sizeBytes: number): Resize {
  const { ino, content } = fileOf(node).inode;
  const valid = Number.isSafeInteger(sizeBytes) && sizeBytes >= 0;
  if (!valid) throw new HiveError("Invalid", "tree.truncate", String(sizeBytes));
  if (sizeBytes > fileBytesMax) throw new HiveError("TooLarge", "tree.truncate", String(sizeBytes));
  if (sizeBytes === 0) {
    const empty = { kind: "inline", bytes: Buffer.alloc(0) } as const;
    const inode = { sizeBytes, content: empty };
    return { inode, changes: [{ kind: "cut", ino, from: 0 }], forget: true };
  }
  if (node.live !== undefined) throw new Wanted(() => flush(state, node));
  if (content.kind === "inline") {
    const bytes = content.bytes.subarray(0, sizeBytes);
    return { inode: { sizeBytes, content: { kind: "inline", bytes } }, changes: [] };
  }
  if (sizeBytes >= node.inode.sizeBytes) return { inode: { sizeBytes }, changes: [] };
  return planCut(state, node, sizeBytes);
}

function planCut(state: State, node: Node, sizeBytes: number): Resize {
  const { ino } = node;
  const from = Math.ceil(sizeBytes / chunkBytes);
  const changes: Change[] = [{ kind: "cut", ino, from }];
  let freed = 0;
  for (const { link } of linksFrom(state, node, from)) freed += allocatedFor(link.lengthBytes);
  const index = from - 1;
  const rest = sizeBytes - index * chunkBytes;
  const last = linkAt(state, node, index);
  if (last !== undefined && last.lengthBytes > rest) {
    // What lies behind must read as zeros if the file ever grows again.
    freed += allocatedFor(last.lengthBytes) - allocatedFor(rest);
    changes.push({ kind: "chunk", ino, index, link: { ...last, lengthBytes: rest } });
  }
  const allocatedBytes = node.allocatedBytes - freed;
  return { inode: { sizeBytes, content: { kind: "chunks", allocatedBytes } }, changes };
}
