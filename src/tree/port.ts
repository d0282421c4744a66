/**
 * What the kernel asks for, of the drive as it is or was: the FileSystem port over a state. Each
 * method is an attempt (attempt.ts) of an operation from names/ or content/; here are only handles
 * and lookup counts.
 */
import { HiveError } from "../base/errors.ts";
import type { Caller, FileSystem, OpenFlags } from "../base/filesystem.ts";
import { type Handle, parseName } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Maybe } from "../base/step.ts";
import { fileType, isFolderMode, typeMask } from "../dag/inodes.ts";
import { attempt } from "./attempt.ts";
import { persist } from "./content/flush.ts";
import { allocate, copyRange } from "./content/ranges.ts";
import { writeRange } from "./content/writing.ts";
import { fileOf, readRange, seekRange } from "./looking/content.ts";
import { directoryOf, findName, nodeOf } from "./looking/names.ts";
import { volumeStats } from "./looking/volume.ts";
import { itemAfter } from "./looking/walking.ts";
import { setAttributes } from "./names/attributes.ts";
import { link, make, makeNameless } from "./names/making.ts";
import { describing, growing, opening, refuseArrival, resizing } from "./names/refusing.ts";
import { afterLoss, rmdir, unlink } from "./names/removing.ts";
import { rename } from "./names/renaming.ts";
import { getXattr, listXattrs, removeXattr, setXattr } from "./names/xattrs.ts";
import { Handles } from "./state/handles.ts";
import type { Node } from "./state/nodes.ts";
import type { State } from "./state/state.ts";

const { symlinkBytesMax } = limits.tree;

export function portOf(state: State): FileSystem {
  const handles = new Handles();
  const { nodes } = state;
  /** One operation: what was looked at in passing may go before it, never during it. */
  const run = <T>(act: () => T, signal?: AbortSignal) =>
    attempt(() => {
      nodes.sweep();
      return act();
    }, signal);
  return {
    ...namesPart(state, run),
    ...attributesPart(state, run),
    ...filesPart(state, run, handles),
    ...directoriesPart(state, run, handles),
    statfs: () => volumeStats(state),
    syncAll: async () => undefined,
  };
}

type Run = typeof attempt;

/** The kernel knows of it from now on, until it forgets it. */
export function lookedUp(node: Node): Node {
  node.lookups++;
  return node;
}

function namesPart(state: State, run: Run) {
  const { nodes } = state;
  return {
    lookup: (at) =>
      run(() => {
        const parent = directoryOf(state, at.parent);
        const found = findName(state, parent, at.name);
        if (found === undefined) throw new HiveError("NotFound", "tree.lookup", at.name);
        return lookedUp(nodeOf(state, parent, found)).attributes();
      }),
    forget(ino, lookups) {
      const node = nodes.find(ino);
      if (node === undefined) return;
      node.lookups = Math.max(0, node.lookups - lookups);
      nodes.settle(node);
    },
    mknod: (caller, at, node) =>
      run(() => {
        growing(state, directoryOf(state, at.parent));
        if (isFolderMode(node.mode)) {
          throw new HiveError("NotPermitted", "tree.mknod", "a directory");
        }
        return lookedUp(make(state, caller, at, node)).attributes();
      }),
    mkdir: (caller, at, node) =>
      run(() => {
        growing(state, directoryOf(state, at.parent));
        const mode = (node.mode & ~typeMask) | fileType.directory;
        return lookedUp(make(state, caller, at, { mode })).attributes();
      }),
    symlink: (caller, at, target) =>
      run(() => {
        growing(state, directoryOf(state, at.parent));
        const content = { kind: "symlink", target: checkedTarget(target) } as const;
        const mode = fileType.symlink | 0o777;
        return lookedUp(make(state, caller, at, { mode, content })).attributes();
      }),
    link: (_caller, ino, at) =>
      run(() => {
        growing(state, directoryOf(state, at.parent));
        return lookedUp(link(state, ino, at)).attributes();
      }),
    unlink: (_caller, at) => run(() => unlink(state, at)),
    rmdir: (_caller, at) => run(() => rmdir(state, at)),
    rename: (_caller, from, to, kind) =>
      run(() => {
        const [left, entered] = [directoryOf(state, from.parent), directoryOf(state, to.parent)];
        refuseArrival(state, left, entered);
        if (kind === "exchange") refuseArrival(state, entered, left);
        rename(state, from, to, kind);
      }),
  } satisfies Partial<FileSystem>;
}

function attributesPart(state: State, run: Run) {
  const { nodes } = state;
  return {
    getattr: (ino) => run(() => nodes.get(ino).attributes()),
    setattr: (caller, ino, change) =>
      run(() => {
        const node = resizing(state, nodes.get(ino), change);
        setAttributes(state, node, change, caller);
        return node.attributes();
      }),
    readlink: (ino) =>
      run(() => {
        const { content } = nodes.get(ino).inode;
        if (content.kind === "symlink") return content.target;
        throw new HiveError("Invalid", "tree.readlink", String(ino));
      }),
    getxattr: (ino, name) => run(() => getXattr(state, nodes.get(ino), name)),
    setxattr: (_caller, ino, name, value, mode, options) =>
      run(() => {
        const node = describing(state, nodes.get(ino), name);
        return setXattr(state, node, { name, value, mode, ...options });
      }) as Maybe<void>,
    listxattr: (ino) => run(() => listXattrs(state, nodes.get(ino))),
    removexattr: (_caller, ino, name) =>
      run(() => removeXattr(state, nodes.get(ino), name)) as Maybe<void>,
  } satisfies Partial<FileSystem>;
}

function filesPart(state: State, run: Run, handles: Handles) {
  const { nodes } = state;
  const writable = (handle: Handle): Node => growing(state, handles.writable(handle));
  const opened = (node: Node, flags: OpenFlags): Node => {
    opening(state, fileOf(node), flags);
    if (flags.truncate) setAttributes(state, node, { sizeBytes: 0 });
    return node;
  };
  return {
    open: (_caller, ino, flags) =>
      run(() => {
        // The kernel would take what is written, and learn too late that nobody else does.
        if (flags.write) state.bar.check();
        return handles.open(opened(nodes.get(ino), flags), flags);
      }),
    create: (caller: Caller, at, node, flags) =>
      run(() => {
        if (flags.write) state.bar.check();
        const parent = directoryOf(state, at.parent);
        const found = findName(state, parent, parseName(at.name));
        if (found !== undefined && flags.exclusive) {
          throw new HiveError("Exists", "tree.create", at.name);
        }
        if (found === undefined) growing(state, parent);
        const mode = (node.mode & ~typeMask) | fileType.regular;
        const made =
          found === undefined
            ? make(state, caller, at, { mode })
            : opened(nodeOf(state, parent, found), flags);
        const handle = handles.open(lookedUp(made), flags);
        return { attributes: made.attributes(), handle };
      }),
    tmpfile: (caller, parent, node, flags) =>
      run(() => {
        const mode = (node.mode & ~typeMask) | fileType.regular;
        growing(state, directoryOf(state, parent));
        const made = lookedUp(makeNameless(state, caller, parent, { mode }));
        return { attributes: made.attributes(), handle: handles.open(made, flags) };
      }),
    read: (handle, range, signal) =>
      run(() => readRange(state, handles.get(handle), range), signal),
    write: (handle, offsetBytes, bytes) =>
      run(() => writeRange(state, writable(handle), offsetBytes, bytes)) as Promise<number>,
    allocate: (handle, range, kind) => allocate(state, writable(handle), range, kind),
    seek: (handle, offsetBytes, whence) =>
      run(() => seekRange(state, handles.get(handle), offsetBytes, whence)),
    copyRange: (from, range, to, toOffsetBytes) =>
      copyRange(state, handles.get(from), range, writable(to), toOffsetBytes),
    flush: (handle) => void handles.get(handle),
    release(handle) {
      const node = handles.close(handle);
      if (node !== undefined) afterLoss(state, node);
    },
    async fsync(handle) {
      await persist(state, handles.get(handle));
      await synced(state);
    },
  } satisfies Partial<FileSystem>;
}

function directoriesPart(state: State, run: Run, handles: Handles) {
  return {
    opendir: (ino) => run(() => handles.open(directoryOf(state, ino), { write: false })),
    readdir(handle, { afterCookie, plus }, emit) {
      const directory = handles.get(handle);
      // Progress outlives a restart of the attempt: no item is emitted twice.
      let after = afterCookie;
      return run(() => {
        for (;;) {
          const item = itemAfter(state, directory, { after, plus });
          if (item === undefined || !emit(item.shown)) return;
          item.node?.lookups !== undefined && lookedUp(item.node);
          after = item.shown.cookie;
        }
      });
    },
    releasedir(handle) {
      const node = handles.close(handle);
      if (node !== undefined) state.nodes.settle(node);
    },
    fsyncdir: () => synced(state),
  } satisfies Partial<FileSystem>;
}

/** What is published names durable blocks only, so its records alone have to follow. */
async function synced(state: State): Promise<void> {
  await state.needs.store.syncRecords();
}

function checkedTarget(target: Uint8Array): Buffer {
  if (target.length === 0) throw new HiveError("NotFound", "tree.symlink", "empty target");
  if (target.length <= symlinkBytesMax) return Buffer.from(target);
  throw new HiveError("NameTooLong", "tree.symlink", `${target.length} bytes`);
}
