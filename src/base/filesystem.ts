/**
 * The port between the kernel and the tree: `mount` asks, `tree` answers. It is the kernel's own
 * view (inode numbers and handles, not paths), so nothing of POSIX is lost on the way.
 *
 * A method may answer at once or by a promise. Faults are HiveErrors. Permission bits are checked
 * by the kernel (`default_permissions`); what the kernel leaves to the file system (sticky bits,
 * clearing of set-user-id bits, who may chown) is the tree's.
 */
import type { Handle, Ino, Name } from "./ids.ts";
import type { Maybe } from "./step.ts";

/** Who asks: the ids of the calling thread, and its umask where the request carries one. */
export interface Caller {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
}

/** A moment: whole seconds since 1970 (may be negative) and 0 to 999,999,999 nanoseconds. */
export interface Instant {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** What stat(2) tells. `mode` holds the type bits too; `sizeBytes` is below 2^53. */
export interface Attributes {
  readonly ino: Ino;
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  /** Device number of a special file, in the kernel's 32-bit encoding. */
  readonly rdev: number;
  readonly sizeBytes: number;
  /** Allocated size in units of 512 bytes: holes count nothing. */
  readonly blocks: number;
  readonly atime: Instant;
  readonly mtime: Instant;
  readonly ctime: Instant;
  readonly btime: Instant;
}

/** What to change; an absent field stays. "now" is the moment of the call. */
export interface AttributeChange {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly sizeBytes?: number;
  readonly atime?: Instant | "now";
  readonly mtime?: Instant | "now";
  readonly ctime?: Instant | "now";
  /** The kernel asks that set-user-id and set-group-id bits go (a write or chown by another). */
  readonly dropPrivileges?: boolean;
}

/** What a new file, directory or node is to be; `mode` has the umask applied already. */
export interface NewNode {
  readonly mode: number;
  readonly rdev?: number;
}

/** One answer of readdir. `cookie` continues after this item, whatever else changes meanwhile. */
export interface DirectoryItem {
  readonly name: Name | "." | "..";
  readonly ino: Ino;
  /** The type bits of the mode (S_IFMT). */
  readonly type: number;
  readonly cookie: number;
  /** Present when asked for with `plus`, except for "." and "..". */
  readonly attributes?: Attributes;
}

export interface VolumeStats {
  readonly totalBytes: number;
  readonly freeBytes: number;
  readonly files: number;
  readonly nameBytesMax: number;
}

/** rename(2) flags; WHITEOUT is not offered. */
export type RenameKind = "replace" | "noreplace" | "exchange";

/** fallocate(2) modes. */
export type AllocateKind = "extend" | "keep-size" | "punch-hole" | "zero-range" | "zero-keep-size";

export interface Place {
  readonly parent: Ino;
  readonly name: Name;
}

export interface OpenFlags {
  readonly read: boolean;
  readonly write: boolean;
  readonly append: boolean;
  readonly truncate: boolean;
}

export interface ByteRange {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/**
 * Lookup counts: each Attributes answered by lookup, create, mknod, mkdir, symlink, link, tmpfile,
 * and each item of readdir with attributes that `emit` accepted, counts one look-up of that inode.
 * The inode stays known until `forget` has taken all of them back and no handle is open.
 */
export interface FileSystem {
  lookup(at: Place): Maybe<Attributes>;
  forget(ino: Ino, lookups: number): void;
  getattr(ino: Ino): Maybe<Attributes>;
  setattr(caller: Caller, ino: Ino, change: AttributeChange): Maybe<Attributes>;
  readlink(ino: Ino): Maybe<Uint8Array>;
  mknod(caller: Caller, at: Place, node: NewNode): Maybe<Attributes>;
  mkdir(caller: Caller, at: Place, node: NewNode): Maybe<Attributes>;
  symlink(caller: Caller, at: Place, target: Uint8Array): Maybe<Attributes>;
  link(caller: Caller, ino: Ino, at: Place): Maybe<Attributes>;
  unlink(caller: Caller, at: Place): Maybe<void>;
  rmdir(caller: Caller, at: Place): Maybe<void>;
  rename(caller: Caller, from: Place, to: Place, kind: RenameKind): Maybe<void>;

  open(caller: Caller, ino: Ino, flags: OpenFlags): Maybe<Handle>;
  create(
    caller: Caller,
    at: Place,
    node: NewNode,
    flags: OpenFlags & { readonly exclusive: boolean },
  ): Maybe<{ readonly attributes: Attributes; readonly handle: Handle }>;
  /** A nameless file in this directory (O_TMPFILE). */
  tmpfile(
    caller: Caller,
    parent: Ino,
    node: NewNode,
    flags: OpenFlags,
  ): Maybe<{ readonly attributes: Attributes; readonly handle: Handle }>;
  /** Fewer bytes than asked only at the end of the file. The pieces are not to be changed. */
  read(handle: Handle, range: ByteRange, signal?: AbortSignal): Maybe<readonly Uint8Array[]>;
  /** `bytes` may be reused by the caller once the answer is there. Waits when the cache is full. */
  write(handle: Handle, offsetBytes: number, bytes: Uint8Array): Maybe<number>;
  allocate(handle: Handle, range: ByteRange, kind: AllocateKind): Maybe<void>;
  /** The next data or hole at or after the offset; NoData past the end. */
  seek(handle: Handle, offsetBytes: number, whence: "data" | "hole"): Maybe<number>;
  /** Answers the bytes copied; shares whole chunks rather than copying them. */
  copyRange(from: Handle, range: ByteRange, to: Handle, toOffsetBytes: number): Maybe<number>;
  /** close(2) of one descriptor. */
  flush(handle: Handle): Maybe<void>;
  /** The last descriptor is gone; never fails. */
  release(handle: Handle): Maybe<void>;
  /**
   * Resolves when this file (its data, and its metadata with the names that lead to it) would
   * survive a crash. There is no lesser one for data alone: one record tells of both.
   */
  fsync(handle: Handle): Maybe<void>;

  opendir(ino: Ino): Maybe<Handle>;
  /** Emits items after the cookie (0: from the start) until `emit` says false or none is left. */
  readdir(
    handle: Handle,
    options: { readonly afterCookie: number; readonly plus: boolean },
    emit: (item: DirectoryItem) => boolean,
  ): Maybe<void>;
  releasedir(handle: Handle): Maybe<void>;
  fsyncdir(handle: Handle): Maybe<void>;

  getxattr(ino: Ino, name: string): Maybe<Uint8Array>;
  setxattr(
    caller: Caller,
    ino: Ino,
    name: string,
    value: Uint8Array,
    mode: "any" | "create" | "replace",
    /** With an access list, set-group-id goes: the caller is not of the file's group. */
    options?: { readonly dropSetGid: boolean },
  ): Maybe<void>;
  listxattr(ino: Ino): Maybe<readonly string[]>;
  removexattr(caller: Caller, ino: Ino, name: string): Maybe<void>;

  statfs(): Maybe<VolumeStats>;
  /** Everything acknowledged so far would survive a crash (sync(2), unmount). */
  syncAll(): Promise<void>;
}
