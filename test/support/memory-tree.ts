/**
 * An honest FileSystem in memory: what the port promises, with nothing kept after the process. For
 * developing and testing whatever stands on the port; nothing else is to be learnt from it.
 */
import type { Clock } from "../../src/base/clock.ts";
import { HiveError, type Kind } from "../../src/base/errors.ts";
import type {
  AllocateKind, AttributeChange, Attributes, ByteRange, Caller, DirectoryItem, FileSystem, Instant,
  NewNode, OpenFlags, Place, RenameKind, VolumeStats,
} from "../../src/base/filesystem.ts";
import {
  type Handle, type Ino, type Name, nameBytesMax, parseHandle, parseIno, rootIno,
} from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { aclForMode, inheritAcl, modeForAcl } from "../../src/tree/names/acl.ts";
import { MemoryFile } from "./memory-file.ts";

const typeMask = 0o170000;
const directoryType = 0o040000;
const regularType = 0o100000;
const linkType = 0o120000;

interface Node {
  readonly ino: Ino;
  mode: number;
  links: number;
  uid: number;
  gid: number;
  rdev: number;
  atime: Instant;
  mtime: Instant;
  ctime: Instant;
  readonly btime: Instant;
  xattrs: Map<string, Buffer>;
  readonly file: MemoryFile;
  target: Buffer;
  readonly names: Map<Name, { ino: Ino; cookie: number }>;
  parent: Ino;
  lookups: number;
  handles: number;
}

export class MemoryTree implements FileSystem {
  readonly #clock: Clock;
  readonly #nodes = new Map<Ino, Node>();
  readonly #handles = new Map<Handle, { node: Node; flags: OpenFlags | undefined }>();
  #lastIno = 0;
  #lastHandle = 0;
  #lastCookie = 2;
  /** How often the tree was asked to make everything durable. */
  syncs = 0;

  constructor(needs: { clock: Clock }, options: { uid: number; gid: number }) {
    this.#clock = needs.clock;
    const root = this.#make({ ...options, pid: 0 }, { mode: directoryType | 0o755 });
    root.links = 2;
    root.parent = rootIno;
  }

  /** For tests: nothing may stay open, looked up or nameless after an unmount. */
  census(): { readonly nodes: number; readonly handles: number } {
    return { nodes: this.#nodes.size, handles: this.#handles.size };
  }

  lookup(at: Place): Attributes {
    return this.#counted(this.#child(at));
  }

  forget(ino: Ino, lookups: number): void {
    const node = this.#nodes.get(ino);
    if (node === undefined) return;
    node.lookups -= lookups;
    this.#reap(node);
  }

  getattr(ino: Ino): Attributes {
    return attributesOf(this.#node(ino));
  }

  setattr(_caller: Caller, ino: Ino, change: AttributeChange): Attributes {
    const node = this.#node(ino);
    const now = this.#now();
    const moment = (wanted: Instant | "now") => (wanted === "now" ? now : wanted);
    if (change.sizeBytes !== undefined) {
      node.file.truncate(checkSize(change.sizeBytes));
      node.mtime = now;
    }
    if (change.uid !== undefined || change.gid !== undefined) dropPrivileges(node);
    if (change.dropPrivileges === true) dropPrivileges(node);
    node.uid = change.uid ?? node.uid;
    node.gid = change.gid ?? node.gid;
    if (change.mode !== undefined) {
      node.mode = (node.mode & typeMask) | change.mode;
      node.xattrs = new Map(aclForMode(node.xattrs, node.mode) ?? node.xattrs);
    }
    if (change.atime !== undefined) node.atime = moment(change.atime);
    if (change.mtime !== undefined) node.mtime = moment(change.mtime);
    node.ctime = change.ctime === undefined ? now : moment(change.ctime);
    return attributesOf(node);
  }

  readlink(ino: Ino): Uint8Array {
    const node = this.#node(ino);
    if ((node.mode & typeMask) !== linkType) throw fault("Invalid", "readlink");
    return node.target;
  }

  mknod(caller: Caller, at: Place, node: NewNode): Attributes {
    return this.#counted(this.#add(caller, at, node));
  }

  mkdir(caller: Caller, at: Place, node: NewNode): Attributes {
    const made = this.#add(caller, at, { mode: directoryType | (node.mode & 0o7777) });
    const parent = this.#node(at.parent);
    made.mode |= parent.mode & 0o2000;
    made.links = 2;
    parent.links++;
    return this.#counted(made);
  }

  symlink(caller: Caller, at: Place, target: Uint8Array): Attributes {
    if (target.length > limits.tree.symlinkBytesMax) throw fault("NameTooLong", "symlink");
    const node = this.#add(caller, at, { mode: linkType | 0o777 });
    node.target = Buffer.from(target);
    return this.#counted(node);
  }

  link(_caller: Caller, ino: Ino, at: Place): Attributes {
    const node = this.#node(ino);
    if (isDirectory(node)) throw fault("NotPermitted", "link");
    if (node.links >= limits.tree.linksMax) throw fault("TooManyLinks", "link");
    this.#enter(at, node);
    node.links++;
    node.ctime = this.#now();
    return this.#counted(node);
  }

  unlink(_caller: Caller, at: Place): void {
    const node = this.#child(at);
    if (isDirectory(node)) throw fault("IsDirectory", "unlink");
    this.#leave(at);
    this.#lose(node);
  }

  rmdir(_caller: Caller, at: Place): void {
    const node = this.#child(at);
    if (!isDirectory(node)) throw fault("NotDirectory", "rmdir");
    if (node.names.size > 0) throw fault("NotEmpty", "rmdir");
    this.#leave(at);
    this.#node(at.parent).links--;
    this.#lose(node);
  }

  rename(_caller: Caller, from: Place, to: Place, kind: RenameKind): void {
    const node = this.#child(from);
    const old = this.#directory(to.parent).names.get(to.name);
    const target = old === undefined ? undefined : this.#node(old.ino);
    if (isDirectory(node)) this.#refuseInside(node, to.parent);
    if (kind === "noreplace" && target !== undefined) throw fault("Exists", "rename");
    if (kind === "exchange") return this.#exchange(from, node, to, target);
    if (target === node) return;
    if (target !== undefined) this.#displace(node, to, target);
    this.#leave(from);
    this.#enter(to, node);
    if (isDirectory(node)) this.#adopt(node, from.parent, to.parent);
    node.ctime = this.#now();
  }

  open(_caller: Caller, ino: Ino, flags: OpenFlags): Handle {
    const node = this.#node(ino);
    if (isDirectory(node)) throw fault("IsDirectory", "open");
    if (flags.truncate) this.#truncate(node);
    return this.#open(node, flags);
  }

  create(
    caller: Caller, at: Place, node: NewNode, flags: OpenFlags & { readonly exclusive: boolean },
  ): { attributes: Attributes; handle: Handle } {
    const old = this.#directory(at.parent).names.get(at.name);
    if (old !== undefined && flags.exclusive) throw fault("Exists", "create");
    const regular = { mode: regularType | (node.mode & 0o7777) };
    const made = old === undefined ? this.#add(caller, at, regular) : this.#node(old.ino);
    if (flags.truncate) this.#truncate(made);
    const handle = this.#open(made, flags);
    return { attributes: this.#counted(made), handle };
  }

  tmpfile(
    caller: Caller, parent: Ino, node: NewNode, flags: OpenFlags,
  ): { attributes: Attributes; handle: Handle } {
    const made = this.#make(caller, { mode: regularType | (node.mode & 0o7777) });
    this.#inherit(made, this.#directory(parent));
    made.links = 0;
    const handle = this.#open(made, flags);
    return { attributes: this.#counted(made), handle };
  }

  read(handle: Handle, range: ByteRange): readonly Uint8Array[] {
    return this.#opened(handle, "read").file.read(range);
  }

  write(handle: Handle, offsetBytes: number, bytes: Uint8Array): number {
    const node = this.#opened(handle, "write");
    checkSize(offsetBytes + bytes.length);
    node.file.write(offsetBytes, bytes);
    node.mtime = node.ctime = this.#now();
    return bytes.length;
  }

  allocate(handle: Handle, range: ByteRange, kind: AllocateKind): void {
    const node = this.#opened(handle, "write");
    const { offsetBytes, lengthBytes } = range;
    const end = checkSize(offsetBytes + lengthBytes);
    const inside = { offsetBytes, lengthBytes: Math.min(end, node.file.sizeBytes) - offsetBytes };
    if (kind !== "extend" && kind !== "keep-size") node.file.clear(inside);
    const grows = kind === "extend" || kind === "zero-range";
    if (grows && end > node.file.sizeBytes) node.file.truncate(end);
    node.mtime = node.ctime = this.#now();
  }

  seek(handle: Handle, offsetBytes: number, whence: "data" | "hole"): number {
    return this.#opened(handle, "read").file.seek(offsetBytes, whence);
  }

  copyRange(from: Handle, range: ByteRange, to: Handle, toOffsetBytes: number): number {
    const pieces = this.read(from, range).map((piece) => Buffer.from(piece));
    return this.write(to, toOffsetBytes, Buffer.concat(pieces));
  }

  flush(handle: Handle): void {
    this.#opened(handle, "read");
  }

  release(handle: Handle): void {
    const { node } = this.#held(handle);
    this.#handles.delete(handle);
    node.handles--;
    this.#reap(node);
  }

  fsync(handle: Handle): void {
    this.#opened(handle, "read");
  }

  opendir(ino: Ino): Handle {
    return this.#open(this.#directory(ino), undefined);
  }

  readdir(
    handle: Handle, options: { readonly afterCookie: number; readonly plus: boolean },
    emit: (item: DirectoryItem) => boolean,
  ): void {
    const { node } = this.#held(handle);
    const dots = [["." as const, node.ino, 1], [".." as const, node.parent, 2]] as const;
    for (const [name, ino, cookie] of dots) {
      if (cookie <= options.afterCookie) continue;
      if (!emit({ name, ino, type: directoryType, cookie })) return;
    }
    for (const [name, { ino, cookie }] of node.names) {
      if (cookie <= options.afterCookie) continue;
      if (!this.#emit({ name, ino, cookie }, options.plus, emit)) return;
    }
  }

  releasedir(handle: Handle): void {
    this.release(handle);
  }

  fsyncdir(handle: Handle): void {
    this.#held(handle);
  }

  getxattr(ino: Ino, name: string): Uint8Array {
    const value = this.#node(ino).xattrs.get(name);
    if (value === undefined) throw fault("NoData", "getxattr");
    return value;
  }

  setxattr(
    _caller: Caller, ino: Ino, name: string, value: Uint8Array, mode: "any" | "create" | "replace",
    options: { readonly dropSetGid: boolean } = { dropSetGid: false },
  ): void {
    const node = this.#node(ino);
    if (!/^((user|trusted|security)\.|system\.posix_acl_(access|default)$)/.test(name)) {
      throw fault("Unsupported", "setxattr");
    }
    if (value.length > limits.tree.xattrBytesMax) throw fault("TooLarge", "setxattr");
    if (mode === "create" && node.xattrs.has(name)) throw fault("Exists", "setxattr");
    if (mode === "replace" && !node.xattrs.has(name)) throw fault("NoData", "setxattr");
    const acl = modeForAcl(node.mode, name, value);
    if (acl.keeps) node.xattrs.set(name, Buffer.from(value));
    else node.xattrs.delete(name);
    const drops = options.dropSetGid && name === "system.posix_acl_access";
    node.mode = drops ? acl.mode & ~0o2000 : acl.mode;
    node.ctime = this.#now();
  }

  listxattr(ino: Ino): readonly string[] {
    return [...this.#node(ino).xattrs.keys()];
  }

  removexattr(_caller: Caller, ino: Ino, name: string): void {
    const node = this.#node(ino);
    const known = node.xattrs.delete(name);
    if (!known && name.startsWith("system.posix_acl_")) return;
    if (!known) throw fault("NoData", "removexattr");
    node.ctime = this.#now();
  }

  statfs(): VolumeStats {
    return { totalBytes: 2 ** 40, freeBytes: 2 ** 39, files: this.#nodes.size, nameBytesMax: 255 };
  }

  async syncAll(): Promise<void> {
    this.syncs++;
  }

  #now(): Instant {
    const ns = this.#clock.nowNs();
    return { seconds: Number(ns / 1_000_000_000n), nanoseconds: Number(ns % 1_000_000_000n) };
  }

  #make(caller: Caller, node: NewNode): Node {
    const now = this.#now();
    const made: Node = {
      ino: parseIno(++this.#lastIno), mode: node.mode, links: 1, uid: caller.uid, gid: caller.gid,
      rdev: node.rdev ?? 0, atime: now, mtime: now, ctime: now, btime: now, xattrs: new Map(),
      file: new MemoryFile(), target: Buffer.alloc(0), names: new Map(), parent: rootIno,
      lookups: 0, handles: 0,
    };
    this.#nodes.set(made.ino, made);
    return made;
  }

  #add(caller: Caller, at: Place, node: NewNode): Node {
    const parent = this.#directory(at.parent);
    if (parent.names.has(at.name)) throw fault("Exists", "add");
    const made = this.#make(caller, node);
    this.#inherit(made, parent);
    made.parent = parent.ino;
    this.#enter(at, made);
    return made;
  }

  #inherit(made: Node, parent: Node): void {
    if ((parent.mode & 0o2000) !== 0) made.gid = parent.gid;
    if ((made.mode & typeMask) === linkType) return;
    const inherited = inheritAcl(parent.xattrs, made.mode);
    made.mode = inherited.mode;
    made.xattrs = inherited.values;
  }

  #enter(at: Place, node: Node): void {
    if (at.name.length > nameBytesMax) throw fault("NameTooLong", "enter");
    const parent = this.#directory(at.parent);
    if (parent.links === 0) throw fault("NotFound", "enter");
    if (parent.names.has(at.name)) throw fault("Exists", "enter");
    parent.names.set(at.name, { ino: node.ino, cookie: ++this.#lastCookie });
    parent.mtime = parent.ctime = this.#now();
  }

  #leave(at: Place): void {
    const parent = this.#directory(at.parent);
    parent.names.delete(at.name);
    parent.mtime = parent.ctime = this.#now();
  }

  #lose(node: Node): void {
    node.links = isDirectory(node) ? 0 : node.links - 1;
    node.ctime = this.#now();
    this.#reap(node);
  }

  #reap(node: Node): void {
    const gone = node.links === 0 && node.lookups <= 0 && node.handles === 0;
    if (gone) this.#nodes.delete(node.ino);
  }

  #refuseInside(node: Node, parent: Ino): void {
    for (let at = this.#node(parent); ; at = this.#node(at.parent)) {
      if (at === node) throw fault("Invalid", "rename");
      if (at.ino === rootIno) return;
    }
  }

  #displace(node: Node, to: Place, target: Node): void {
    if (isDirectory(target) && !isDirectory(node)) throw fault("IsDirectory", "rename");
    if (isDirectory(node) && !isDirectory(target)) throw fault("NotDirectory", "rename");
    if (target.names.size > 0) throw fault("NotEmpty", "rename");
    this.#leave(to);
    if (isDirectory(target)) this.#node(to.parent).links--;
    this.#lose(target);
  }

  #exchange(from: Place, node: Node, to: Place, target: Node | undefined): void {
    if (target === undefined) throw fault("NotFound", "rename");
    if (isDirectory(target)) this.#refuseInside(target, from.parent);
    this.#leave(from);
    this.#leave(to);
    this.#enter(from, target);
    this.#enter(to, node);
    if (isDirectory(node)) this.#adopt(node, from.parent, to.parent);
    if (isDirectory(target)) this.#adopt(target, to.parent, from.parent);
    node.ctime = target.ctime = this.#now();
  }

  #adopt(node: Node, from: Ino, to: Ino): void {
    this.#node(from).links--;
    this.#node(to).links++;
    node.parent = to;
  }

  #truncate(node: Node): void {
    node.file.truncate(0);
    node.mtime = node.ctime = this.#now();
  }

  #open(node: Node, flags: OpenFlags | undefined): Handle {
    const handle = parseHandle(++this.#lastHandle);
    node.handles++;
    this.#handles.set(handle, { node, flags });
    return handle;
  }

  #held(handle: Handle): { node: Node; flags: OpenFlags | undefined } {
    const held = this.#handles.get(handle);
    if (held === undefined) throw fault("BadHandle", "handle");
    return held;
  }

  #opened(handle: Handle, need: "read" | "write"): Node {
    const { node, flags } = this.#held(handle);
    if (flags?.[need] !== true) throw fault("BadHandle", need);
    return node;
  }

  #counted(node: Node): Attributes {
    node.lookups++;
    return attributesOf(node);
  }

  #emit(
    item: { name: Name; ino: Ino; cookie: number }, plus: boolean,
    emit: (item: DirectoryItem) => boolean,
  ): boolean {
    const node = this.#node(item.ino);
    const base = { ...item, type: node.mode & typeMask };
    if (!plus) return emit(base);
    const accepted = emit({ ...base, attributes: attributesOf(node) });
    if (accepted) node.lookups++;
    return accepted;
  }

  #node(ino: Ino): Node {
    const node = this.#nodes.get(ino);
    if (node === undefined) throw fault("Stale", "node");
    return node;
  }

  #directory(ino: Ino): Node {
    const node = this.#node(ino);
    if (!isDirectory(node)) throw fault("NotDirectory", "directory");
    return node;
  }

  #child(at: Place): Node {
    const entry = this.#directory(at.parent).names.get(at.name);
    if (entry === undefined) throw fault("NotFound", "child");
    return this.#node(entry.ino);
  }
}

function attributesOf(node: Node): Attributes {
  const link = (node.mode & typeMask) === linkType;
  const { ino, mode, links, uid, gid, rdev, atime, mtime, ctime, btime } = node;
  const sizeBytes = link ? node.target.length : node.file.sizeBytes;
  const blocks = Math.ceil(node.file.storedBytes / 512);
  return { ino, mode, links, uid, gid, rdev, sizeBytes, blocks, atime, mtime, ctime, btime };
}

function isDirectory(node: Node): boolean {
  return (node.mode & typeMask) === directoryType;
}

/** As Linux does it on a write or chown: the group bit only where it means running as the group. */
function dropPrivileges(node: Node): void {
  if (isDirectory(node)) return;
  node.mode &= ~0o4000;
  if ((node.mode & 0o010) !== 0) node.mode &= ~0o2000;
}

function checkSize(sizeBytes: number): number {
  if (sizeBytes <= limits.tree.fileBytesMax) return sizeBytes;
  throw fault("TooLarge", "size");
}

function fault(kind: Kind, op: string): HiveError {
  return new HiveError(kind, `memory.${op}`, "");
}
