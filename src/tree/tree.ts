/**
 * The tree's face: a drive opened over a DriveStore, with all that may be asked of it. What the
 * kernel asks is in port.ts.
 *
 * Read: port, attempt, state/, then the operation you care about; commit/ for durability.
 */
import type { CensusTaker } from "../base/blocks.ts";
import type { HiveError } from "../base/errors.ts";
import type { FileSystem } from "../base/filesystem.ts";
import type { Cid, Ino } from "../base/ids.ts";
import type { BrakeRule, KeepRule } from "../base/snapshots.ts";
import type { Step } from "../base/step.ts";
import type { LackingFile } from "../base/views/drive.ts";
import { treeKeys } from "../dag/keys.ts";
import { openRoot } from "../dag/root.ts";
import { Renewer, type Renewing, renewingPart } from "./anew/renewing.ts";
import { Resealer } from "./anew/resealing.ts";
import { Commits } from "./commit/commit.ts";
import { Collector } from "./commit/garbage.ts";
import { KeptRoots } from "./commit/kept-roots.ts";
import { goingOn, newRoot } from "./commit/new-root.ts";
import { type LostChange, replay } from "./commit/replay.ts";
import { Bringer, lackingFiles } from "./content/bringing.ts";
import { type DevicePart, devicePart } from "./device-part.ts";
import { type Governed, governedPart } from "./governed.ts";
import { type GuestPart, guestPart } from "./guest-part.ts";
import { cidsBelow, cidsOf, nodeAt } from "./looking/walking.ts";
import { Merger } from "./merge/merge.ts";
import { Brake } from "./past/brake.ts";
import { Past } from "./past/past.ts";
import { Trash } from "./past/trash.ts";
import { Pinner } from "./pins/pinner.ts";
import { lookedUp, portOf } from "./port.ts";
import type { Device } from "./state/devices.ts";
import { State, type TreeNeeds } from "./state/state.ts";
import { TiesPart } from "./ties.ts";

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
  /** Seals what was written over parts of what only peers have: for the same loop. */
  readonly bringer: Step;
  /** Gives up what nothing refers to when the store is nearly full: for the same loop. */
  readonly collector: Step;
  /** Has it look for some soon, though there is room. */
  collectSoon(): void;
  /** Everything acknowledged so far is in the store's root; Unavailable where peers are needed. */
  commit(): Promise<void>;
  /** The same, answering with the fault of what peers do not give: all else is in the root. */
  commitMost(): Promise<HiveError | undefined>;
  /** Files that have written parts over what only peers have. */
  lackingFiles(): readonly LackingFile[];
  /** From now on it is for reading; whatever was written stays. */
  endWriting(why: string): void;
  /** Commits what it can without peers; the tree is not to be used any more. */
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
    await commits.settle();
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

function drivePart(state: State, { commits, pinner }: Works) {
  const collector = new Collector(state, commits);
  const settle = async (): Promise<void> => {
    if (!state.readOnly) await commits.settle();
  };
  return {
    pins: pinner,
    committer: commits.step(),
    bringer: new Bringer(state).step(),
    collector: collector.step(),
    census: (blocks) => collector.census(blocks),
    collectSoon: () => state.collectSoon(),
    commit: () => commits.commit(),
    commitMost: () => commits.commitMost(),
    lackingFiles: () => lackingFiles(state),
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
