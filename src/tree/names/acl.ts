/**
 * POSIX access lists, as the kernel passes them (system.posix_acl_access and _default): kept as
 * extended attributes, followed by the mode, inherited from the directory. The kernel enforces
 * them. No I/O.
 *
 *   list   u32 version 2 | entry ...      entry  u16 tag | u16 permissions | u32 id
 */
import { asBuffer } from "../../base/bytes.ts";
import { HiveError } from "../../base/errors.ts";
import { fileType, isFolderMode, typeMask } from "../../dag/inodes.ts";

const accessName = "system.posix_acl_access";
const defaultName = "system.posix_acl_default";
const tags = { owner: 1, user: 2, ownGroup: 4, group: 8, mask: 16, other: 32 } as const;
const headBytes = 4;
const entryBytes = 8;
const entriesMax = 512;

interface AclEntry {
  readonly tag: number;
  readonly permissions: number;
  readonly id: number;
}

export function isAccessList(name: string): boolean {
  return name === accessName;
}

export function isAclName(name: string): boolean {
  return name === accessName || name === defaultName;
}

/** The mode once this attribute is set; a list that says no more than the mode is not kept. */
export function modeForAcl(
  mode: number,
  name: string,
  value: Uint8Array,
): { readonly mode: number; readonly keeps: boolean } {
  if (!isAclName(name)) return { mode, keeps: true };
  const list = parseAcl(value);
  if (name === defaultName) {
    const directory = isFolderMode(mode);
    if (!directory) throw new HiveError("Denied", "tree.acl", name);
    return { mode, keeps: list.length > 0 };
  }
  const more: readonly number[] = [tags.user, tags.group, tags.mask];
  const keeps = list.some(({ tag }) => more.includes(tag));
  return { mode: (mode & ~0o777) | bitsOf(list), keeps };
}

/** The attributes after chmod; undefined when there is no access list to follow. */
export function aclForMode(
  values: ReadonlyMap<string, Buffer>,
  mode: number,
): ReadonlyMap<string, Buffer> | undefined {
  const value = values.get(accessName);
  if (value === undefined) return undefined;
  const list = parseAcl(value);
  const group = list.some(({ tag }) => tag === tags.mask) ? tags.mask : tags.ownGroup;
  const bits = new Map([[tags.owner, mode >> 6], [group, mode >> 3], [tags.other, mode]] as const);
  return new Map(values).set(accessName, encodeAcl(list.map((entry) => replace(entry, bits))));
}

/** Mode and attributes of what is made in a directory, whose default list it takes. */
export function inheritAcl(
  parent: ReadonlyMap<string, Buffer>,
  mode: number,
): { readonly mode: number; readonly values: Map<string, Buffer> } {
  const values = new Map<string, Buffer>();
  const value = parent.get(defaultName);
  if (value === undefined || (mode & typeMask) === fileType.symlink) return { mode, values };
  const inherited = parseAcl(value);
  const group = inherited.some(({ tag }) => tag === tags.mask) ? tags.mask : tags.ownGroup;
  const asked = new Map([[tags.owner, mode >> 6], [group, mode >> 3], [tags.other, mode]] as const);
  const list = inherited.map((entry) => {
    const most = asked.get(entry.tag as typeof tags.owner);
    return most === undefined ? entry : { ...entry, permissions: entry.permissions & most & 7 };
  });
  const made = modeForAcl(mode, accessName, encodeAcl(list));
  if (made.keeps) values.set(accessName, encodeAcl(list));
  if (isFolderMode(mode)) values.set(defaultName, value);
  return { mode: made.mode, values };
}

function replace(entry: AclEntry, bits: ReadonlyMap<number, number>): AclEntry {
  const permissions = bits.get(entry.tag);
  return permissions === undefined ? entry : { ...entry, permissions: permissions & 7 };
}

function bitsOf(list: readonly AclEntry[]): number {
  const of = (tag: number) => list.find((entry) => entry.tag === tag)?.permissions;
  const group = of(tags.mask) ?? of(tags.ownGroup) ?? 0;
  return ((of(tags.owner) ?? 0) << 6) | (group << 3) | (of(tags.other) ?? 0);
}

function parseAcl(value: Uint8Array): readonly AclEntry[] {
  const bytes = asBuffer(value);
  const count = (bytes.length - headBytes) / entryBytes;
  const right = Number.isInteger(count) && count >= 0 && count <= entriesMax;
  if (!right || bytes.readUInt32LE(0) !== 2) throw new HiveError("Invalid", "tree.acl", "list");
  return Array.from({ length: count }, (_, index) => {
    const at = headBytes + index * entryBytes;
    const permissions = bytes.readUInt16LE(at + 2);
    if (permissions > 7) throw new HiveError("Invalid", "tree.acl", "permissions");
    return { tag: bytes.readUInt16LE(at), permissions, id: bytes.readUInt32LE(at + 4) };
  });
}

function encodeAcl(list: readonly AclEntry[]): Buffer {
  const bytes = Buffer.alloc(headBytes + list.length * entryBytes);
  bytes.writeUInt32LE(2, 0);
  list.forEach(({ tag, permissions, id }, index) => {
    const at = headBytes + index * entryBytes;
    bytes.writeUInt16LE(tag, at);
    bytes.writeUInt16LE(permissions, at + 2);
    bytes.writeUInt32LE(id, at + 4);
  });
  return bytes;
}
