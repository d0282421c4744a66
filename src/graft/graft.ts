/**
 * The face of this room: the drive's own tree and those grafted into it, as one FileSystem. Here it
 * is told by a number whose it is, and by a name whether something is grafted there; nothing else.
 * What is of the drive's own tree goes to it as it came: on that way nothing waits and nothing is
 * wrapped.
 */
import { HiveError, isFault } from "../base/errors.ts";
import type {
  AllocateKind, AttributeChange, Attributes, ByteRange, Caller, DirectoryItem, FileSystem, NewNode,
  OpenFlags, Place, RenameKind,
} from "../base/filesystem.ts";
import { type GraftNotices, type GraftPoint, type GraftTable, directoryType }
  from "../base/grafts.ts";
import { type Handle, type Ino, type Name, rootIno } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { Maybe } from "../base/step.ts";
import { GraftDirectories } from "./directories.ts";
import { fixedFiles } from "./fixed.ts";
import { indexOf } from "./numbers.ts";
import { Openings } from "./openings.ts";

const { firstNumber } = limits.graft;

export interface GraftNeeds {
  readonly base: FileSystem;
  readonly table: GraftTable;
  readonly log: Log;
  readonly now: () => number;
}

export class Grafts implements FileSystem, AsyncDisposable {
  readonly #base: FileSystem;
  readonly #table: GraftTable;
  readonly #directories: GraftDirectories;
  readonly #openings: Openings;
  readonly #listsPoints: boolean;
  /** Open handles of the root, where some points are listed. */
  readonly #rootHandles = new Set<Handle>();

  constructor(needs: GraftNeeds, owner: { readonly uid: number; readonly gid: number }) {
    this.#base = needs.base;
    this.#table = needs.table;
    this.#listsPoints = [...needs.table.root.values()].some(({ listed }) => listed);
    this.#directories = new GraftDirectories({
      ...owner,
      now: needs.now,
      enter: (point, directory, name) => this.#openings.enter(point, directory, name),
      divert: (directory, name) => this.#openings.divert(directory, name),
    });
    this.#openings = new Openings(
      needs.log, fixedFiles(this.#directories), () => this.#directories.notices,
    );
  }

  /** From now on there is a kernel that keeps what it was told. */
  begin(notices: GraftNotices): void {
    this.#directories.notices = notices;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#directories[Symbol.dispose]();
    await this.#openings[Symbol.asyncDispose]();
  }

  lookup(at: Place): Maybe<Attributes> {
    const files = this.#of(at.parent);
    const point = files === this.#base ? this.#pointAt(at) : undefined;
    return point === undefined ? files.lookup(at) : this.#enter(at, point);
  }

  forget(ino: Ino, lookups: number): void {
    this.#of(ino).forget(ino, lookups);
  }

  getattr(ino: Ino): Maybe<Attributes> {
    return this.#of(ino).getattr(ino);
  }

  setattr(caller: Caller, ino: Ino, change: AttributeChange): Maybe<Attributes> {
    return this.#of(ino).setattr(caller, ino, change);
  }

  readlink(ino: Ino): Maybe<Uint8Array> {
    return this.#of(ino).readlink(ino);
  }

  mknod(caller: Caller, at: Place, node: NewNode): Maybe<Attributes> {
    return this.#making(at).mknod(caller, at, node);
  }

  mkdir(caller: Caller, at: Place, node: NewNode): Maybe<Attributes> {
    return this.#making(at).mkdir(caller, at, node);
  }

  symlink(caller: Caller, at: Place, target: Uint8Array): Maybe<Attributes> {
    return this.#making(at).symlink(caller, at, target);
  }

  link(caller: Caller, ino: Ino, at: Place): Maybe<Attributes> {
    return this.#both(this.#of(ino), this.#making(at)).link(caller, ino, at);
  }

  unlink(caller: Caller, at: Place): Maybe<void> {
    return this.#removing(at).unlink(caller, at);
  }

  rmdir(caller: Caller, at: Place): Maybe<void> {
    return this.#removing(at).rmdir(caller, at);
  }

  rename(caller: Caller, from: Place, to: Place, kind: RenameKind): Maybe<void> {
    const files = this.#both(this.#removing(from), this.#making(to));
    return files.rename(caller, from, to, kind);
  }

  open(caller: Caller, ino: Ino, flags: OpenFlags): Maybe<Handle> {
    return this.#of(ino).open(caller, ino, flags);
  }

  create(
    caller: Caller, at: Place, node: NewNode, flags: OpenFlags & { readonly exclusive: boolean },
  ): Maybe<{ readonly attributes: Attributes; readonly handle: Handle }> {
    return this.#making(at).create(caller, at, node, flags);
  }

  tmpfile(
    caller: Caller, parent: Ino, node: NewNode, flags: OpenFlags,
  ): Maybe<{ readonly attributes: Attributes; readonly handle: Handle }> {
    return this.#of(parent).tmpfile(caller, parent, node, flags);
  }

  read(handle: Handle, range: ByteRange, signal?: AbortSignal): Maybe<readonly Uint8Array[]> {
    return this.#of(handle).read(handle, range, signal);
  }

  write(handle: Handle, offsetBytes: number, bytes: Uint8Array): Maybe<number> {
    return this.#of(handle).write(handle, offsetBytes, bytes);
  }

  allocate(handle: Handle, range: ByteRange, kind: AllocateKind): Maybe<void> {
    return this.#of(handle).allocate(handle, range, kind);
  }

  seek(handle: Handle, offsetBytes: number, whence: "data" | "hole"): Maybe<number> {
    return this.#of(handle).seek(handle, offsetBytes, whence);
  }

  copyRange(from: Handle, range: ByteRange, to: Handle, toOffsetBytes: number): Maybe<number> {
    return this.#both(this.#of(from), this.#of(to)).copyRange(from, range, to, toOffsetBytes);
  }

  flush(handle: Handle): Maybe<void> {
    return this.#of(handle).flush(handle);
  }

  release(handle: Handle): Maybe<void> {
    return this.#of(handle).release(handle);
  }

  fsync(handle: Handle): Maybe<void> {
    return this.#of(handle).fsync(handle);
  }

  opendir(ino: Ino): Maybe<Handle> {
    const isLonger = ino === rootIno && this.#listsPoints;
    return isLonger ? this.#openRoot() : this.#of(ino).opendir(ino);
  }

  readdir(
    handle: Handle, options: { readonly afterCookie: number; readonly plus: boolean },
    emit: (item: DirectoryItem) => boolean,
  ): Maybe<void> {
    if (this.#rootHandles.has(handle)) return this.#listRoot(handle, options, emit);
    return this.#of(handle).readdir(handle, options, emit);
  }

  releasedir(handle: Handle): Maybe<void> {
    this.#rootHandles.delete(handle);
    return this.#of(handle).releasedir(handle);
  }

  fsyncdir(handle: Handle): Maybe<void> {
    return this.#of(handle).fsyncdir(handle);
  }

  getxattr(ino: Ino, name: string): Maybe<Uint8Array> {
    return this.#of(ino).getxattr(ino, name);
  }

  setxattr(
    caller: Caller, ino: Ino, name: string, value: Uint8Array, mode: "any" | "create" | "replace",
    options?: { readonly dropSetGid: boolean },
  ): Maybe<void> {
    return this.#of(ino).setxattr(caller, ino, name, value, mode, options);
  }

  listxattr(ino: Ino): Maybe<readonly string[]> {
    return this.#of(ino).listxattr(ino);
  }

  removexattr(caller: Caller, ino: Ino, name: string): Maybe<void> {
    return this.#of(ino).removexattr(caller, ino, name);
  }

  statfs = () => this.#base.statfs();

  async syncAll(): Promise<void> {
    await Promise.all([this.#base, ...this.#openings.all()].map((files) => files.syncAll()));
  }

  #of(number: Ino | Handle): FileSystem {
    return number < firstNumber ? this.#base : this.#openings.at(indexOf(number));
  }

  /** Two trees have no inode in common. */
  #both(one: FileSystem, other: FileSystem): FileSystem {
    if (one === other) return one;
    throw new HiveError("CrossDevice", "graft.both", "two trees");
  }

  /** Nothing is made where something is grafted, here or for whose tree it is: it would hide it. */
  #making(at: Place): FileSystem {
    const files = this.#of(at.parent);
    const isOwn = files === this.#base;
    const isTaken = isOwn ? this.#pointAt(at) !== undefined : this.#table.everywhere.has(at.name);
    if (isTaken) throw new HiveError("Exists", "graft.make", at.name);
    return files;
  }

  /** What is grafted goes as a mount point does: not by its name. */
  #removing(at: Place): FileSystem {
    if (this.#directories.knows(at)) throw new HiveError("Busy", "graft.remove", at.name);
    return this.#of(at.parent);
  }

  #pointAt({ parent, name }: Place): (() => GraftPoint) | undefined {
    const { root, everywhere } = this.#table;
    const point = everywhere.get(name);
    if (point !== undefined) return () => point(parent);
    const inRoot = parent === rootIno ? root.get(name) : undefined;
    return inRoot === undefined ? undefined : () => inRoot.point;
  }

  async #enter(at: Place, point: () => GraftPoint): Promise<Attributes> {
    try {
      return await this.#base.lookup(at);
    } catch (error) {
      if (!isFault(error, "NotFound")) throw error;
      return this.#directories.enter(at, point);
    }
  }

  async #openRoot(): Promise<Handle> {
    const handle = await this.#base.opendir(rootIno);
    this.#rootHandles.add(handle);
    return handle;
  }

  /** The drive's own names, and behind them those of points that are to be seen. */
  async #listRoot(
    handle: Handle, options: { readonly afterCookie: number; readonly plus: boolean },
    emit: (item: DirectoryItem) => boolean,
  ): Promise<void> {
    let isFull = false;
    if (options.afterCookie < firstNumber) {
      await this.#base.readdir(handle, options, (item) => {
        isFull = !emit(item);
        return !isFull;
      });
    }
    let cookie = firstNumber;
    for (const name of await this.#listedNames()) {
      cookie++;
      if (isFull || cookie <= options.afterCookie) continue;
      isFull = !emit({ name, ino: rootIno, type: directoryType, cookie });
    }
  }

  async #listedNames(): Promise<readonly Name[]> {
    const shown: Name[] = [];
    for (const [name, { point, listed }] of this.#table.root) {
      const hasNames = listed && (await point.items()).length > 0;
      if (hasNames && !(await this.#hasOwn(name))) shown.push(name);
    }
    return shown;
  }

  async #hasOwn(name: Name): Promise<boolean> {
    try {
      const { ino } = await this.#base.lookup({ parent: rootIno, name });
      this.#base.forget(ino, 1);
      return true;
    } catch (error) {
      if (isFault(error, "NotFound")) return false;
      throw error;
    }
  }
}
