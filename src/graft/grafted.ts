/**
 * One grafted tree as everybody sees it: under numbers of its span, refusing changes if it is for
 * reading, and counting what is known and open, so that it can be closed when nothing is.
 */
import { HiveError } from "../base/errors.ts";
import type {
  AllocateKind, AttributeChange, Attributes, ByteRange, Caller, DirectoryItem, FileSystem, NewNode,
  OpenFlags, Place, RenameKind,
} from "../base/filesystem.ts";
import type { Graft } from "../base/grafts.ts";
import type { Handle, Ino } from "../base/ids.ts";
import { type Maybe, then } from "../base/step.ts";
import type { Span } from "./numbers.ts";

type Opened = { readonly attributes: Attributes; readonly handle: Handle };

export interface GraftedNeeds {
  readonly graft: Graft;
  readonly span: Span;
  /** Nobody knows anything of it any more. */
  readonly left: () => void;
}

export class Grafted implements FileSystem {
  readonly #tree: FileSystem;
  readonly #needs: GraftedNeeds;
  readonly #span: Span;
  /** Look-ups not taken back, and open handles. */
  #held = 0;

  constructor(needs: GraftedNeeds) {
    this.#needs = needs;
    this.#tree = needs.graft.files;
    this.#span = needs.span;
  }

  /** A look-up of its root. */
  enter(): Maybe<Attributes> {
    return then(this.#tree.getattr(this.#needs.graft.root), (attributes) => this.#told(attributes));
  }

  lookup = (at: Place) => then(this.#tree.lookup(this.#at(at)), (found) => this.#told(found));

  forget(ino: Ino, lookups: number): void {
    const own = this.#span.own(ino);
    if (own !== this.#needs.graft.root) this.#tree.forget(own, lookups);
    this.#letGo(lookups);
  }

  getattr = (ino: Ino) => this.#shown(this.#tree.getattr(this.#span.own(ino)));

  setattr(caller: Caller, ino: Ino, change: AttributeChange): Maybe<Attributes> {
    this.#changes();
    return this.#shown(this.#tree.setattr(caller, this.#span.own(ino), change));
  }

  readlink = (ino: Ino) => this.#tree.readlink(this.#span.own(ino));

  mknod = (caller: Caller, at: Place, node: NewNode) =>
    this.#makes(() => this.#tree.mknod(caller, this.#at(at), node));

  mkdir = (caller: Caller, at: Place, node: NewNode) =>
    this.#makes(() => this.#tree.mkdir(caller, this.#at(at), node));

  symlink = (caller: Caller, at: Place, target: Uint8Array) =>
    this.#makes(() => this.#tree.symlink(caller, this.#at(at), target));

  link = (caller: Caller, ino: Ino, at: Place) =>
    this.#makes(() => this.#tree.link(caller, this.#span.own(ino), this.#at(at)));

  unlink(caller: Caller, at: Place): Maybe<void> {
    this.#changes();
    return this.#tree.unlink(caller, this.#at(at));
  }

  rmdir(caller: Caller, at: Place): Maybe<void> {
    this.#changes();
    return this.#tree.rmdir(caller, this.#at(at));
  }

  rename(caller: Caller, from: Place, to: Place, kind: RenameKind): Maybe<void> {
    this.#changes();
    return this.#tree.rename(caller, this.#at(from), this.#at(to), kind);
  }

  open(caller: Caller, ino: Ino, flags: OpenFlags): Maybe<Handle> {
    if (flags.write || flags.truncate) this.#changes();
    return this.#opened(this.#tree.open(caller, this.#span.own(ino), flags));
  }

  create(
    caller: Caller, at: Place, node: NewNode, flags: OpenFlags & { readonly exclusive: boolean },
  ): Maybe<Opened> {
    this.#changes();
    return this.#made(this.#tree.create(caller, this.#at(at), node, flags));
  }

  tmpfile(caller: Caller, parent: Ino, node: NewNode, flags: OpenFlags): Maybe<Opened> {
    this.#changes();
    return this.#made(this.#tree.tmpfile(caller, this.#span.own(parent), node, flags));
  }

  read = (handle: Handle, range: ByteRange, signal?: AbortSignal) =>
    this.#tree.read(this.#span.ownHandle(handle), range, signal);

  write = (handle: Handle, offsetBytes: number, bytes: Uint8Array) =>
    this.#tree.write(this.#span.ownHandle(handle), offsetBytes, bytes);

  allocate = (handle: Handle, range: ByteRange, kind: AllocateKind) =>
    this.#tree.allocate(this.#span.ownHandle(handle), range, kind);

  seek = (handle: Handle, offsetBytes: number, whence: "data" | "hole") =>
    this.#tree.seek(this.#span.ownHandle(handle), offsetBytes, whence);

  copyRange(from: Handle, range: ByteRange, to: Handle, toOffsetBytes: number): Maybe<number> {
    const [source, target] = [this.#span.ownHandle(from), this.#span.ownHandle(to)];
    return this.#tree.copyRange(source, range, target, toOffsetBytes);
  }

  flush = (handle: Handle) => this.#tree.flush(this.#span.ownHandle(handle));

  release = (handle: Handle) =>
    then(this.#tree.release(this.#span.ownHandle(handle)), () => this.#letGo(1));

  fsync = (handle: Handle) => this.#tree.fsync(this.#span.ownHandle(handle));

  opendir = (ino: Ino) => this.#opened(this.#tree.opendir(this.#span.own(ino)));

  readdir(
    handle: Handle, options: { readonly afterCookie: number; readonly plus: boolean },
    emit: (item: DirectoryItem) => boolean,
  ): Maybe<void> {
    return this.#tree.readdir(this.#span.ownHandle(handle), options, (item) => {
      const isTaken = emit(this.#item(item));
      if (isTaken && item.attributes !== undefined) this.#held++;
      return isTaken;
    });
  }

  releasedir = (handle: Handle) =>
    then(this.#tree.releasedir(this.#span.ownHandle(handle)), () => this.#letGo(1));

  fsyncdir = (handle: Handle) => this.#tree.fsyncdir(this.#span.ownHandle(handle));
  getxattr = (ino: Ino, name: string) => this.#tree.getxattr(this.#span.own(ino), name);
  listxattr = (ino: Ino) => this.#tree.listxattr(this.#span.own(ino));

  setxattr(
    caller: Caller, ino: Ino, name: string, value: Uint8Array, mode: "any" | "create" | "replace",
    options?: { readonly dropSetGid: boolean },
  ): Maybe<void> {
    this.#changes();
    return this.#tree.setxattr(caller, this.#span.own(ino), name, value, mode, options);
  }

  removexattr(caller: Caller, ino: Ino, name: string): Maybe<void> {
    this.#changes();
    return this.#tree.removexattr(caller, this.#span.own(ino), name);
  }

  statfs = () => this.#tree.statfs();

  async syncAll(): Promise<void> {
    if (this.#needs.graft.writable) await this.#tree.syncAll();
  }

  #changes(): void {
    if (this.#needs.graft.writable) return;
    throw new HiveError("ReadOnly", "graft.change", "a tree that is for reading");
  }

  #makes(act: () => Maybe<Attributes>): Maybe<Attributes> {
    this.#changes();
    return then(act(), (attributes) => this.#told(attributes));
  }

  #at({ parent, name }: Place): Place {
    return { parent: this.#span.own(parent), name };
  }

  #shown(attributes: Maybe<Attributes>): Maybe<Attributes> {
    return then(attributes, (own) => ({ ...own, ino: this.#span.outer(own.ino) }));
  }

  #told(own: Attributes): Attributes {
    this.#held++;
    return { ...own, ino: this.#span.outer(own.ino) };
  }

  #opened(handle: Maybe<Handle>): Maybe<Handle> {
    return then(handle, (own) => {
      this.#held++;
      return this.#span.outerHandle(own);
    });
  }

  #made(made: Maybe<Opened>): Maybe<Opened> {
    return then(made, ({ attributes, handle }) => {
      this.#held++;
      return { attributes: this.#told(attributes), handle: this.#span.outerHandle(handle) };
    });
  }

  #item(item: DirectoryItem): DirectoryItem {
    const ino = this.#span.outer(item.ino);
    if (item.attributes === undefined) return { ...item, ino };
    return { ...item, ino, attributes: { ...item.attributes, ino } };
  }

  #letGo(count: number): void {
    this.#held -= count;
    if (this.#held <= 0) this.#needs.left();
  }
}
