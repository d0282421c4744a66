/**
 * The root record: with the drive's tree secret, all there is to know for reading everything. It
 * is what a commit makes current and what a head carries to the peers.
 *
 *   record  version byte 1 | varint sequence | signed time in ms | varint next ino | varint files
 *           | varint bytes | inode and tree of the root directory | tree of linked files
 *           | policies (policies.ts), where there are any or more follows
 *           | 1 and the link of the roots that are kept (kept.ts), or 0
 *           | devices (marks.ts) | eras (eras.ts) | links of the ties (ties.ts)
 *           | zeros up to a step; what stands last and is empty is left out
 *   sealed  sealRecord(deriveKey(tree secret, "root"), record)
 */
import { Reader, Writer } from "../base/bytes.ts";
import { assert } from "../base/errors.ts";
import { type Ino, parseIno, rootIno } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import { openRecord, sealRecord } from "../crypt/ciphers/aead.ts";
import { type ChunkLink, readLink, writeLink } from "./chunks.ts";
import { type TableValue } from "./entries.ts";
import { type Eras, firstEra, readEras, writeEras } from "./eras.ts";
import { readInode, readTree, writeInode, writeTree } from "./inode-bytes.ts";
import type { PageTree } from "./inodes.ts";
import type { TreeKeys } from "./keys.ts";
import { type Seen, noDevices, readDevices, writeDevices } from "./marks.ts";
import { type DrivePolicies, noPolicies, readPolicies, writePolicies } from "./policies.ts";
import { padded } from "./sizes.ts";
import { noTieLinks, readTieLinks, writeTieLinks } from "./ties.ts";

const version = 1;

export interface RootRecord {
  /** One more with each commit. */
  readonly sequence: number;
  readonly committedAtMs: number;
  readonly nextIno: Ino;
  readonly files: number;
  readonly bytes: number;
  readonly directory: TableValue;
  /** Inodes with several names, by number. */
  readonly linked: PageTree;
  readonly policies: DrivePolicies;
  /** The block with the roots before it that are kept. */
  readonly kept: ChunkLink | undefined;
  /** What this root has of each device's changes, its writer's own among them. */
  readonly devices: Seen;
  /** Under which keys chunks are sealed, and what is to be sealed anew. */
  readonly eras: Eras;
  /** The pieces of what the drive knows of other people. */
  readonly ties: readonly ChunkLink[];
}

export function encodeRoot(root: RootRecord): Buffer {
  const writer = new Writer(1024).u8(version).varint(root.sequence).signed(root.committedAtMs);
  writer.varint(root.nextIno).varint(root.files).varint(root.bytes);
  writeInode(writer, root.directory.inode);
  writeTree(writer, root.directory.tree);
  writeTree(writer, root.linked);
  const { policies, kept, devices, eras, ties } = root;
  const hasTies = ties.length > 0;
  const hasEras = eras.now > 0 || hasTies;
  const isMore = kept !== undefined || devices.size > 0 || hasEras;
  if (policies.names.length > 0 || isMore) writePolicies(writer, policies);
  if (kept !== undefined) writeLink(writer.u8(1), kept);
  else if (isMore) writer.u8(0);
  if (devices.size > 0 || hasEras) writeDevices(writer, devices);
  if (hasEras) writeEras(writer, eras);
  if (hasTies) writeTieLinks(writer, ties);
  return writer.finish();
}

export function parseRoot(bytes: Uint8Array): RootRecord {
  const reader = new Reader(bytes, "dag.root");
  if (reader.u8() !== version) throw reader.corrupt("version");
  const sequence = reader.varint();
  const committedAtMs = reader.signed();
  const nextIno = parseIno(reader.varint());
  const files = reader.varint();
  const total = reader.varint();
  const inode = readInode(reader);
  const directory = { inode, tree: readTree(reader) };
  const isRoot = inode.ino === rootIno && inode.content.kind === "directory";
  if (!isRoot) throw reader.corrupt("root directory");
  const linked = readTree(reader);
  // A record without any ends here, or goes on with zeros: no names, no texts, nothing to do.
  const policies = reader.restBytes === 0 ? noPolicies : readPolicies(reader);
  const kept = readKept(reader);
  const devices = reader.restBytes === 0 ? noDevices : readDevices(reader);
  // Zeros are the first era, and nothing owed.
  const eras = reader.restBytes < 2 ? firstEra : readEras(reader);
  const ties = reader.restBytes === 0 ? noTieLinks : readTieLinks(reader);
  if (reader.raw(reader.restBytes).some((byte) => byte !== 0)) throw reader.corrupt("padding");
  const totals = { files, bytes: total };
  const told = { directory, linked, policies, kept, devices, eras, ties };
  return { sequence, committedAtMs, nextIno, ...totals, ...told };
}

function readKept(reader: Reader): ChunkLink | undefined {
  const flag = reader.restBytes === 0 ? 0 : reader.u8();
  if (flag > 1) throw reader.corrupt(`flag ${flag}`);
  return flag === 1 ? readLink(reader) : undefined;
}

export function sealRoot(keys: TreeKeys, root: RootRecord, random: Random): Buffer {
  const sealed = sealRecord(keys.root, padded(encodeRoot(root)), random);
  assert(sealed.length <= limits.dag.rootBytesMax);
  return sealed;
}

export function openRoot(keys: TreeKeys, sealed: Uint8Array): RootRecord {
  return parseRoot(openRecord(keys.root, sealed));
}
