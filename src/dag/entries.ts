/**
 * The values of the tree's pages: a directory's entries and the inodes of linked files, and the
 * order in which names stand in a directory.
 *
 *   entry        varint length, name | 0, inode, tree (inode-bytes.ts)   the file's only name
 *                                    | 1, varint ino, varint type    one of several names
 *   table value  inode, tree                                             by inode number
 *
 * Names are ordered by a 48-bit hash, so that a position in a directory is a number that stays
 * right while names come and go. The key is hash * 16 + slot; the slot tells names of one hash
 * apart and is the smallest that was free.
 *
 *   hash    h, g = 0x811c9dc5, 0x01234567; for each byte b: h = (h xor b) * 0x01000193,
 *           g = (g + b) * 0x85ebca6b, g = g xor g >> 15; then both mixed once more (32 bits,
 *           unsigned); (h * 2^16 + g mod 2^16)
 */
import { Reader, Writer } from "../base/bytes.ts";
import { HiveError } from "../base/errors.ts";
import { type Ino, type Name, parseIno, parseName } from "../base/ids.ts";
import { readInode, readTree, writeInode, writeTree } from "./inode-bytes.ts";
import { type Inode, type PageTree, isFolderMode, typeMask } from "./inodes.ts";

export const slotsPerHash = 16;

export interface InodeEntry {
  readonly kind: "inode";
  readonly name: Name;
  readonly inode: Inode;
  readonly tree: PageTree;
}

export type Entry =
  | InodeEntry
  | { readonly kind: "link"; readonly name: Name; readonly ino: Ino; readonly type: number };

export function isFolderEntry(entry: Entry): entry is InodeEntry {
  return entry.kind === "inode" && isFolderMode(entry.inode.mode);
}

/** The first key that this name may have. */
export function nameKey(name: Name): number {
  let h = 0x811c9dc5;
  let g = 0x01234567;
  for (let index = 0; index < name.length; index++) {
    const byte = name.charCodeAt(index);
    h = Math.imul(h ^ byte, 0x01000193);
    g = Math.imul(g + byte, 0x85ebca6b);
    g ^= g >>> 15;
  }
  return (mix(h) * 2 ** 16 + (mix(g) & 0xffff)) * slotsPerHash;
}

/** The finish of MurmurHash3: each bit of the input reaches each of the output. */
function mix(value: number): number {
  let x = value;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

export function encodeEntry(entry: Entry): Buffer {
  const writer = new Writer(256).latin1(entry.name);
  if (entry.kind === "link") return writer.u8(1).varint(entry.ino).varint(entry.type).finish();
  writeInode(writer.u8(0), entry.inode);
  writeTree(writer, entry.tree);
  return writer.finish();
}

/** The name alone: comparing it comes before reading the rest. */
export function nameOfEntry(bytes: Uint8Array): Name {
  return readName(new Reader(bytes, "dag.entry"));
}

/** True for one of several names of a file. */
export function isLinkEntry(bytes: Uint8Array): boolean {
  const reader = new Reader(bytes, "dag.entry");
  reader.latin1();
  return reader.u8() === 1;
}

/** Whose entry it is, and of what type: what a listing shows, without reading the rest. */
export function briefOfEntry(bytes: Uint8Array): { readonly ino: Ino; readonly type: number } {
  const reader = new Reader(bytes, "dag.entry");
  reader.skip(reader.varint());
  const isLink = reader.u8() === 1;
  const ino = parseIno(reader.varint());
  return { ino, type: isLink ? readType(reader) : reader.varint() & typeMask };
}

export function parseEntry(bytes: Uint8Array): Entry {
  const reader = new Reader(bytes, "dag.entry");
  const name = readName(reader);
  const kind = reader.u8();
  if (kind > 1) throw reader.corrupt(`entry of kind ${kind}`);
  const entry: Entry =
    kind === 0
      ? { kind: "inode", name, inode: readInode(reader), tree: readTree(reader) }
      : { kind: "link", name, ino: parseIno(reader.varint()), type: readType(reader) };
  reader.end();
  return entry;
}

export interface TableValue {
  readonly inode: Inode;
  readonly tree: PageTree;
}

export function encodeTableValue(value: TableValue): Buffer {
  const writer = new Writer(256);
  writeInode(writer, value.inode);
  writeTree(writer, value.tree);
  return writer.finish();
}

export function parseTableValue(bytes: Uint8Array): TableValue {
  const reader = new Reader(bytes, "dag.table");
  const value = { inode: readInode(reader), tree: readTree(reader) };
  reader.end();
  return value;
}

export function readName(reader: Reader): Name {
  const text = reader.latin1();
  try {
    return parseName(text);
  } catch (cause) {
    throw new HiveError("Corrupt", "dag.entry", "name", { cause });
  }
}

function readType(reader: Reader): number {
  const type = reader.varint();
  if ((type & typeMask) === type && type <= typeMask) return type;
  throw reader.corrupt(`type ${type}`);
}
