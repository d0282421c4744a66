/**
 * An inode as bytes, as it stands in an entry.
 *
 *   inode   varint ino | varint mode | varint links | varint uid | varint gid | varint rdev
 *           | varint size | 4 x time (access, change of content, change of inode, birth)
 *           | xattrs | content
 *   time    signed seconds | varint nanoseconds
 *   xattrs  0 | 1, varint count, count x (name, value), names ascending | 2, link (chunks.ts)
 *           | 3, varint slot, varint policy, then xattrs: where either of these is not 0
 *           | 5, varint era (eras.ts), then 3 or xattrs: where it is not 0
 *           | 4, varint edited, varint moved (marks.ts), then as before: where either is not ino
 *   content 0 nothing (a special file) | 1 bytes (a short file) | 2 bytes (a symlink's target)
 *           | 3 varint allocated bytes (a file of chunks) | 4 varint entries (a directory)
 *   tree    0 no secret | 1, 32 bytes; then 0 empty | 1, varint level, 32 bytes SHA-256
 *           | 2, items (pages.ts)
 */
import { Reader, Writer } from "../base/bytes.ts";
import type { Instant } from "../base/filesystem.ts";
import { type Ino, parseCid, parseIno } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { readLink, writeLink } from "./chunks.ts";
import type { Era } from "./eras.ts";
import {
  type Content, type Inode, type Marks, type PageTree, type Xattrs,
  fileType, marksOf, mixedSlot, noXattrs, typeMask,
} from "./inodes.ts";
import { type PageRoot, emptyRoot, readItems, writeItems } from "./pages.ts";

const secretBytes = 32;
const { slotsMax } = limits.policy;
const knownTypes: readonly number[] = Object.values(fileType);

export function writeInode(writer: Writer, inode: Inode): void {
  writer.varint(inode.ino).varint(inode.mode).varint(inode.links);
  writer.varint(inode.uid).varint(inode.gid).varint(inode.rdev).varint(inode.sizeBytes);
  for (const time of [inode.atime, inode.mtime, inode.ctime, inode.btime]) {
    writer.signed(time.seconds).varint(time.nanoseconds);
  }
  const { edited, moved } = marksOf(inode);
  if (edited !== inode.ino || moved !== inode.ino) writer.u8(4).varint(edited).varint(moved);
  if (inode.era > 0) writer.u8(5).varint(inode.era);
  if (inode.slot + inode.policy > 0) writer.u8(3).varint(inode.slot).varint(inode.policy);
  writeXattrs(writer, inode.xattrs);
  writeContent(writer, inode.content);
}

export function readInode(reader: Reader): Inode {
  const ino = parseIno(reader.varint());
  const mode = readMode(reader);
  const links = readUpTo(reader, limits.tree.linksMax, "links");
  const uid = readUpTo(reader, 2 ** 32 - 1, "uid");
  const gid = readUpTo(reader, 2 ** 32 - 1, "gid");
  const rdev = readUpTo(reader, 2 ** 32 - 1, "rdev");
  const sizeBytes = readUpTo(reader, limits.tree.fileBytesMax, "size");
  const atime = readTime(reader);
  const mtime = readTime(reader, atime);
  const ctime = readTime(reader, mtime);
  const btime = readTime(reader, atime);
  const { marks, kind: afterMarks } = readMarks(reader, ino);
  const { era, kind: rest } = readEra(reader, afterMarks);
  const { slot, policy, xattrs } = readGoverned(reader, rest);
  const content = readContent(reader, mode & typeMask, sizeBytes);
  return {
    ino, mode, links, uid, gid, rdev, sizeBytes, atime, mtime, ctime, btime, xattrs, content,
    slot, policy, era, marks,
  };
}

export function writeTree(writer: Writer, tree: PageTree): void {
  if (tree.secret === undefined) writer.u8(0);
  else writer.u8(1).raw(tree.secret);
  const { root } = tree;
  if (root.kind === "empty") writer.u8(0);
  else if (root.kind === "page") writer.u8(1).varint(root.level).hex(root.cid);
  else writeItems(writer.u8(2), root.page);
}

export function readTree(reader: Reader): PageTree {
  const kept = readUpTo(reader, 1, "secret");
  const secret = kept === 1 ? Buffer.from(reader.raw(secretBytes)) : undefined;
  return { secret, root: readRoot(reader, secret) };
}

function readRoot(reader: Reader, secret: Buffer | undefined): PageRoot {
  const kind = readUpTo(reader, 2, "root of pages");
  if (kind === 0) return emptyRoot;
  if (kind === 2) return { kind: "inside", page: readItems(reader, 0) };
  if (secret === undefined) throw reader.corrupt("pages without a secret");
  const level = readUpTo(reader, limits.dag.levelsMax, "level");
  return { kind: "page", level, cid: parseCid(reader.hex(32)) };
}

/** What the values take, as they would stand in an entry. */
export function xattrBytes(values: ReadonlyMap<string, Buffer>): number {
  return [...values].reduce((sum, [name, value]) => sum + name.length + value.length + 8, 0);
}

export function encodeXattrs(values: ReadonlyMap<string, Buffer>): Buffer {
  const writer = new Writer(xattrBytes(values));
  writeValues(writer, values);
  return writer.finish();
}

export function parseXattrs(bytes: Uint8Array): ReadonlyMap<string, Buffer> {
  const reader = new Reader(bytes, "dag.xattrs");
  const values = readValues(reader);
  reader.end();
  return values;
}

function writeXattrs(writer: Writer, xattrs: Xattrs): void {
  if (xattrs.kind === "block") writeLink(writer.u8(2), xattrs.link);
  else if (xattrs.values.size === 0) writer.u8(0);
  else writeValues(writer.u8(1), xattrs.values);
}

/** And the kind of what follows them. */
function readMarks(
  reader: Reader, ino: Ino,
): { readonly marks?: Marks; readonly kind: number } {
  const kind = reader.u8();
  if (kind !== 4) return { kind };
  const marks = { edited: parseIno(reader.varint()), moved: parseIno(reader.varint()) };
  if (marks.edited === ino && marks.moved === ino) throw reader.corrupt("marks of nothing");
  return { marks, kind: reader.u8() };
}

/** And the kind of what follows it. */
function readEra(reader: Reader, kind: number): { readonly era: Era; readonly kind: number } {
  if (kind !== 5) return { era: 0, kind };
  const era = readUpTo(reader, limits.eras.erasMax, "era");
  if (era === 0) throw reader.corrupt("era of nothing");
  return { era, kind: reader.u8() };
}

function readGoverned(
  reader: Reader, kind: number,
): Pick<Inode, "slot" | "policy" | "xattrs"> {
  if (kind !== 3) return { slot: 0, policy: 0, xattrs: readXattrs(reader, kind) };
  const slot = reader.varint();
  if (slot > slotsMax && slot !== mixedSlot) throw reader.corrupt(`slot ${slot}`);
  const policy = readUpTo(reader, slotsMax, "policy");
  if (slot + policy === 0) throw reader.corrupt("slots of nothing");
  return { slot, policy, xattrs: readXattrs(reader, reader.u8()) };
}

function readXattrs(reader: Reader, kind: number): Xattrs {
  if (kind === 0) return noXattrs;
  if (kind === 2) return { kind: "block", link: readLink(reader) };
  if (kind === 1) return { kind: "inside", values: readValues(reader) };
  throw reader.corrupt(`kind of xattrs ${kind}`);
}

function writeValues(writer: Writer, values: ReadonlyMap<string, Buffer>): void {
  const names = [...values.keys()].sort();
  writer.varint(names.length);
  for (const name of names) writer.latin1(name).bytes(values.get(name) as Buffer);
}

function readValues(reader: Reader): ReadonlyMap<string, Buffer> {
  const count = readUpTo(reader, reader.restBytes, "xattrs");
  const values = new Map<string, Buffer>();
  let before = "";
  for (let index = 0; index < count; index++) {
    const name = reader.latin1();
    if (name <= before || name.length > 255) throw reader.corrupt("xattr's name");
    const value = reader.bytes();
    if (value.length > limits.tree.xattrBytesMax) throw reader.corrupt("xattr's value");
    values.set(name, Buffer.from(value));
    before = name;
  }
  return values;
}

function writeContent(writer: Writer, content: Content): void {
  if (content.kind === "none") writer.u8(0);
  else if (content.kind === "inline") writer.u8(1).bytes(content.bytes);
  else if (content.kind === "symlink") writer.u8(2).bytes(content.target);
  else if (content.kind === "chunks") writer.u8(3).varint(content.allocatedBytes);
  else writer.u8(4).varint(content.entries);
}

/** Content of the kind that the file's type and size call for, or Corrupt. */
function readContent(reader: Reader, type: number, sizeBytes: number): Content {
  const kind = reader.u8();
  if (type === fileType.regular && kind === 1) {
    const bytes = Buffer.from(reader.bytes());
    const right = bytes.length <= limits.tree.inlineBytesMax && bytes.length <= sizeBytes;
    if (right) return { kind: "inline", bytes };
  }
  if (type === fileType.regular && kind === 3) {
    return { kind: "chunks", allocatedBytes: reader.varint() };
  }
  if (type === fileType.symlink && kind === 2) {
    const target = Buffer.from(reader.bytes());
    const right = target.length <= limits.tree.symlinkBytesMax && target.length === sizeBytes;
    if (right) return { kind: "symlink", target };
  }
  if (type === fileType.directory && kind === 4) {
    return { kind: "directory", entries: reader.varint() };
  }
  const special = ![fileType.regular, fileType.symlink, fileType.directory].some((t) => t === type);
  if (special && kind === 0) return { kind: "none" };
  throw reader.corrupt(`content ${kind} of a file of type ${type.toString(8)}`);
}

function readMode(reader: Reader): number {
  const mode = readUpTo(reader, 0o177777, "mode");
  if (knownTypes.includes(mode & typeMask)) return mode;
  throw reader.corrupt(`mode ${mode.toString(8)}`);
}

/** Most files have two times: of when they were made, and of their last write. */
function readTime(reader: Reader, other?: Instant): Instant {
  const seconds = reader.signed();
  const nanoseconds = readUpTo(reader, 999_999_999, "nanoseconds");
  const isAlike = seconds === other?.seconds && nanoseconds === other.nanoseconds;
  return isAlike ? other : { seconds, nanoseconds };
}

function readUpTo(reader: Reader, most: number, what: string): number {
  const value = reader.varint();
  if (value <= most) return value;
  throw reader.corrupt(`${what} ${value}`);
}
