/**
 * Making names: new files, directories, symlinks, nodes, nameless files, and further names of files
 * that have one. Each is one journal record.
 */
import { HiveError, assert } from "../../base/errors.ts";
import type { Caller, NewNode, Place } from "../../base/filesystem.ts";
import { type Ino, parseName } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Content, type Inode, fileType, isFolderMode, setGid, typeMask }
  from "../../dag/inodes.ts";
import { Wanted } from "../attempt.ts";
import { flush } from "../content/flush.ts";
import { recordInParts } from "../content/publishing.ts";
import { linksToTell } from "../looking/content.ts";
import { entriesOf, freeKey, isDirectory, livingDirectory } from "../looking/names.ts";
import { jointIn, slotOf } from "../looking/slots.ts";
import type { Change } from "../state/journal.ts";
import type { Node } from "../state/nodes.ts";
import { inodeChange, record } from "../state/recording.ts";
import type { State } from "../state/state.ts";
import { inheritAcl } from "./acl.ts";
import { resealingChange } from "./folder-policy.ts";
import { following } from "./moving.ts";
import { valuesOf, withValues } from "./xattrs.ts";

const groupExecute = 0o010;

/** A new inode under a new name. */
export function make(
  state: State,
  caller: Caller,
  at: Place,
  node: NewNode & { readonly content?: Content },
): Node {
  state.mayChange();
  const parent = livingDirectory(state, at.parent);
  const name = parseName(at.name);
  const key = freeKey(state, parent, name);
  const inode = newInode(state, caller, parent, node);
  const directory = inode.content.kind === "directory";
  if (directory) checkLinks(parent);
  record(state, [
    { kind: "inode", inode, home: { kind: "entry", parent: parent.ino, key, name } },
    { kind: "bind", directory: parent.ino, key, name, ino: inode.ino },
    parentChange(state, parent, { entries: 1, links: directory ? 1 : 0 }),
  ]);
  return state.nodes.get(inode.ino);
}

/** A file that no name leads to, and that `link` may name. */
export function makeNameless(state: State, caller: Caller, parent: Ino, node: NewNode): Node {
  state.mayChange();
  const directory = livingDirectory(state, parent);
  const slot = slotOf(state, directory);
  const inode = { ...newInode(state, caller, directory, node), policy: slot };
  if (inode.content.kind !== "inline") throw new HiveError("Invalid", "tree.tmpfile", "mode");
  record(state, [{ kind: "inode", inode: { ...inode, links: 0 }, home: { kind: "none" } }]);
  const made = state.nodes.get(inode.ino);
  made.mayBeNamed = true;
  return made;
}

/** One more name for a file. From its second on, its inode lives in the table. */
export function link(state: State, ino: Ino, at: Place): Node {
  state.mayChange();
  const node = state.nodes.get(ino);
  const parent = livingDirectory(state, at.parent);
  const name = parseName(at.name);
  if (isDirectory(node)) throw new HiveError("NotPermitted", "tree.link", "a directory");
  const key = freeKey(state, parent, name);
  checkLinks(node);
  const bind: Change = { kind: "bind", directory: parent.ino, key, name, ino };
  const grown = parentChange(state, parent, { entries: 1, links: 0 });
  const now = state.now();
  if (node.inode.links > 0) return linkAgain(state, node, parent, [bind, grown]);
  if (!node.mayBeNamed) throw new HiveError("NotFound", "tree.link", "a deleted file");
  if (node.live !== undefined) throw new Wanted(() => flush(state, node));
  const chunks = linksToTell(state, node);
  const follows = following(state, node, parent);
  // From here on it goes by its folder.
  const inode = { ...node.inode, links: 1, policy: 0, ctime: now };
  const home = { kind: "entry", parent: parent.ino, key, name } as const;
  record(state, [{ kind: "inode", inode, home }, bind, grown, ...follows.changes]);
  recordInParts(state, chunks, { kind: "inode", inode, home });
  follows.begin();
  return node;
}

/** A file with several names is in no folder, and knows its policy itself. */
function linkAgain(
  state: State, node: Node, parent: Node, names: readonly Change[],
): Node {
  // Its table would not come along to whoever else has the folder.
  if (!state.showsLinked) throw new HiveError("NotPermitted", "tree.link", "in a shared folder");
  const policy = jointIn(state, slotOf(state, node), slotOf(state, parent));
  const { content, slot } = node.inode;
  const isAside = policy > 0 && (policy !== slot || content.kind === "inline");
  const isStray = isAside || state.policies.resealing;
  const links = node.inode.links + 1;
  const inode = { ...node.inode, links, policy, ctime: state.now() };
  remember(node, names);
  record(state, [
    { kind: "inode", inode, home: { kind: "table" } },
    ...rebinding(node), ...names, ...(isStray ? [resealingChange(state)] : []),
  ]);
  if (isStray) state.reseal(node);
  return node;
}

/** Where it is to go if it has only one of them again. */
function remember(node: Node, names: readonly Change[]): void {
  const { home } = node;
  if (home.kind === "entry") node.met({ ...home, parent: home.parent.ino });
  for (const name of names) if (name.kind === "bind") node.met({ ...name, parent: name.directory });
}

/** The only name so far now points into the table. */
function rebinding(node: Node): readonly Change[] {
  const { home } = node;
  if (home.kind !== "entry") return [];
  const { parent, key, name } = home;
  return [{ kind: "bind", directory: parent.ino, key, name, ino: node.ino }];
}

/** The change of a directory that gained or lost names. */
export function parentChange(
  state: State,
  parent: Node,
  by: { readonly entries: number; readonly links: number },
): Change {
  const entries = entriesOf(parent) + by.entries;
  assert(entries >= 0, "no directory has fewer than no entries");
  const now = state.now();
  return inodeChange(state, parent, {
    content: { kind: "directory", entries },
    sizeBytes: entries,
    links: parent.inode.links + by.links,
    mtime: now,
    ctime: now,
  });
}

export function checkLinks(node: Node): void {
  if (node.inode.links < limits.tree.linksMax) return;
  throw new HiveError("TooManyLinks", "tree.link", String(node.ino));
}

function newInode(
  state: State,
  caller: Caller,
  parent: Node,
  node: NewNode & { readonly content?: Content },
): Inode {
  const now = state.now();
  const content = node.content ?? emptyContent(node.mode & typeMask);
  const inherited = inheritAcl(valuesOf(state, parent.inode), node.mode);
  const { mode, uid, gid } = ownership(caller, parent.inode, inherited.mode);
  return {
    ino: state.newIno(),
    mode,
    links: content.kind === "directory" ? 2 : 1,
    uid,
    gid,
    rdev: node.rdev ?? 0,
    sizeBytes: content.kind === "symlink" ? content.target.length : 0,
    atime: now,
    mtime: now,
    ctime: now,
    btime: now,
    xattrs: withValues(inherited.values),
    content,
    slot: slotOf(state, parent),
    policy: 0,
    era: 0,
    marks: undefined,
  };
}

/** A directory with the set-group-id bit gives its group to what is made in it. */
function ownership(
  caller: Caller,
  parent: Inode,
  mode: number,
): { readonly mode: number; readonly uid: number; readonly gid: number } {
  const { uid } = caller;
  if ((parent.mode & setGid) === 0) return { mode, uid, gid: caller.gid };
  const directory = isFolderMode(mode);
  if (directory) return { mode: mode | setGid, uid, gid: parent.gid };
  const foreign = uid !== 0 && caller.gid !== parent.gid;
  const both = setGid | groupExecute;
  const kept = foreign && (mode & both) === both ? mode & ~setGid : mode;
  return { mode: kept, uid, gid: parent.gid };
}

function emptyContent(type: number): Content {
  if (type === fileType.regular) return { kind: "inline", bytes: Buffer.alloc(0) };
  if (type === fileType.directory) return { kind: "directory", entries: 0 };
  const special = [fileType.fifo, fileType.character, fileType.block, fileType.socket];
  if (special.some((known) => known === type)) return { kind: "none" };
  throw new HiveError("Invalid", "tree.make", `type ${type.toString(8)}`);
}
