/**
 * Looks at two states of a drive side by side, folder by folder, and tells what differs: this
 * tree's, and that of another device's root. Folders that are the same, or were found alike
 * before, cost nothing. It changes nothing; folders that only one side has are looked through,
 * since what is in them may be elsewhere on the other.
 */
import { HiveError } from "../../base/errors.ts";
import type { Cid, Ino } from "../../base/ids.ts";
import { parseEntry, parseTableValue } from "../../dag/entries.ts";
import { type Inode, type PageTree, marksOf } from "../../dag/inodes.ts";
import { type Seen, isSeen } from "../../dag/marks.ts";
import { childOf, keyMax } from "../../dag/pages.ts";
import type { RootRecord } from "../../dag/root.ts";
import { findItem } from "../../dag/search.ts";
import { Breather, attempt } from "../attempt.ts";
import type { KeyRange } from "../check/pages.ts";
import { isDirectory, loadLinked, nextName, nodeOf } from "../looking/names.ts";
import type { Blocks, Elsewhere } from "../state/blocks.ts";
import { devicesOf } from "../state/marking.ts";
import type { Node } from "../state/nodes.ts";
import type { State } from "../state/state.ts";
import { type MergedBefore, alikeFolders, isSameVersion } from "./alike.ts";
import type { Bounds } from "./bounds.ts";
import { type Fact, type Side, isFolder, isNews } from "./facts.ts";
import type { Place } from "./names.ts";

interface Their {
  readonly inode: Inode;
  readonly tree: PageTree;
}

/** A page of theirs, and which keys it may have. */
interface PageAt extends KeyRange {
  readonly cid: Cid;
  readonly level: number;
}

/** Another's root beside ours: on all of the drive, or on a folder that he has as well. */
export interface Laid {
  readonly root: RootRecord;
  readonly folder: Node;
  readonly isWhole: boolean;
  /** Opens its pages; without it what this tree has opened is opened for it, too. */
  readonly blocks?: Blocks | undefined;
  /** How much it may say; a device of the drive may say anything. */
  readonly bounds?: (() => Bounds) | undefined;
}

export interface Looking {
  /** What need not be looked at again; without it everything is. */
  readonly before?: MergedBefore;
  /** Where their pages are that are not here; without it the store knows. */
  readonly elsewhere?: Elsewhere | undefined;
}

export class Comparison implements Disposable {
  readonly #state: State;
  readonly #root: RootRecord;
  readonly #folder: Node;
  readonly #isWhole: boolean;
  readonly #blocks: Blocks;
  readonly #bounds: Bounds | undefined;
  readonly #breather: Breather;
  readonly #before: MergedBefore | undefined;
  readonly #elsewhere: Elsewhere | undefined;
  readonly #ours = new Map<Ino, Node>();
  readonly #theirs = new Map<Ino, Their>();
  readonly #ourPlaces = new Map<Ino, Place[]>();
  readonly #theirPlaces = new Map<Ino, Place[]>();
  readonly #ourListed = new Set<Ino>();
  readonly #theirListed = new Set<Ino>();
  readonly #folders = new Set<Ino>();

  constructor(
    state: State, { root, folder, isWhole, blocks, bounds }: Laid,
    { before, elsewhere }: Looking = {},
  ) {
    this.#state = state;
    this.#root = root;
    this.#folder = folder;
    this.#isWhole = isWhole;
    this.#blocks = blocks ?? state.blocks;
    this.#bounds = bounds?.();
    this.#before = before;
    this.#elsewhere = elsewhere;
    this.#breather = new Breather(() => state.needs.clock.monotonicMs());
  }

  [Symbol.dispose](): void {
    for (const node of this.#ours.values()) {
      node.lookups--;
      this.#state.nodes.settle(node);
    }
  }

  async run(): Promise<void> {
    this.#hold(this.#folder);
    const { inode, tree } = this.#root.directory;
    this.#addTheirs({ inode: { ...inode, ino: this.#folder.ino }, tree });
    if (this.#isWhole) await this.#compareLinked();
    await this.#listFolders();
  }

  /** Looks into these too, though both sides have the same in them. */
  async list(folders: readonly Ino[]): Promise<void> {
    for (const folder of folders) await this.#list(folder);
    await this.#listFolders();
  }

  isListed(folder: Ino): boolean {
    const isOurs = !this.#ours.has(folder) || this.#ourListed.has(folder);
    return isOurs && (!this.#theirs.has(folder) || this.#theirListed.has(folder));
  }

  /**
   * True when what one side has may be in folders that were passed over: whatever is news there, is
   * not new, and was not found here; a folder that is news here, and was not found there, as all
   * that is in it would pass for removed; and all names of a file that has several.
   */
  needsAll(): boolean {
    const [ourSeen, theirSeen] = [devicesOf(this.#state), this.#root.devices];
    const theirNews = newsIn(this.#theirs.values(), ourSeen);
    const above = theirNews.flatMap((ino) => this.#theirPlaces.get(ino) ?? []);
    const wanted = [...theirNews, ...above.map(({ parent }) => parent)];
    if (wanted.some((ino) => !this.#ours.has(ino) && isSeen(ourSeen, ino))) return true;
    const ourFolders = newsIn([...this.#ours.values()].filter(isDirectory), theirSeen);
    if (ourFolders.some((ino) => !this.#theirs.has(ino) && isSeen(theirSeen, ino))) return true;
    return this.#isWhole && this.#hasOtherLinks();
  }

  /** One that is new is only in folders that are not alike. */
  #hasOtherLinks(): boolean {
    const ourSeen = devicesOf(this.#state);
    for (const ino of new Set([...this.#theirs.keys(), ...this.#ours.keys()])) {
      const ours = this.#ours.get(ino)?.inode;
      const theirs = this.#theirs.get(ino)?.inode;
      const isNew = (ours === undefined && !isSeen(ourSeen, ino))
        || (theirs === undefined && !isSeen(this.#root.devices, ino));
      if (!isNew && isLinked(ours, theirs) && !areSame(ours, theirs)) return true;
    }
    return false;
  }

  ours(): Side {
    const facts = new Map<Ino, Fact>();
    for (const [ino, { inode, tree }] of this.#ours) {
      facts.set(ino, { inode, tree, places: this.#ourPlaces.get(ino) ?? [] });
    }
    return { facts, seen: devicesOf(this.#state) };
  }

  theirs(): Side {
    const facts = new Map<Ino, Fact>();
    for (const [ino, their] of this.#theirs) {
      facts.set(ino, { ...their, places: this.#theirPlaces.get(ino) ?? [] });
    }
    return { facts, seen: this.#root.devices };
  }

  /** Of folders that have the same in them, the roots of their pages and of ours. */
  alike(): readonly (readonly [their: Cid, our: Cid])[] {
    const mayBeThere = ({ inode }: Fact): boolean => {
      return this.#isWhole || isFolder({ inode }) || inode.links <= 1;
    };
    const ours = new Map([...this.ours().facts].filter(([, fact]) => mayBeThere(fact)));
    const theirs = this.theirs().facts;
    return alikeFolders(ours, theirs, (ino) => this.isListed(ino)).flatMap((ino) => {
      const [our, their] = [ours, theirs].map((facts) => facts.get(ino)?.tree.root);
      const arePages = our?.kind === "page" && their?.kind === "page";
      return arePages ? [[their.cid, our.cid] as const] : [];
    });
  }

  /** First those that both have; what else there is may turn out to be in one of them. */
  async #listFolders(): Promise<void> {
    for (;;) {
      const open = [...this.#folders].filter((ino) => !this.isListed(ino));
      const both = open.filter((ino) => this.#ours.has(ino) && this.#theirs.has(ino));
      const next = both.length > 0 ? both : open;
      if (next.length === 0) return;
      for (const ino of next) {
        // Whoever finds it on the other side as well adds it again.
        this.#folders.delete(ino);
        if (!this.#isAlike(ino)) await this.#list(ino);
      }
    }
  }

  #isAlike(ino: Ino): boolean {
    // What one side told of it, before the other's was found, would pass for new or removed.
    if (this.#ourListed.has(ino) || this.#theirListed.has(ino)) return false;
    const root = this.#theirs.get(ino)?.tree.root;
    const ours = this.#ours.get(ino)?.tree.root;
    if (root?.kind !== "page" || ours?.kind !== "page" || this.#before === undefined) return false;
    return ours.cid === root.cid || this.#before.areAlike(root.cid, ours.cid);
  }

  /** Ours first: what is there already costs those who come to it nothing. */
  async #list(folder: Ino): Promise<void> {
    // It may have been found on their side first, and then in a folder that is only here.
    const our = this.#ours.get(folder);
    if (our !== undefined && !this.#ourListed.has(folder)) {
      this.#ourListed.add(folder);
      await this.#listOurs(our);
    }
    const their = this.#theirs.get(folder);
    if (their === undefined || this.#theirListed.has(folder)) return;
    this.#theirListed.add(folder);
    await this.#listTheirs(folder, their.tree);
  }

  async #listOurs(folder: Node): Promise<void> {
    const state = this.#state;
    for (let from = 0; ;) {
      const key = from;
      const found = await attempt(() => {
        const name = nextName(state, folder, key);
        return name === undefined ? undefined : { name, node: nodeOf(state, folder, name) };
      });
      if (found === undefined) return;
      this.#hold(found.node);
      place(this.#ourPlaces, found.node.ino, { parent: folder.ino, name: found.name.name });
      from = found.name.key + 1;
      await this.#breather.breathe();
    }
  }

  async #listTheirs(folder: Ino, tree: PageTree): Promise<void> {
    for await (const value of this.#valuesOf(tree)) {
      const entry = parseEntry(value);
      const ino = entry.kind === "link" ? entry.ino : entry.inode.ino;
      const inode = entry.kind === "link" ? undefined : entry.inode;
      this.#bounds?.entry({ folder, inode, ours: this.#ours.get(ino)?.inode });
      // The table that a link leads to does not come with a folder.
      if (entry.kind === "link" && !this.#isWhole) continue;
      if (entry.kind === "inode") this.#addTheirs(entry);
      else await this.#addLinked(ino);
      place(this.#theirPlaces, ino, { parent: folder, name: entry.name });
    }
  }

  /** Of files with several names those that were edited; their names are in folders. */
  async #compareLinked(): Promise<void> {
    const { root } = this.#root.linked;
    const { root: ours } = this.#state.linked;
    if (root.kind !== "page" || this.#before?.hasTable(root.cid) === true) return;
    if (ours.kind === "page" && ours.cid === root.cid) return;
    for await (const value of this.#valuesOf(this.#root.linked)) {
      const their = parseTableValue(value);
      if (isSeen(devicesOf(this.#state), marksOf(their.inode).edited)) continue;
      await this.#meet(their);
    }
  }

  async #addLinked(ino: Ino): Promise<void> {
    if (this.#theirs.has(ino)) return;
    const { linked } = this.#root;
    const load = this.#state.blocks.pagesOf(linked, this.#elsewhere);
    const bytes = await attempt(() => findItem(linked.root, ino, load));
    if (bytes !== undefined) await this.#meet(parseTableValue(bytes));
  }

  async #meet(their: Their): Promise<void> {
    const { ino } = their.inode;
    this.#theirs.set(ino, their);
    const state = this.#state;
    const node = await attempt(() => state.nodes.find(ino) ?? loadLinked(state, ino));
    if (node !== undefined && node.home.kind !== "none") this.#hold(node);
  }

  async *#valuesOf(tree: PageTree): AsyncGenerator<Buffer> {
    const { root } = tree;
    if (root.kind === "inside") yield* root.page.values();
    if (root.kind === "page") yield* this.#pageValues(tree, { ...root, from: 0, to: keyMax + 1 });
  }

  async *#pageValues(
    tree: PageTree, { cid, level, ...range }: PageAt,
  ): AsyncGenerator<Buffer> {
    const page = await this.#blocks.loadPage(tree, cid, level, this.#elsewhere);
    this.#bounds?.page(page, range);
    await this.#breather.breathe();
    if (level === 0) return yield* page.values();
    for (const [at, key] of page.keys.entries()) {
      const from = at === 0 ? range.from : key;
      const below = { from, to: page.keys[at + 1] ?? range.to };
      yield* this.#pageValues(tree, { cid: childOf(page, at), level: level - 1, ...below });
    }
  }

  #addTheirs({ inode, tree }: Their): void {
    // It would lie in itself, or whoever may write a folder give himself what lies outside it.
    if (this.#theirs.has(inode.ino)) {
      throw new HiveError("Corrupt", "tree.merge", `${inode.ino} is there twice`);
    }
    this.#theirs.set(inode.ino, { inode, tree });
    if (isFolder({ inode })) this.#folders.add(inode.ino);
  }

  #hold(node: Node): void {
    if (this.#ours.has(node.ino)) return;
    node.lookups++;
    this.#ours.set(node.ino, node);
    if (isDirectory(node)) this.#folders.add(node.ino);
  }
}

/** Those that were edited or moved since. */
function newsIn(ones: Iterable<{ readonly inode: Inode }>, seen: Seen): readonly Ino[] {
  return [...ones].filter(({ inode }) => isNews({ inode }, seen)).map(({ inode }) => inode.ino);
}

function areSame(one: Inode | undefined, other: Inode | undefined): boolean {
  return one !== undefined && other !== undefined && isSameVersion(one, other);
}

function isLinked(one: Inode | undefined, other: Inode | undefined): boolean {
  const inode = one ?? other;
  if (inode === undefined || isFolder({ inode })) return false;
  return Math.max(one?.links ?? 0, other?.links ?? 0) > 1;
}

/** A name once more is no other place: a folder may be looked at by both ways. */
function place(places: Map<Ino, Place[]>, ino: Ino, one: Place): void {
  const there = places.get(ino);
  if (there === undefined) places.set(ino, [one]);
  else there.push(one);
}
