/**
 * What the tree writes into the journal. A record is an operation, or several that follow each
 * other: a list of changes that say what is, not what was done, so that applying them twice is
 * applying them once. No I/O.
 *
 *   record  version byte 1 | change ... to the end | sealed as dag/keys.ts says
 *   change  1 where   varint ino | varint parent (0: table of linked files) | varint key
 *           2 inode   inode (dag/inode-bytes.ts) | 0 no name | 1 table
 *                     | 2, varint parent, varint key, varint length, name | 3 the root
 *           3 bind    varint directory | varint key | varint length, name | varint ino
 *           4 unbind  varint directory | varint key
 *           5 cut     varint ino | varint index: chunk links from here on are gone
 *           6 chunk   varint ino | varint index | link (dag/chunks.ts)
 *           7 hole    varint ino | varint index
 *           8 data    varint ino | varint offset | varint length, bytes
 *           9 policies  of the drive, all of them (dag/policies.ts)
 *           10 graft  varint ino | tree (dag/inode-bytes.ts): its pages are these from here on
 *           11 seen   devices (dag/marks.ts): what was told before has all that these had
 *           12 eras   of the drive, all of them (dag/eras.ts)
 */
import { Reader, Writer } from "../../base/bytes.ts";
import { type Ino, type Name, parseIno } from "../../base/ids.ts";
import { type ChunkLink, readLink, writeLink } from "../../dag/chunks.ts";
import { readName } from "../../dag/entries.ts";
import { type Eras, readEras, writeEras } from "../../dag/eras.ts";
import { readInode, readTree, writeInode, writeTree } from "../../dag/inode-bytes.ts";
import type { Inode, PageTree } from "../../dag/inodes.ts";
import { type Seen, readDevices, writeDevices } from "../../dag/marks.ts";
import { type DrivePolicies, readPolicies, writePolicies } from "../../dag/policies.ts";

const version = 1;

export type HomePlace =
  | { readonly kind: "none" }
  | { readonly kind: "table" }
  | { readonly kind: "entry"; readonly parent: Ino; readonly key: number; readonly name: Name }
  | { readonly kind: "root" };

export type Change =
  /** This inode is found there: told once after a commit, before its first change. */
  | {
      readonly kind: "where";
      readonly ino: Ino;
      readonly parent: Ino | undefined;
      readonly key: number;
    }
  | { readonly kind: "inode"; readonly inode: Inode; readonly home: HomePlace }
  | {
      readonly kind: "bind";
      readonly directory: Ino;
      readonly key: number;
      readonly name: Name;
      readonly ino: Ino;
    }
  | { readonly kind: "unbind"; readonly directory: Ino; readonly key: number }
  | { readonly kind: "cut"; readonly ino: Ino; readonly from: number }
  | { readonly kind: "chunk"; readonly ino: Ino; readonly index: number; readonly link: ChunkLink }
  | { readonly kind: "hole"; readonly ino: Ino; readonly index: number }
  | {
      readonly kind: "data";
      readonly ino: Ino;
      readonly offsetBytes: number;
      readonly bytes: Buffer;
    }
  | { readonly kind: "policies"; readonly policies: DrivePolicies }
  | { readonly kind: "graft"; readonly ino: Ino; readonly tree: PageTree }
  | { readonly kind: "seen"; readonly devices: Seen }
  | { readonly kind: "eras"; readonly eras: Eras };

const codes = {
  where: 1, inode: 2, bind: 3, unbind: 4, cut: 5, chunk: 6, hole: 7, data: 8, policies: 9,
  graft: 10, seen: 11, eras: 12,
} as const satisfies Record<Change["kind"], number>;

export function encodeChanges(changes: readonly Change[]): Buffer {
  return writeChanges(beginRecord(new Writer(512)), changes).finish();
}

/** What comes before the changes of a record. */
export function beginRecord(writer: Writer): Writer {
  return writer.u8(version);
}

export function writeChanges(writer: Writer, changes: readonly Change[]): Writer {
  for (const change of changes) writeChange(writer.u8(codes[change.kind]), change);
  return writer;
}

export function parseChanges(bytes: Uint8Array): readonly Change[] {
  const reader = new Reader(bytes, "tree.journal");
  if (reader.u8() !== version) throw reader.corrupt("version");
  const changes: Change[] = [];
  while (reader.restBytes > 0) changes.push(readChange(reader));
  return changes;
}

function writeChange(writer: Writer, change: Change): void {
  switch (change.kind) {
    case "where":
      writer.varint(change.ino).varint(change.parent ?? 0).varint(change.key);
      return;
    case "inode":
      writeInode(writer, change.inode);
      return writeHome(writer, change.home);
    case "bind":
      writer.varint(change.directory).varint(change.key).latin1(change.name).varint(change.ino);
      return;
    case "unbind":
      writer.varint(change.directory).varint(change.key);
      return;
    case "cut":
      writer.varint(change.ino).varint(change.from);
      return;
    case "chunk":
      return writeLink(writer.varint(change.ino).varint(change.index), change.link);
    case "hole":
      writer.varint(change.ino).varint(change.index);
      return;
    case "data":
      writer.varint(change.ino).varint(change.offsetBytes).bytes(change.bytes);
      return;
    case "policies":
      return writePolicies(writer, change.policies);
    case "graft":
      return writeTree(writer.varint(change.ino), change.tree);
    case "seen":
      return writeDevices(writer, change.devices);
    case "eras":
      return writeEras(writer, change.eras);
  }
}

function readChange(reader: Reader): Change {
  const code = reader.u8();
  switch (code) {
    case codes.where: {
      const ino = parseIno(reader.varint());
      const parent = reader.varint();
      const at = parent === 0 ? undefined : parseIno(parent);
      return { kind: "where", ino, parent: at, key: reader.varint() };
    }
    case codes.inode:
      return { kind: "inode", inode: readInode(reader), home: readHome(reader) };
    case codes.bind: {
      const { directory, key } = readPlace(reader);
      const name = readName(reader);
      return { kind: "bind", directory, key, name, ino: parseIno(reader.varint()) };
    }
    case codes.unbind:
      return { kind: "unbind", ...readPlace(reader) };
    case codes.cut:
      return { kind: "cut", ino: parseIno(reader.varint()), from: reader.varint() };
    case codes.chunk: {
      const ino = parseIno(reader.varint());
      return { kind: "chunk", ino, index: reader.varint(), link: readLink(reader) };
    }
    case codes.hole:
      return { kind: "hole", ino: parseIno(reader.varint()), index: reader.varint() };
    case codes.data: {
      const ino = parseIno(reader.varint());
      const offsetBytes = reader.varint();
      return { kind: "data", ino, offsetBytes, bytes: Buffer.from(reader.bytes()) };
    }
    case codes.policies:
      return { kind: "policies", policies: readPolicies(reader) };
    case codes.graft:
      return { kind: "graft", ino: parseIno(reader.varint()), tree: readTree(reader) };
    case codes.seen:
      return { kind: "seen", devices: readDevices(reader) };
    case codes.eras:
      return { kind: "eras", eras: readEras(reader) };
  }
  throw reader.corrupt(`change ${code}`);
}

function readPlace(reader: Reader): { readonly directory: Ino; readonly key: number } {
  return { directory: parseIno(reader.varint()), key: reader.varint() };
}

function writeHome(writer: Writer, home: HomePlace): void {
  if (home.kind === "none") writer.u8(0);
  else if (home.kind === "table") writer.u8(1);
  else if (home.kind === "root") writer.u8(3);
  else writer.u8(2).varint(home.parent).varint(home.key).latin1(home.name);
}

function readHome(reader: Reader): HomePlace {
  const code = reader.u8();
  if (code === 0) return { kind: "none" };
  if (code === 1) return { kind: "table" };
  if (code === 3) return { kind: "root" };
  if (code !== 2) throw reader.corrupt(`home ${code}`);
  const parent = parseIno(reader.varint());
  return { kind: "entry", parent, key: reader.varint(), name: readName(reader) };
}

const ofDrive = ["where", "policies", "seen", "eras"] as const;

type OfDrive = Change & { readonly kind: (typeof ofDrive)[number] };

/** Of no inode, or of none that changes. */
export function isOfDrive(change: Change): change is OfDrive {
  return (ofDrive as readonly string[]).includes(change.kind);
}

/** Whose change it is. */
export function inoOf(change: Exclude<Change, OfDrive>): Ino {
  if (change.kind === "inode") return change.inode.ino;
  return change.kind === "bind" || change.kind === "unbind" ? change.directory : change.ino;
}
