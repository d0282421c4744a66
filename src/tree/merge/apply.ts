/**
 * Carries out what a merge decided, as ordinary changes in the journal: a portion at a time, each
 * one record, so that a crash leaves a tree in which some of it is done, and merging again does the
 * rest. First what makes room (folders to put things into, names that go), then what needs it.
 */
import type { PolicySlot } from "../../base/blocks.ts";
import { HiveError } from "../../base/errors.ts";
import type { Ino } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { nameKey, slotsPerHash } from "../../dag/entries.ts";
import { xattrBytes } from "../../dag/inode-bytes.ts";
import { type Inode, type PageTree, bringsBlock, marksOf, noTree } from "../../dag/inodes.ts";
import { findName, nextName } from "../looking/names.ts";
import { hasBlocks, jointIn, slotOf } from "../looking/slots.ts";
import { resealingChange } from "../names/folder-policy.ts";
import { mayLiveIn } from "../names/one-name.ts";
import { afterLoss } from "../names/removing.ts";
import type { Change, HomePlace } from "../state/journal.ts";
import type { Node } from "../state/nodes.ts";
import { recordAsIs } from "../state/recording.ts";
import type { State } from "../state/state.ts";
import { type Fact, type Merged, type Side, isFolder, isResealed } from "./facts.ts";
import { type Place, hasPlace } from "./names.ts";

/** What the kernel may have in its caches and what is another by now. */
export interface Stale {
  readonly names: Place[];
  readonly inos: Ino[];
}

/** One inode that is to become another. */
export interface Step {
  readonly ino: Ino;
  readonly before: Fact | undefined;
  readonly after: Fact | undefined;
}

/** Their number of a policy, as it is here. */
export type SlotOf = (slot: number) => number;

/** How a merge is carried out. */
export interface How {
  readonly stale: Stale;
  readonly slotOf: SlotOf;
  /** It counts among the losses that nobody may have meant (brake.ts). */
  readonly isJudged: boolean;
}

/** What differs from ours, in the order in which it can be done. */
export function planOf(ours: Side, merged: Merged): readonly Step[] {
  const steps: Step[] = [];
  for (const ino of new Set([...ours.facts.keys(), ...merged.keys()])) {
    const before = ours.facts.get(ino);
    const after = merged.get(ino);
    if (before === undefined || after === undefined || differs(before, after)) {
      steps.push({ ino, before, after });
    }
  }
  const depth = depthIn(merged, ours);
  const rank = (step: Step): number => {
    if (step.before !== undefined) return step.after === undefined ? 2 : 1;
    return isFolder(step.after as Fact) ? 0 : 3;
  };
  return steps.sort((a, b) => rank(a) - rank(b) || depth(a) - depth(b));
}

function differs(before: Fact, after: Fact): boolean {
  const [old, fresh] = [marksOf(before.inode), marksOf(after.inode)];
  if (old.edited !== fresh.edited || old.moved !== fresh.moved) return true;
  // Another copy of the same: who makes none has the very tree that was there.
  if (before.tree !== after.tree) return true;
  return before.places.length !== after.places.length
    || before.places.some((place) => !hasPlace(after.places, place));
}

/** Folders before what is in them; what goes, the other way about. */
function depthIn(merged: Merged, ours: Side): (step: Step) => number {
  const depths = new Map<Ino, number>();
  const depthOf = (ino: Ino): number => {
    // However deep somebody says that it is.
    const way: Ino[] = [];
    let at: Ino | undefined = ino;
    while (at !== undefined && !depths.has(at)) {
      way.push(at);
      const fact: Fact | undefined = merged.get(at) ?? ours.facts.get(at);
      at = fact?.places[0]?.parent;
    }
    let depth = at === undefined ? 0 : depths.get(at) as number;
    for (const one of way.reverse()) depths.set(one, ++depth);
    return depths.get(ino) as number;
  };
  return ({ ino, after }) => after === undefined ? -depthOf(ino) : depthOf(ino);
}

/** Changes that one record of the journal tells, and what they add up to. */
export class Portion {
  readonly #stale: Stale;
  readonly #state: State;
  readonly #slotOf: SlotOf;
  readonly #isJudged: boolean;
  readonly #inodes = new Map<Ino, { inode: Inode; home: HomePlace }>();
  readonly #names: Change[] = [];
  readonly #grafts: Change[] = [];
  readonly #gone: Node[] = [];
  readonly #taken = new Set<string>();
  readonly #freed = new Set<string>();
  #bytes = 0;
  /** It brings something that another device has sealed anew. */
  #hasResealed = false;

  constructor(state: State, { stale, slotOf, isJudged }: How) {
    this.#state = state;
    this.#stale = stale;
    this.#slotOf = slotOf;
    this.#isJudged = isJudged;
  }

  get isFull(): boolean {
    return this.#bytes >= limits.devices.mergedBytesMax;
  }

  add({ ino, before, after }: Step): void {
    const old = before?.places ?? [];
    const places = after?.places ?? [];
    const lost = old.filter((place) => !hasPlace(places, place));
    const gained = places.filter((place) => !hasPlace(old, place));
    const isFolderHere = isFolder((after ?? before) as Fact);
    for (const place of lost) this.#unbind(place, isFolderHere);
    const home = this.#bindAll(ino, { before, places, gained, isFolderHere });
    const links = (before?.inode.links ?? 0) + gained.length - lost.length;
    this.#put(ino, { before, after, home, links });
  }

  /** Makes them so: nothing may come between. */
  record(): void {
    const state = this.#state;
    if (this.#inodes.size === 0) return;
    const inodes: Change[] = [...this.#inodes.values()].map(({ inode, home }) => {
      return { kind: "inode", inode, home };
    });
    // Of this drive's devices each judges for itself whether it does too much at once.
    const quiet = this.#isJudged ? 0 : 1;
    const strays = this.#strays();
    const follows = strays.length > 0 ? [resealingChange(state)] : [];
    state.quiet += quiet;
    recordAsIs(state, [...inodes, ...this.#names, ...this.#grafts, ...follows]);
    state.quiet -= quiet;
    this.#reseal(strays.map((ino) => state.nodes.get(ino)));
    for (const node of this.#gone) afterLoss(state, node);
  }

  /** What other devices did they see to themselves, as long as they are heard of. */
  #reseal(strays: readonly Node[]): void {
    if (this.#isJudged) for (const node of strays) this.#state.reseal(node);
    else if (strays.length > 0 || this.#hasResealed) this.#state.resealLater(strays);
  }

  /** What lies where another policy governs than it, or what is below it, was sealed under. */
  #strays(): readonly Ino[] {
    if (this.#state.policies.names.length === 0) return [];
    return [...this.#inodes.keys()].filter((ino) => this.#isStray(ino));
  }

  #isStray(ino: Ino): boolean {
    const { inode, home } = this.#inodes.get(ino) as { inode: Inode; home: HomePlace };
    if (home.kind === "table") return inode.slot !== inode.policy && hasBlocks(inode);
    if (home.kind !== "entry") return false;
    const slot = this.#slotAt(ino);
    if (!isFolder({ inode })) return inode.slot !== slot && hasBlocks(inode);
    const before = this.#state.nodes.find(ino);
    if (bringsBlock(inode, before?.inode) && inode.slot !== slot) return true;
    return before !== undefined && slotOf(this.#state, before) !== slot;
  }

  /** The policy that it goes by once this is recorded. */
  #slotAt(ino: Ino): PolicySlot {
    for (let at = ino; ;) {
      const made = this.#inodes.get(at);
      if (made?.home.kind !== "entry") return slotOf(this.#state, this.#state.nodes.get(at));
      const { inode, home: { parent } } = made;
      if (isFolder({ inode }) && inode.policy > 0) return inode.policy;
      at = parent;
    }
  }

  #put(ino: Ino, { before, after, home, links }: {
    readonly before: Fact | undefined; readonly after: Fact | undefined;
    readonly home: HomePlace; readonly links: number;
  }): void {
    this.#stale.inos.push(ino);
    if (after === undefined) return this.#remove(ino);
    // The kernel believes its own size of a file that it knows: it must look it up anew.
    if (!isFolder(after)) this.#stale.names.push(...after.places);
    const inode = this.#inodeOf(ino, before, after);
    this.#bytes += bytesOf(inode);
    if (isFolder(after)) return this.#putFolder(inode, before, home);
    if (before?.tree !== after.tree) this.#graft(ino, after.tree);
    if (before !== undefined && isResealed(before, after)) this.#hasResealed = true;
    // In a folder it goes by that.
    const policy = home.kind === "entry" ? 0 : this.#policyOf(after);
    this.#inodes.set(ino, { inode: { ...inode, links, policy }, home });
  }

  /** Of all folders that it has a name in: a copy that lives in one of them says none itself. */
  #policyOf({ inode, places }: Fact): PolicySlot {
    const slots = places.map(({ parent }) => this.#slotAt(parent));
    return slots.reduce((one, other) => jointIn(this.#state, one, other), inode.policy);
  }

  /** One that is new here begins empty: what is in it comes by its own steps. */
  #putFolder(inode: Inode, before: Fact | undefined, home: HomePlace): void {
    const { ino } = inode;
    const known = before === undefined ? this.#inodes.get(ino)?.inode : this.#known(ino);
    const { content, sizeBytes, links } = known ?? emptyFolder;
    if (before === undefined) this.#graft(ino, noTree);
    this.#inodes.set(ino, { inode: { ...inode, content, sizeBytes, links }, home });
  }

  #inodeOf(ino: Ino, before: Fact | undefined, after: Fact): Inode {
    const isTheirs = before === undefined || before.inode.content !== after.inode.content;
    const { inode } = after;
    const slots = isTheirs
      ? { slot: this.#slotOf(inode.slot), policy: this.#slotOf(inode.policy) } : {};
    return { ...inode, ...slots, ino };
  }

  #graft(ino: Ino, tree: PageTree): void {
    this.#grafts.push({ kind: "graft", ino, tree });
    if (tree.root.kind === "inside") {
      this.#bytes += tree.root.page.items.length;
    }
  }

  #remove(ino: Ino): void {
    const node = this.#state.nodes.get(ino);
    const inode = { ...(this.#known(ino) ?? node.inode), links: 0 };
    this.#inodes.set(ino, { inode, home: { kind: "none" } });
    this.#gone.push(node);
  }

  #bindAll(ino: Ino, { before, places, gained, isFolderHere }: {
    readonly before: Fact | undefined; readonly places: readonly Place[];
    readonly gained: readonly Place[]; readonly isFolderHere: boolean;
  }): HomePlace {
    const node = before === undefined ? undefined : this.#state.nodes.get(ino);
    const isLinked = places.length > 1 || this.#staysLinked(node, places);
    let home: HomePlace = node === undefined ? { kind: "none" } : this.#state.placeOf(node.home);
    if (isLinked && node?.home.kind === "entry") this.#rebind(node);
    for (const { parent, name } of gained) {
      const key = this.#freeKey({ parent, name });
      this.#names.push({ kind: "bind", directory: parent, key, name, ino });
      this.#count(parent, { entries: 1, links: isFolderHere ? 1 : 0 });
      this.#stale.names.push({ parent, name });
      home = { kind: "entry", parent, key, name };
    }
    if (isLinked) return { kind: "table" };
    return home.kind === "table" ? this.#keptName(ino, places[0] as Place) : home;
  }

  /** It may have one name left, and that in a folder whose policy it does not go by. */
  #staysLinked(node: Node | undefined, [only]: readonly Place[]): boolean {
    if (node?.home.kind !== "table") return false;
    return only === undefined || !mayLiveIn(this.#state, node, only);
  }

  /** The only name that a file has kept leads to the inode itself from now on. */
  #keptName(ino: Ino, { parent, name }: Place): HomePlace {
    const found = findName(this.#state, this.#state.nodes.get(parent), name);
    if (found === undefined) return { kind: "table" };
    const { key } = found;
    this.#names.push({ kind: "bind", directory: parent, key, name, ino });
    return { kind: "entry", parent, key, name };
  }

  /** A name that stays points into the table from now on. */
  #rebind({ home, ino }: Node): void {
    if (home.kind !== "entry") return;
    const { parent, key, name } = home;
    const isLost = this.#names.some((one) => {
      return one.kind === "unbind" && one.directory === parent.ino && one.key === key;
    });
    if (!isLost) this.#names.push({ kind: "bind", directory: parent.ino, key, name, ino });
  }

  #unbind({ parent, name }: Place, isFolderHere: boolean): void {
    const directory = this.#state.nodes.get(parent);
    const found = findName(this.#state, directory, name);
    this.#stale.names.push({ parent, name });
    if (found === undefined) return;
    this.#names.push({ kind: "unbind", directory: parent, key: found.key });
    this.#freed.add(`${parent}/${found.key}`);
    this.#count(parent, { entries: -1, links: isFolderHere ? -1 : 0 });
  }

  /** Of a name that is not there: beside those of its hash, and those that this portion adds. */
  #freeKey({ parent, name }: Place): number {
    const base = nameKey(name);
    const directory = this.#state.nodes.find(parent);
    for (let key = base; key < base + slotsPerHash; key++) {
      const at = `${parent}/${key}`;
      const isThere = directory !== undefined && !this.#freed.has(at)
        && nextName(this.#state, directory, key, key + 1) !== undefined;
      if (isThere || this.#taken.has(at)) continue;
      this.#taken.add(at);
      return key;
    }
    throw new HiveError("NoSpace", "tree.merge", "names of one hash");
  }

  #known(ino: Ino): Inode | undefined {
    return this.#inodes.get(ino)?.inode ?? this.#state.nodes.find(ino)?.inode;
  }

  #count(folder: Ino, by: { readonly entries: number; readonly links: number }): void {
    const inode = this.#known(folder);
    if (inode === undefined || inode.content.kind !== "directory") return;
    const entries = inode.content.entries + by.entries;
    const counted: Inode = {
      ...inode, content: { kind: "directory", entries }, sizeBytes: entries,
      links: inode.links + by.links,
    };
    const node = this.#state.nodes.find(folder);
    const home = this.#inodes.get(folder)?.home
      ?? (node === undefined ? { kind: "root" } : this.#state.placeOf(node.home));
    this.#inodes.set(folder, { inode: counted, home });
    this.#stale.inos.push(folder);
  }
}

const emptyFolder: Pick<Inode, "content" | "sizeBytes" | "links"> = {
  content: { kind: "directory", entries: 0 }, sizeBytes: 0, links: 2,
};

/** What one inode with its names takes of a record, about. */
function bytesOf({ content, xattrs }: Inode): number {
  const held = content.kind === "inline" ? content.bytes.length : 0;
  return 1024 + held + (xattrs.kind === "inside" ? xattrBytes(xattrs.values) : 0);
}
