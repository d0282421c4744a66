/**
 * A folder that its owner shares and somebody else writes, met from either side. Whoever writes it
 * has a tree of it alone, and takes the owner's word as it comes: contents stay under the owner's
 * keys. The owner takes in what a guest did through a door (merge-guest.ts) and makes the contents
 * his own first, read as the guest has them and written as any program would: so nothing of his
 * drive depends on what the guest keeps, or is of a form that this tree did not give it.
 */
import { HiveError } from "../base/errors.ts";
import type { Caller } from "../base/filesystem.ts";
import { Writer } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import { type Inode, type Xattrs, fileType, marksOf, noTree, writeTree } from "../dag/inodes.ts";
import { type Seen, markOf } from "../dag/marks.ts";
import type { RootRecord } from "../dag/root.ts";
import { Wanted, attempt } from "./attempt.ts";
import { setAttributes } from "./attributes.ts";
import { nextLink, readRange } from "./content.ts";
import { flush } from "./flush.ts";
import { makeNameless } from "./making.ts";
import type { SlotOf, Step } from "./merge-apply.ts";
import { withArrivals } from "./merge-arrivals.ts";
import { type Guest, admitted, guestSeen } from "./merge-guest.ts";
import type { Meeting, Sides } from "./merge-meeting.ts";
import { type Fact, isFolder } from "./merge-rules.ts";
import type { Comparison } from "./merge-sides.ts";
import type { Node } from "./nodes.ts";
import { afterLoss } from "./removing.ts";
import { slotOf } from "./slots.ts";
import { State } from "./state.ts";
import { writeRange } from "./writing.ts";
import { valuesOf, withValues } from "./xattrs.ts";

const { chunkBytes } = limits.tree;
const nobody: Caller = { uid: 0, gid: 0, pid: 0 };
const permissions = 0o777;
/** What this machine's user says of his files is not a guest's to say. */
const theirAttributes = /^user\.(?!hive\.)/;

/** What the owner has, laid beside the tree of one who writes the folder. */
export class OwnerMeeting implements Meeting {
  readonly root: RootRecord;
  readonly folder: Node;
  readonly isWhole = false;
  readonly isJudged = false;

  /** Corrupt when it has marks of this device that it never made: it would use them again. */
  constructor(state: State, root: RootRecord) {
    this.root = root;
    this.folder = state.nodes.root;
    const { number } = state.device;
    const told = root.devices.get(number)?.count ?? 0;
    if (markOf(number, told) < state.nextIno) return;
    throw new HiveError("Corrupt", "tree.owner", `${told} marks of this device`);
  }

  [Symbol.dispose](): void {}

  get news(): Seen {
    return this.root.devices;
  }

  ready(steps: readonly Step[]): readonly Step[] {
    return steps;
  }

  sidesOf(comparison: Comparison): Sides {
    const ours = comparison.ours();
    const { ino } = this.folder;
    const { facts, seen } = withArrivals(comparison.theirs(), ino);
    // What the folder itself is called, or may do, is its owner's business.
    const own = [...ours.facts].filter(([one]) => one === ino);
    return { ours, theirs: { facts: new Map([...facts, ...own]), seen } };
  }

  /** All goes by this drive's default. */
  slots(): SlotOf {
    return () => 0;
  }
}

/** A guest's bytes, written here, until a name leads to them. */
interface Brought {
  readonly node: Node;
  isTaken: boolean;
}

/** What a guest has, laid beside the owner's folder. */
export class GuestMeeting implements Meeting {
  readonly root: RootRecord;
  readonly folder: Node;
  readonly isWhole = false;
  readonly isJudged = true;
  readonly news: Seen;
  readonly #state: State;
  readonly #guest: Guest;
  readonly #commit: () => Promise<void>;
  readonly #reader: State;
  readonly #brought = new Map<string, Brought>();

  constructor(
    state: State, root: RootRecord,
    { folder, number, name, commit }: {
      readonly folder: Node; readonly commit: () => Promise<void>;
    } & Pick<Guest, "number" | "name">,
  ) {
    this.root = root;
    this.folder = folder;
    folder.pins++;
    this.news = guestSeen(root.devices, { number, name });
    this.#state = state;
    this.#guest = { folder: folder.ino, number, name, fresh: () => state.newIno() };
    this.#commit = commit;
    const { needs, keys, policies, blocks } = state;
    const nobodys = { number: 0, name: "" };
    this.#reader = new State(needs, keys, { ...root, policies }, {
      readOnly: true, device: nobodys, blocks,
    });
  }

  [Symbol.dispose](): void {
    this.folder.pins--;
    this.#state.nodes.settle(this.folder);
    for (const { node, isTaken } of this.#brought.values()) {
      // Its pages are another file's by now.
      if (isTaken) node.tree = noTree;
      node.handles--;
      afterLoss(this.#state, node);
    }
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
    let isNew = false;
    const keys = new Set<string>();
    for (const { before, after } of steps) {
      if (after === undefined || !isTheirs(before, after)) continue;
      // Looked at now, they are in memory when they are asked for.
      await attempt(() => this.#xattrsOf(before?.inode, after.inode));
      if (after.inode.content.kind !== "chunks") continue;
      const key = keyOf(after);
      if (keys.has(key)) throw new HiveError("Corrupt", "tree.guest", "two files of one tree");
      keys.add(key);
      if (this.#brought.has(key)) continue;
      isNew = true;
      this.#brought.set(key, { node: await this.#bringOne(after), isTaken: false });
    }
    // Gives what was written pages of its own.
    if (isNew) await this.#commit();
  }

  ready(steps: readonly Step[]): readonly Step[] | undefined {
    try {
      return steps.map((step) => this.#readyOne(step));
    } catch (error) {
      if (error instanceof Wanted) return undefined;
      throw error;
    }
  }

  #readyOne(step: Step): Step {
    const { before, after } = step;
    if (after === undefined || !isTheirs(before, after)) return step;
    const inode = this.#dressed(after.inode, before?.inode);
    if (inode.content.kind !== "chunks") return { ...step, after: { ...after, inode } };
    const found = this.#brought.get(keyOf(after));
    if (found === undefined || found.isTaken) throw new Wanted(async () => undefined);
    found.isTaken = true;
    const { tree, inode: { content, sizeBytes, slot, era } } = found.node;
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
      ...inode, uid, gid, mode, slot, rdev: 0, policy: before?.policy ?? 0,
      era: before?.era ?? this.#state.eras.now,
      xattrs: this.#xattrsOf(before, inode),
    };
  }

  #xattrsOf(before: Inode | undefined, after: Inode): Xattrs {
    const own = before === undefined ? [] : [...valuesOf(this.#state, before)];
    const kept = own.filter(([name]) => !theirAttributes.test(name));
    const theirs = [...valuesOf(this.#reader, after)];
    const all = [...kept, ...theirs.filter(([name]) => theirAttributes.test(name))];
    return withValues(new Map(all.sort(([a], [b]) => (a < b ? -1 : 1))));
  }

  async #bringOne({ inode, tree }: Fact): Promise<Node> {
    const from = this.#reader.load(inode, tree, { kind: "none" });
    from.handles++;
    try {
      return await this.#copied(from);
    } finally {
      from.handles--;
      from.tree = noTree;
      this.#reader.nodes.settle(from);
    }
  }

  async #copied(from: Node): Promise<Node> {
    const state = this.#state;
    const { ino } = this.folder;
    const mode = fileType.regular | 0o600;
    const node = await attempt(() => makeNameless(state, nobody, ino, { mode }));
    node.handles++;
    try {
      for (let at: number | undefined = 0; at !== undefined;) at = await this.#copy(from, node, at);
      const { sizeBytes } = from.inode;
      await attempt(() => setAttributes(state, node, { sizeBytes }));
      await flush(state, node);
      return node;
    } catch (error) {
      node.handles--;
      afterLoss(state, node);
      throw error;
    }
  }

  /** One chunk; answers where the next one may be, and nothing behind the last. */
  async #copy(from: Node, to: Node, first: number): Promise<number | undefined> {
    const found = await attempt(() => nextLink(this.#reader, from, first));
    const offsetBytes = (found?.index ?? 0) * chunkBytes;
    if (found === undefined || offsetBytes >= from.inode.sizeBytes) return undefined;
    const lengthBytes = Math.min(chunkBytes, from.inode.sizeBytes - offsetBytes);
    const pieces = await attempt(() => readRange(this.#reader, from, { offsetBytes, lengthBytes }));
    const bytes = Buffer.concat(pieces);
    await attempt(() => writeRange(this.#state, to, offsetBytes, bytes));
    return found.index + 1;
  }
}

/** What it holds, or what is said of it, comes from the guest. */
function isTheirs(before: Fact | undefined, after: Fact): boolean {
  if (before === undefined) return true;
  return marksOf(before.inode).edited !== marksOf(after.inode).edited;
}

/** No two files have one secret. */
function keyOf({ tree }: Fact): string {
  const writer = new Writer(128);
  writeTree(writer, tree);
  return writer.finish().toString("latin1");
}
