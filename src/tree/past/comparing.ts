/**
 * Whether two files, of two moments, are the same to those who read them, and the names of a folder
 * at one moment. Pages that both have in common are never opened.
 */
import type { Attributes, FileSystem } from "../../base/filesystem.ts";
import type { Ino, Name } from "../../base/ids.ts";
import { type Inode, type PageTree, isFolderMode } from "../../dag/inodes.ts";
import { attempt } from "../attempt.ts";
import { nextLink } from "../looking/content.ts";
import type { Node } from "../state/nodes.ts";
import { pinXattr } from "../state/pins.ts";
import type { Moment } from "./moment.ts";

export interface At {
  readonly moment: Moment;
  readonly ino: Ino;
}

/** Names and what they lead to; each is looked up, and to be let go of. */
export async function namesIn(files: FileSystem, ino: Ino): Promise<Map<Name, Attributes>> {
  const handle = await files.opendir(ino);
  const found = new Map<Name, Attributes>();
  await files.readdir(handle, { afterCookie: 0, plus: true }, ({ name, attributes }) => {
    if (attributes !== undefined) found.set(name as Name, attributes);
    return true;
  });
  await files.releasedir(handle);
  return found;
}

/** Names of extended attributes, without what says what is kept on this machine. */
export async function lastingXattrs(files: FileSystem, ino: Ino): Promise<readonly string[]> {
  return (await files.listxattr(ino)).filter((name) => name !== pinXattr);
}

/** True when all below two folders is the same, as far as one can tell without looking there. */
export function isSameTree(a: PageTree, b: PageTree): boolean {
  if (a.secret === undefined || b.secret === undefined || !a.secret.equals(b.secret)) return false;
  return a.root.kind === "page" && b.root.kind === "page" && a.root.cid === b.root.cid;
}

/** Name, number and links aside. */
export async function isSame(one: At, other: At): Promise<boolean> {
  const [a, b] = [nodeOf(one), nodeOf(other)];
  if (!looksSame(a.inode, b.inode) || b.live !== undefined) return false;
  if (!(await hasSameXattrs(one, other))) return false;
  const { content } = a.inode;
  if (content.kind !== b.inode.content.kind) return false;
  if (content.kind === "inline") return content.bytes.equals(inlineOf(b.inode));
  if (content.kind === "chunks") return isSameTree(a.tree, b.tree) || hasSameLinks(one, other);
  return content.kind !== "symlink" || hasSameTarget(one, other);
}

function nodeOf({ moment, ino }: At): Node {
  return moment.state.nodes.get(ino);
}

function inlineOf({ content }: Inode): Buffer {
  return content.kind === "inline" ? content.bytes : Buffer.alloc(0);
}

/** What stat(2) tells of a file that nobody touched. */
function looksSame(a: Inode, b: Inode): boolean {
  const isFile = !isFolderMode(a.mode);
  const isSameSize = !isFile || a.sizeBytes === b.sizeBytes;
  const isSameTime =
    a.mtime.seconds === b.mtime.seconds && a.mtime.nanoseconds === b.mtime.nanoseconds;
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid && a.rdev === b.rdev &&
    isSameSize && isSameTime;
}

async function hasSameXattrs(one: At, other: At): Promise<boolean> {
  const [names, others] = await Promise.all([one, other].map(async ({ moment, ino }) => {
    return [...(await lastingXattrs(moment.files, ino))].sort();
  })) as [string[], string[]];
  if (names.join("\0") !== others.join("\0")) return false;
  for (const name of names) {
    const value = await one.moment.files.getxattr(one.ino, name);
    const same = Buffer.from(value).equals(await other.moment.files.getxattr(other.ino, name));
    if (!same) return false;
  }
  return true;
}

/** Equal chunks of one drive have equal names, whatever file they are of. */
async function hasSameLinks(one: At, other: At): Promise<boolean> {
  for (let from = 0; ; ) {
    const at = from;
    const [a, b] = await attempt(() => [one, other].map((side) => {
      return nextLink(side.moment.state, nodeOf(side), at);
    }));
    if (a?.index !== b?.index || a?.link.cid !== b?.link.cid) return false;
    if (a?.link.lengthBytes !== b?.link.lengthBytes) return false;
    if (a === undefined) return true;
    from = a.index + 1;
  }
}

async function hasSameTarget(one: At, other: At): Promise<boolean> {
  const target = Buffer.from(await one.moment.files.readlink(one.ino));
  return target.equals(await other.moment.files.readlink(other.ino));
}
