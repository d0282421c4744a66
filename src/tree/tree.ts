/**
 * The tree's face: the FileSystem port over a DriveStore. Each method is an attempt (attempt.ts) of
 * an operation from names/ or content/; here are only handles, lookup counts and open.
 *
 * Read: attempt, state/, then the operation you care about; commit/ for durability.
 */
import type { CensusTaker } from "../base/blocks.ts";
import { HiveError } from "../base/errors.ts";
import type { Caller, FileSystem, OpenFlags } from "../base/filesystem.ts";
import { type Cid, type Handle, type Ino, parseName, rootIno } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { BrakeRule, KeepRule } from "../base/snapshots.ts";
import type { Maybe, Step } from "../base/step.ts";
import { fileType, isFolderMode, typeMask } from "../dag/inodes.ts";
import { treeKeys } from "../dag/keys.ts";
import { openRoot } from "../dag/root.ts";
import { Renewer, type Renewing, renewingPart } from "./anew/renewing.ts";
import { Resealer } from "./anew/resealing.ts";
import { attempt } from "./attempt.ts";
import { Commits } from "./commit/commit.ts";
import { Collector } from "./commit/garbage.ts";
import { KeptRoots } from "./commit/kept-roots.ts";
import { goingOn, newRoot } from "./commit/new-root.ts";
import { type LostChange, replay } from "./commit/replay.ts";
import { persist } from "./content/flush.ts";
import { allocate, copyRange } from "./content/ranges.ts";
import { writeRange } from "./content/writing.ts";
import { type DevicePart, devicePart } from "./device-part.ts";
import { type Governed, governedPart } from "./governed.ts";
import { type GuestPart, guestPart } from "./guest-part.ts";
import { fileOf, readRange, seekRange } from "./looking/content.ts";
import { directoryOf, findName, nodeOf } from "./looking/names.ts";
import { cidsBelow, cidsOf, itemAfter, nodeAt, pathOf } from "./looking/walking.ts";
import { Merger } from "./merge/merge.ts";
import { setAttributes } from "./names/attributes.ts";
import { link, make, makeNameless } from "./names/making.ts";
import { describing, growing, opening, refuseArrival, resizing } from "./names/refusing.ts";
import { afterLoss, rmdir, unlink } from "./names/removing.ts";
import { rename } from "./names/renaming.ts";
import { getXattr, listXattrs, removeXattr, setXattr } from "./names/xattrs.ts";
import { Brake } from "./past/brake.ts";
import { Past } from "./past/past.ts";
import { Trash } from "./past/trash.ts";
import { Pinner } from "./pins/pinner.ts";
import type { Device } from "./state/devices.ts";
import { Handles } from "./state/handles.ts";
import type { Node } from "./state/nodes.ts";
import { State, type TreeNeeds } from "./state/state.ts";
import { TiesPart } from "./ties.ts";
import { volumeStats } from "./volume.ts";

const { symlinkBytesMax } = limits.tree;

export type { TreeNeeds } from "./state/state.ts";
export type { Pinner } from "./pins/pinner.ts";

export interface TreeOptions {
  readonly treeSecret: Uint8Array;
  readonly readOnly?: boolean;
  /** Who owns the root directory of a new drive; root if not told. */
  readonly uid?: number;
  readonly gid?: number;
  /** Which roots of the past are kept; those that are, and no more, if not told. */
  readonly keep?: KeepRule;
  /** Which losses are too many at once; none if not told. */
  readonly brake?: BrakeRule;
  /** Which of the drive's devices this is. */
  readonly device?: Device;
  /** Somebody else's folder: files have one name each, and those of several are not shown. */
  readonly isFolder?: boolean;
  /** Is told each change of the journal that damage does not allow; without it, opening fails. */
  readonly lostChange?: LostChange;
}

export interface Tree extends FileSystem, CensusTaker, Governed, Renewing {
  /** Commits when changes are old or many: the integrator's loop runs it. */
  readonly committer: Step;
  /** Gives up what nothing refers to when the store is nearly full: for the same loop. */
  readonly collector: Step;
  /** Has it look for some soon, though there is room. */
  collectSoon(): void;
  /** Everything acknowledged so far is in the store's root. */
  commit(): Promise<void>;
  /** From now on it is for reading; whatever was written stays. */
  endWriting(why: string): void;
  /** Commits; the tree is not to be used any more. */
  close(): Promise<void>;
  /** With the drive's other devices: what they made comes in, what this one made is told. */
  readonly devices: DevicePart;
  /** What the drive knows of other people, kept with its root. */
  readonly ties: TiesPart;
  /** With the owner of a folder that this tree is, or with guests of its own folders. */
  readonly guests: GuestPart;
  /** Lets go of opened chunks, which are kept for the next read of them. */
  forgetOpened(): void;
  /** Every chunk block of a file, in order. */
  cidsOf(ino: Ino): AsyncGenerator<Cid>;
  /** Every inode in memory: all that the kernel may have cached is among them. */
  knownInos(): readonly Ino[];
  /** Every chunk block of the files at and below this inode. */
  cidsBelow(ino: Ino): AsyncGenerator<Cid>;
  /** Keeps here what is pinned; undefined where nothing can be. */
  readonly pins: Pinner | undefined;
  /** What the drive was. */
  readonly past: Past;
  /** What its folders had and have no more. */
  readonly trash: Trash;
  /** What holds back a loss that nobody meant. */
  readonly brake: Brake;
  /** How far a path of names leads from the root: its inode, looked up once. */
  walk(path: readonly string[]): Promise<Ino>;
}

/** Opens a drive, or makes a new one, and makes so again what a crash left in the journal. */
export async function openTree(needs: TreeNeeds, options: TreeOptions): Promise<Tree> {
  const keys = treeKeys(options.treeSecret);
  const sealed = needs.store.root();
  const root = sealed === undefined ? newRoot(needs.clock, options) : openRoot(keys, sealed);
  const readOnly = options.readOnly === true;
  const device = goingOn(root, options.device);
  const state = new State(needs, keys, root, { readOnly, device });
  state.showsLinked = options.isFolder !== true;
  const before = sealed === undefined ? undefined : root;
  const ties = new TiesPart(state, root.ties);
  const commits = new Commits(state, new KeptRoots(state, before, options.keep), ties);
  const brake = new Brake(state, commits, options.brake);
  const replayed = await replay(state, options.lostChange);
  if (replayed > 0) needs.log.info("tree.replay", { records: replayed });
  state.freshFrom = state.nextIno;
  state.namesKept = state.policies.names.length;
  const resealer = new Resealer(state);
  const unsettled = sealed === undefined || replayed > 0 || options.device?.isBack === true;
  if (unsettled && !readOnly) {
    state.keep(state.nodes.root);
    state.mark();
    await commits.commit();
  }
  const pinner = needs.pins === undefined ? undefined : new Pinner(state, commits, needs.pins);
  await brake.begin();
  const renewer = new Renewer(state, commits);
  return treeOf(state, { commits, resealer, pinner, renewer, brake });
}

export interface Works {
  readonly commits: Commits;
  readonly resealer: Resealer;
  readonly pinner: Pinner | undefined;
  readonly renewer: Renewer;
  readonly brake: Brake;
}

export function treeOf(state: State, works: Works): Tree {
  const merger = new Merger(state, works.commits);
  const past = new Past(state, works.commits, portOf);
  return {
    ...portOf(state),
    ...drivePart(state, works),
    ...governedPart(state, works.resealer),
    ...renewingPart(state, works),
    devices: devicePart(state, { ...works, merger }),
    guests: guestPart(state, { ...works, merger }),
    past,
    trash: new Trash(state, past),
    brake: works.brake,
    ties: works.commits.ties,
  };
}

/** What the kernel asks for, of the drive as it is or was. */
function portOf(state: State): FileSystem {
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

function lookedUp(node: Node): Node {
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

function drivePart(state: State, { commits, pinner }: Works) {
  const collector = new Collector(state, commits);
  const settle = async (): Promise<void> => {
    if (!state.readOnly) await commits.commit();
  };
  return {
    pins: pinner,
    committer: commits.step(),
    collector: collector.step(),
    census: (blocks) => collector.census(blocks),
    collectSoon: () => state.collectSoon(),
    commit: () => commits.commit(),
    endWriting: (why: string) => state.bar.close(why),
    syncAll: settle,
    async close() {
      state.isHeard = false;
      await settle();
    },
    forgetOpened: () => state.blocks.forgetOpened(),
    knownInos: () => state.nodes.inos(),
    cidsOf: (ino: Ino) => cidsOf(state, state.nodes.get(ino)),
    cidsBelow: (ino: Ino) => cidsBelow(state, ino),
    walk: async (path: readonly string[]) => lookedUp(await nodeAt(state, path)).ino,
  } satisfies Partial<Tree>;
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
