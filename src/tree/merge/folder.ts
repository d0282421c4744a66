/**
 * A folder that its owner shares and somebody else writes, met from either side. Whoever writes it
 * has a tree of it alone, and takes the owner's word as it comes: contents stay under the owner's
 * keys. The owner takes in what a guest did through a door (guest.ts) and makes the contents
 * his own first (contents.ts): so nothing of his drive depends on what the guest keeps, or is
 * of a form that this tree did not give it. What goes beyond bounds.ts is refused.
 */
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { xattrBytes } from "../../dag/inode-bytes.ts";
import type { Inode, Xattrs } from "../../dag/inodes.ts";
import type { Seen } from "../../dag/marks.ts";
import { nameOfSlot } from "../../dag/policies.ts";
import type { RootRecord } from "../../dag/root.ts";
import { Wanted, attempt } from "../attempt.ts";
import { slotOf } from "../looking/slots.ts";
import { valuesOf, withValues } from "../names/xattrs.ts";
import type { Blocks } from "../state/blocks.ts";
import type { Node } from "../state/nodes.ts";
import { State } from "../state/state.ts";
import type { SlotOf, Step } from "./apply.ts";
import { withArrivals } from "./arrivals.ts";
import { Bounds, mostOfGuest } from "./bounds.ts";
import type { Arriving, Contents } from "./contents.ts";
import { type Fact, type Side, isFolder } from "./facts.ts";
import { type Guest, admitted, guestSeen } from "./guest.ts";
import type { Meeting, Sides } from "./meeting.ts";
import type { Policies } from "./resealed.ts";
import type { Comparison } from "./sides.ts";
import { WholeFolder } from "./whole-folder.ts";

const { xattrTotalBytesMax } = limits.tree;
const { namesOfHashMax, turnAttributeBytes } = limits.writers;
const permissions = 0o777;
/** What this machine's user says of his files is not a guest's to say. */
const theirAttributes = /^user\.(?!hive\.)/;

/** What the owner has, laid beside the tree of one who writes the folder. */
export class OwnerMeeting extends WholeFolder {
  /** What he has taken over is his to keep from then on, and nobody needs ours any more. */
  readonly takesTheirs = true;

  protected oursOf(side: Side): Side {
    return side;
  }
}

/** What a guest has, laid beside the owner's folder. */
export class GuestMeeting implements Meeting {
  readonly root: RootRecord;
  readonly folder: Node;
  readonly isWhole = false;
  readonly isJudged = true;
  /** Room enough is left for a name that another one wants to give. */
  readonly crowdMax = namesOfHashMax;
  readonly bounds = () => new Bounds(mostOfGuest);
  readonly policies: Policies;
  /** He knows the names of all blocks: what is opened for him, his own keys have to open. */
  readonly blocks: Blocks;
  readonly news: Seen;
  readonly #state: State;
  readonly #guest: Guest;
  readonly #commit: () => Promise<void>;
  readonly #reader: State;
  readonly #contents: Contents;
  readonly #cut: () => void;
  readonly #isRefused: () => boolean;

  constructor(
    state: State, root: RootRecord,
    { folder, number, name, numbers, contents, commit, cut, isRefused }: {
      readonly folder: Node; readonly contents: Contents; readonly commit: () => Promise<void>;
      /** Is told that there is more than one turn brings. */
      readonly cut: () => void;
      /** Somebody was shut out since: it may be this guest. */
      readonly isRefused: () => boolean;
    } & Pick<Guest, "number" | "name" | "numbers">,
  ) {
    this.root = root;
    this.folder = folder;
    folder.pins++;
    this.news = guestSeen(root.devices, { number, name, numbers });
    this.#state = state;
    const fresh = (): number => state.newIno();
    this.#guest = { folder: folder.ino, number, name, numbers, fresh };
    this.#commit = commit;
    this.#cut = cut;
    this.#isRefused = isRefused;
    const { needs, keys, policies } = state;
    this.policies = { nameOf: (slot) => nameOfSlot(state.policies, slot) ?? "" };
    const nobodys = { number: 0, name: "" };
    this.#reader = new State(needs, keys, { ...root, policies }, {
      readOnly: true, device: nobodys,
    });
    this.blocks = this.#reader.blocks;
    this.#contents = contents;
    // Others have its secrets, whether or not the tree was told that yet.
    state.given.add(folder.ino);
  }

  [Symbol.dispose](): void {
    this.folder.pins--;
    this.#state.nodes.settle(this.folder);
    this.#contents.endTurn();
  }

  sidesOf(comparison: Comparison): Sides {
    const ours = withArrivals(comparison.ours(), this.folder.ino);
    return { ours, theirs: admitted(ours, comparison.theirs(), this.#guest) };
  }

  /** What is brought goes by the folder already. */
  slots(): SlotOf {
    return (slot) => slot;
  }

  async bring(steps: readonly Step[]): Promise<void> {
    const theirs = steps.filter(isTheirs);
    const files = theirs.filter(({ after }) => hasChunks(after));
    // Gives what was sealed pages of its own.
    if (await this.#contents.bring(files, this.#reader)) await this.#commit();
    let bytes = 0;
    for (const { before, after } of theirs) {
      // Looked at now, they are in memory when they are asked for.
      bytes += bytesOf(await attempt(() => this.#xattrsOf(before?.inode, after.inode)));
      if (bytes > turnAttributeBytes) return;
    }
  }

  /** As many as this turn has room for. */
  ready(steps: readonly Step[]): readonly Step[] | undefined {
    if (this.#isRefused()) throw new HiveError("Busy", "tree.guest", "somebody was shut out");
    try {
      return this.#readyOf(steps);
    } catch (error) {
      if (error instanceof Wanted) return undefined;
      throw error;
    }
  }

  #readyOf(steps: readonly Step[]): readonly Step[] {
    const ready: Step[] = [];
    let bytes = 0;
    for (const step of steps) {
      const one = bytes > turnAttributeBytes ? undefined : this.#readyOne(step);
      if (one === undefined) {
        this.#cut();
        return ready;
      }
      if (isTheirs(one)) bytes += bytesOf(one.after.inode.xattrs);
      ready.push(one);
    }
    return ready;
  }

  /** Undefined when it is left for the next turn. */
  #readyOne(step: Step): Step | undefined {
    if (!isTheirs(step)) return step;
    const { before, after } = step;
    const inode = this.#dressed(after.inode, before?.inode);
    if (!hasChunks(after)) return { ...step, after: { ...after, inode } };
    const node = this.#contents.take(after);
    if (node === undefined && this.#contents.isTurnOver) return undefined;
    if (node === undefined) throw new Wanted(async () => undefined);
    const { tree, inode: { content, sizeBytes, slot, era } } = node;
    const own = { ...inode, content, sizeBytes, slot, era };
    return { ...step, after: { ...after, tree, inode: own } };
  }

  /** Whose it is and what policy it goes by, a guest cannot say. */
  #dressed(inode: Inode, before: Inode | undefined): Inode {
    const { uid, gid } = before ?? this.folder.inode;
    const slot = before !== undefined && isFolder({ inode })
      ? before.slot : slotOf(this.#state, this.folder);
    const mode = (inode.mode & ~0o7777) | (inode.mode & permissions);
    return {
      ...inode, uid, gid, mode, slot, rdev: 0,
      era: before?.era ?? this.#state.eras.now,
      xattrs: this.#xattrsOf(before, inode),
    };
  }

  #xattrsOf(before: Inode | undefined, after: Inode): Xattrs {
    const own = before === undefined ? [] : [...valuesOf(this.#state, before)];
    const kept = own.filter(([name]) => !theirAttributes.test(name));
    const theirs = [...valuesOf(this.#reader, after)];
    const all = [...kept, ...theirs.filter(([name]) => theirAttributes.test(name))];
    const values = new Map(all.sort(([a], [b]) => (a < b ? -1 : 1)));
    if (xattrBytes(values) <= xattrTotalBytesMax) return withValues(values);
    throw new HiveError("Corrupt", "tree.guest", "more attributes than one file may have");
  }
}

/**
 * What it holds, or what is said of it, comes from the guest. Marks do not tell: a merge marks what
 * it puts together as this device's.
 */
function isTheirs(step: Step): step is Arriving {
  const { before, after } = step;
  const [old, fresh] = [before?.inode, after?.inode];
  return after !== undefined && (old?.content !== fresh?.content || old?.xattrs !== fresh?.xattrs);
}

function hasChunks({ inode }: Fact): boolean {
  return inode.content.kind === "chunks";
}

function bytesOf(xattrs: Xattrs): number {
  return xattrs.kind === "inside" ? xattrBytes(xattrs.values) : 0;
}
