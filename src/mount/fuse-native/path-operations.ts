/** The operations that fuse-native asks for, by paths and 32-bit descriptors, over the tree. */
import { HiveError } from "../../base/errors.ts";
import type { Attributes, Caller, Instant } from "../../base/filesystem.ts";
import type { Handle, Ino } from "../../base/ids.ts";
import { nameToText } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { describe } from "../../base/log.ts";
import type { MountNeeds } from "../driver.ts";
import { errnoFor, isWorthLogging } from "../errno.ts";
import { openFlags } from "../protocol/open-flags.ts";
import { Paths } from "./paths.ts";

/** A negative errno, or what the operation counts; then what it found. */
type Answer = (result: number, found?: unknown) => void;
type Act = (...words: never[]) => Promise<unknown>;
type Served = (...words: unknown[]) => void;

export type PathOperations = Readonly<Record<string, Served>>;

const idKept = 2 ** 32 - 1;
const blockBytes = 4096;
const creates = 1;
const replaces = 2;

export interface PathService {
  readonly operations: PathOperations;
  readonly counts: ReadonlyMap<string, number>;
  /** Releases what an unmount left open. */
  closeAll(): Promise<void>;
}

export function pathOperations(needs: MountNeeds): PathService {
  const counts = new Map<string, number>();
  const served = new Served32(needs);
  const entries = Object.entries(served.table()).map(([name, act]): [string, Served] => {
    return [name, (...words) => {
      counts.set(name, (counts.get(name) ?? 0) + 1);
      const answer = words.pop() as Answer;
      void reply(needs, name, answer, () => act(...(words as never[])));
    }];
  });
  return { operations: Object.fromEntries(entries), counts, closeAll: () => served.closeAll() };
}

/** A number is the result itself; anything else is what was found. */
async function reply(
  needs: MountNeeds, name: string, answer: Answer, act: () => Promise<unknown>,
): Promise<void> {
  try {
    const found = await act();
    if (name === "read" || name === "write") answer(found as number);
    else answer(0, found);
  } catch (error) {
    if (isWorthLogging(error)) {
      needs.log.error("mount.failed", { request: name, error: describe(error) });
    }
    answer(-errnoFor(error));
  }
}

class Served32 {
  readonly #needs: MountNeeds;
  readonly #paths: Paths;
  readonly #open = new Map<number, Handle>();
  /** libfuse knows the caller, the package does not tell: everything belongs to who mounted. */
  readonly #caller: Caller;
  #last = 0;

  constructor(needs: MountNeeds) {
    this.#needs = needs;
    this.#paths = new Paths(needs.tree);
    const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
    this.#caller = { uid, gid, pid: process.pid };
  }

  table(): Readonly<Record<string, Act>> {
    return { ...this.#names(), ...this.#attributes(), ...this.#files(), ...this.#xattrs() };
  }

  async closeAll(): Promise<void> {
    for (const handle of this.#open.values()) await this.#needs.tree.release(handle);
    this.#open.clear();
  }

  #names(): Readonly<Record<string, Act>> {
    const [tree, paths, caller] = [this.#needs.tree, this.#paths, this.#caller];
    const forgetting = (made: Attributes) => tree.forget(made.ino, 1);
    return {
      readdir: (path: string) => paths.at(path, (ino) => this.#list(ino)),
      mkdir: (path: string, mode: number) => paths.place(path, async (at) =>
        forgetting(await tree.mkdir(caller, at, { mode }))),
      mknod: (path: string, mode: number, rdev: number) => paths.place(path, async (at) =>
        forgetting(await tree.mknod(caller, at, { mode, rdev }))),
      symlink: (target: string, path: string) => paths.place(path, async (at) =>
        forgetting(await tree.symlink(caller, at, Buffer.from(target)))),
      link: (from: string, to: string) => paths.at(from, (ino) =>
        paths.place(to, async (at) => forgetting(await tree.link(caller, ino, at)))),
      unlink: (path: string) => paths.place(path, (at) => tree.unlink(caller, at)),
      rmdir: (path: string) => paths.place(path, (at) => tree.rmdir(caller, at)),
      rename: (from: string, to: string) => paths.place(from, (source) =>
        paths.place(to, (target) => tree.rename(caller, source, target, "replace"))),
      readlink: (path: string) => paths.at(path, async (ino) =>
        Buffer.from(await tree.readlink(ino)).toString()),
    };
  }

  #attributes(): Readonly<Record<string, Act>> {
    const [tree, paths, caller] = [this.#needs.tree, this.#paths, this.#caller];
    const getattr = (path: string) => paths.at(path, async (ino) => stat(await tree.getattr(ino)));
    const truncate = (path: string, sizeBytes: number) => paths.at(path, async (ino) =>
      void await tree.setattr(caller, ino, { sizeBytes, dropPrivileges: true }));
    return {
      getattr,
      fgetattr: getattr,
      truncate,
      ftruncate: (path: string, _fd: number, sizeBytes: number) => truncate(path, sizeBytes),
      chmod: (path: string, mode: number) => paths.at(path, async (ino) =>
        void await tree.setattr(caller, ino, { mode: mode & 0o7777 })),
      chown: (path: string, uid: number, gid: number) => paths.at(path, async (ino) =>
        void await tree.setattr(caller, ino, {
          ...(uid === idKept ? {} : { uid }), ...(gid === idKept ? {} : { gid }),
        })),
      utimens: (path: string, atimeMs: number, mtimeMs: number) => paths.at(path, async (ino) =>
        void await tree.setattr(caller, ino, { atime: instant(atimeMs), mtime: instant(mtimeMs) })),
      statfs: async () => this.#volume(),
    };
  }

  #files(): Readonly<Record<string, Act>> {
    const [tree, paths, caller] = [this.#needs.tree, this.#paths, this.#caller];
    return {
      open: (path: string, bits: number) => paths.at(path, async (ino) =>
        this.#keep(await tree.open(caller, ino, openFlags(bits)))),
      create: (path: string, mode: number) => paths.place(path, async (at) => {
        const flags = { read: true, write: true, append: false, truncate: false, exclusive: false };
        const { attributes, handle } = await tree.create(caller, at, { mode }, flags);
        tree.forget(attributes.ino, 1);
        return this.#keep(handle);
      }),
      read: async (_: string, fd: number, into: Buffer, lengthBytes: number, from: number) => {
        const range = { offsetBytes: from, lengthBytes };
        const pieces = await tree.read(this.#handle(fd), range);
        return pieces.reduce((at, piece) => (into.set(piece, at), at + piece.length), 0);
      },
      write: async (_: string, fd: number, bytes: Buffer, lengthBytes: number, to: number) =>
        tree.write(this.#handle(fd), to, bytes.subarray(0, lengthBytes)),
      flush: async (_: string, fd: number) => tree.flush(this.#handle(fd)),
      fsync: async (_: string, _dataOnly: number, fd: number) => tree.fsync(this.#handle(fd)),
      release: async (_: string, fd: number) => {
        const handle = this.#handle(fd);
        this.#open.delete(fd);
        await tree.release(handle);
      },
    };
  }

  #xattrs(): Readonly<Record<string, Act>> {
    const [tree, paths, caller] = [this.#needs.tree, this.#paths, this.#caller];
    return {
      getxattr: (path: string, name: string) => paths.at(path, async (ino) =>
        Buffer.from(await tree.getxattr(ino, name))),
      setxattr: (path: string, name: string, value: Buffer, _position: number, flags: number) =>
        paths.at(path, (ino) => {
          const mode = flags === creates ? "create" : flags === replaces ? "replace" : "any";
          return tree.setxattr(caller, ino, name, Buffer.from(value), mode);
        }),
      listxattr: (path: string) => paths.at(path, (ino) => tree.listxattr(ino)),
      removexattr: (path: string, name: string) => paths.at(path, (ino) =>
        tree.removexattr(caller, ino, name)),
    };
  }

  async #list(ino: Ino): Promise<readonly string[]> {
    const { tree } = this.#needs;
    const handle = await tree.opendir(ino);
    const names: string[] = [];
    try {
      await tree.readdir(handle, { afterCookie: 0, plus: false }, ({ name }) => {
        names.push(name === "." || name === ".." ? name : nameToText(name));
        return true;
      });
    } finally {
      await tree.releasedir(handle);
    }
    return names;
  }

  async #volume(): Promise<Readonly<Record<string, number>>> {
    const volume = await this.#needs.tree.statfs();
    // Its numbers have 32 bits.
    const blocks = (bytes: number) => Math.min(Math.floor(bytes / blockBytes), idKept);
    const free = blocks(volume.freeBytes);
    return {
      bsize: blockBytes, frsize: blockBytes, blocks: blocks(volume.totalBytes), bfree: free,
      bavail: free, files: volume.files, ffree: idKept, favail: idKept,
      namemax: volume.nameBytesMax,
    };
  }

  #keep(handle: Handle): number {
    const full = this.#open.size >= limits.mount.descriptorsMax;
    if (full) throw new HiveError("NoSpace", "mount.open", "descriptors");
    do this.#last = (this.#last + 1) % 2 ** 31;
    while (this.#open.has(this.#last));
    this.#open.set(this.#last, handle);
    return this.#last;
  }

  #handle(fd: number): Handle {
    const handle = this.#open.get(fd);
    if (handle === undefined) throw new HiveError("BadHandle", "mount.descriptor", `${fd}`);
    return handle;
  }
}

function stat(a: Attributes): Readonly<Record<string, number>> {
  return {
    mode: a.mode, uid: a.uid, gid: a.gid, size: a.sizeBytes, dev: 0, nlink: a.links, ino: a.ino,
    rdev: a.rdev, blksize: blockBytes, blocks: a.blocks,
    atime: milliseconds(a.atime), mtime: milliseconds(a.mtime), ctime: milliseconds(a.ctime),
  };
}

/** Whole and from 1970 on: it has no others. */
function milliseconds(instant: Instant): number {
  return Math.max(instant.seconds * 1000 + Math.floor(instant.nanoseconds / 1e6), 0);
}

function instant(ms: number): Instant {
  return { seconds: Math.floor(ms / 1000), nanoseconds: Math.round(ms % 1000) * 1e6 };
}
