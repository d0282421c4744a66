/**
 * Looks at the newest root beside the one that was told last, and finds what has to be held back:
 * folders and files with blocks that wait for their policy. Pages that both have are passed over.
 * It decides what stands where, folder by folder, and writes nothing.
 *
 * What moved between a folder that is held back and one that is not stands where it was before, and
 * nowhere twice. What is too tangled to be sure of is told as such (Tangled), never guessed.
 */
import { CidFilter } from "../../base/cid-filter.ts";
import { type Ino, type Name, nameToText } from "../../base/ids.ts";
import type { PolicySlot } from "../../base/blocks.ts";
import type { HeldPlace, StandInQuestion } from "../../base/stand-in.ts";
import { parseLink } from "../../dag/chunks.ts";
import { type Entry, type InodeEntry, type TableValue, encodeEntry, parseEntry, parseTableValue }
  from "../../dag/entries.ts";
import { type Inode, type PageTree, mixedSlot, noTree, noXattrs } from "../../dag/inodes.ts";
import { countOf, deviceOf } from "../../dag/marks.ts";
import type { RootRecord } from "../../dag/root.ts";
import { type PageReader, changedItems, itemsOf, pagesOf } from "./page-changes.ts";

/** A folder that the stand-in has as new as it is, but for some of its entries. */
export interface Folder {
  readonly value: TableValue;
  readonly path: readonly Name[];
  /** Undefined for the root. */
  readonly home: { readonly folder: Folder; readonly key: number } | undefined;
  readonly changes: Map<number, Instead>;
}

/** What stands at a key instead of what the newest root has there; undefined for nothing. */
export interface Instead {
  readonly value: Buffer | undefined;
  /** Names and folders more than the newest root has there. */
  readonly names: number;
  readonly folders: number;
}

interface Place {
  readonly folder: Folder;
  readonly key: number;
}

interface Came extends Place {
  readonly entry: InodeEntry;
}

interface Gone extends Came {
  /** The newest root has something else at that key. */
  readonly isTaken: boolean;
}

export class Tangled extends Error {}

export class Look {
  /** Those that stay, each after the one that it lies in. */
  readonly folders: Folder[] = [];
  readonly held: HeldPlace[] = [];
  /** What the stand-in has more than the newest root. */
  readonly more = { files: 0, bytes: 0 };
  readonly #reader: PageReader;
  readonly #root: RootRecord;
  readonly #before: RootRecord | undefined;
  readonly #slots: ReadonlySet<PolicySlot>;
  readonly #waiting: CidFilter;
  /** What folders that stay have no more, or elsewhere. */
  readonly #gone = new Map<Ino, Gone>();
  /** What was there before and stands at a new place of a folder that stays. */
  #came: Came[] = [];
  /** What was there before and came to a place that is held back. */
  readonly #taken = new Set<Ino>();
  /** Folders that are gone and whose names are among what is. */
  readonly #lookedInto = new Set<Ino>();

  constructor(
    reader: PageReader,
    roots: { readonly root: RootRecord; readonly before: RootRecord | undefined },
    { slots, waiting }: Pick<StandInQuestion, "slots" | "waiting">,
  ) {
    this.#reader = reader;
    this.#root = roots.root;
    this.#before = roots.before;
    this.#slots = new Set(slots);
    this.#waiting = new CidFilter(waiting);
  }

  async run(): Promise<void> {
    const { directory } = this.#root;
    if (await this.#waits(directory)) throw new Tangled("the drive's own root waits");
    await this.#lookAtLinked();
    const top: Folder = { value: directory, path: [], home: undefined, changes: new Map() };
    this.folders.push(top);
    await this.#visit(top, this.#before?.directory.tree);
    await this.#settleCame();
    await this.#giveBack();
  }

  /** Files of several names are in no folder: none of them may wait, as folders would disagree. */
  async #lookAtLinked(): Promise<void> {
    const before = this.#before?.linked ?? noTree;
    for await (const { now } of changedItems(this.#reader, this.#root.linked, before)) {
      const waits = now !== undefined && await this.#waits(parseTableValue(now));
      if (waits) throw new Tangled("a file of several names waits");
    }
  }

  async #visit(folder: Folder, before: PageTree = noTree): Promise<void> {
    const { value: { tree } } = folder;
    for await (const { key, now, was } of changedItems(this.#reader, tree, before)) {
      const [entry, older] = [now && parseEntry(now), was && parseEntry(was)];
      const isSame = isSameInode(entry, older);
      if (older?.kind === "inode" && !isSame) {
        this.#gone.set(older.inode.ino, { folder, key, entry: older, isTaken: now !== undefined });
      }
      if (entry?.kind !== "inode") continue;
      if (!isSame && this.#existed(entry.inode.ino)) this.#came.push({ folder, key, entry });
      else await this.#judge({ folder, key, entry }, isSame ? older as InodeEntry : undefined);
    }
  }

  async #judge({ folder, key, entry }: Came, older: InodeEntry | undefined): Promise<void> {
    if (await this.#waits(entry)) return this.#hold({ folder, key, entry }, older);
    if (!isFolder(entry)) return;
    const path = [...folder.path, entry.name];
    const below = { value: entry, path, home: { folder, key }, changes: new Map() };
    this.folders.push(below);
    await this.#visit(below, older?.tree);
  }

  /** It stands as it was; a folder that nobody was told of is empty, a file is not there. */
  async #hold({ folder, key, entry }: Came, older: InodeEntry | undefined): Promise<void> {
    const { inode, name } = entry;
    this.#tell(folder, entry, older !== undefined);
    if (older === undefined && !isFolder(entry)) {
      this.#count(inode, -1);
      folder.changes.set(key, { value: undefined, names: -1, folders: 0 });
      return;
    }
    // What holds for it from now on does: a policy is never taken back.
    const then = older === undefined ? emptied(inode) : { ...older.inode, policy: inode.policy };
    const tree = older?.tree ?? noTree;
    const value = encodeEntry({ kind: "inode", name, inode: then, tree });
    folder.changes.set(key, { value, names: 0, folders: 0 });
    this.#count(inode, -1);
    this.#count(then, 1);
    await this.#compareHeld(folderTree(entry), folderTree(older));
  }

  /** Inside of what is held back nothing is decided; what is there and what was is counted. */
  async #compareHeld(tree: PageTree, before: PageTree): Promise<void> {
    for await (const { now, was } of changedItems(this.#reader, tree, before)) {
      const [entry, older] = [now && parseEntry(now), was && parseEntry(was)];
      if (entry?.kind === "link" || older?.kind === "link") {
        throw new Tangled("a file of several names has one where something waits");
      }
      const isSame = isSameInode(entry, older);
      if (entry !== undefined) {
        this.#count(entry.inode, -1);
        if (!isSame && this.#existed(entry.inode.ino)) this.#taken.add(entry.inode.ino);
        await this.#compareHeld(folderTree(entry), isSame ? folderTree(older) : noTree);
      }
      if (older === undefined) continue;
      this.#count(older.inode, 1);
      if (!isSame) await this.#countBelow(folderTree(older), 1);
    }
  }

  /** What moved from one folder that stays to another is news of its new place alone. */
  async #settleCame(): Promise<void> {
    do await this.#matchCame(); while (this.#isUnsure() && await this.#lookIntoGone());
    for (const { folder, key, entry } of this.#came.splice(0)) {
      if (await this.#wasLinked(entry.inode.ino)) throw new Tangled("a file had several names");
      // It comes from where something is held back, and there it stands.
      this.#tell(folder, entry, true);
      const folders = isFolder(entry) ? -1 : 0;
      folder.changes.set(key, { value: undefined, names: -1, folders });
      this.#count(entry.inode, -1);
      await this.#compareHeld(folderTree(entry), noTree);
    }
    while (this.#isUnsure() && await this.#lookIntoGone());
  }

  async #matchCame(): Promise<void> {
    for (let isNews = true; isNews; ) {
      const came = this.#came.splice(0);
      const left: Came[] = [];
      for (const one of came) {
        const { ino } = one.entry.inode;
        const from = this.#gone.get(ino);
        this.#gone.delete(ino);
        if (from === undefined) left.push(one);
        else await this.#judge(one, from.entry);
      }
      isNews = left.length < came.length || this.#came.length > 0;
      this.#came.push(...left);
    }
  }

  /** Something may come from a folder that is gone, which was not looked into. */
  #isUnsure(): boolean {
    return this.#came.length > 0 || [...this.#taken].some((ino) => !this.#gone.has(ino));
  }

  /** True when there was one to look into. */
  async #lookIntoGone(): Promise<boolean> {
    const closed = [...this.#gone.values()].filter(({ entry: { inode } }) => {
      const { ino, content } = inode;
      // One that came to where something is held back is given back with all that was in it.
      const isGone = content.kind === "directory" && !this.#taken.has(ino);
      return isGone && !this.#lookedInto.has(ino);
    });
    for (const { folder, entry: { inode, tree } } of closed) {
      this.#lookedInto.add(inode.ino);
      for await (const { key, value } of itemsOf(this.#reader, tree)) {
        const entry = parseEntry(value);
        if (entry.kind === "link" || this.#gone.has(entry.inode.ino)) continue;
        // Its own folder is gone: there is no place to give it back to.
        this.#gone.set(entry.inode.ino, { folder, key, entry, isTaken: true });
      }
    }
    return closed.length > 0;
  }

  /** What came to a place that is held back is not there yet, and stays where it was. */
  async #giveBack(): Promise<void> {
    for (const ino of this.#taken) {
      const from = this.#gone.get(ino);
      if (from === undefined) continue;
      const { folder, key, entry, isTaken } = from;
      if (isTaken) throw new Tangled("a name was given to another");
      this.#tell(folder, entry, true);
      const value = encodeEntry(entry);
      folder.changes.set(key, { value, names: 1, folders: isFolder(entry) ? 1 : 0 });
      this.#count(entry.inode, 1);
      await this.#countBelow(folderTree(entry), 1);
    }
  }

  #tell({ path }: Folder, { name }: InodeEntry, isOlder: boolean): void {
    this.held.push({ path: `/${[...path, name].map(nameToText).join("/")}`, isOlder });
  }

  #count(inode: Inode, times: number): void {
    this.more.files += times;
    if (inode.content.kind !== "directory") this.more.bytes += times * inode.sizeBytes;
  }

  async #countBelow(tree: PageTree, times: number): Promise<void> {
    for await (const { value } of itemsOf(this.#reader, tree)) {
      const entry = parseEntry(value);
      if (entry.kind === "link") throw new Tangled("a file of several names moved");
      this.#count(entry.inode, times);
      await this.#countBelow(folderTree(entry), times);
    }
  }

  /** Since nothing of other devices came in between, all of theirs was there. */
  #existed(ino: Ino): boolean {
    const before = this.#before;
    if (before === undefined) return false;
    const own = deviceOf(this.#root.nextIno);
    if (deviceOf(ino) !== own) return true;
    if (deviceOf(before.nextIno) === own) return ino < before.nextIno;
    return countOf(ino) <= (before.devices.get(own)?.count ?? 0);
  }

  async #wasLinked(ino: Ino): Promise<boolean> {
    const linked = this.#before?.linked ?? noTree;
    for await (const { key } of itemsOf(this.#reader, linked)) if (key === ino) return true;
    return false;
  }

  /** Whether any block of it waits: its slot tells where to look. */
  async #waits({ inode, tree }: TableValue): Promise<boolean> {
    if (!this.#slots.has(inode.slot) && inode.slot !== mixedSlot) return false;
    const { xattrs } = inode;
    if (xattrs.kind === "block" && this.#waiting.has(xattrs.link.cid)) return true;
    for (const cid of await pagesOf(this.#reader, tree)) if (this.#waiting.has(cid)) return true;
    if (inode.content.kind !== "chunks") return false;
    for await (const { value } of itemsOf(this.#reader, tree)) {
      if (this.#waiting.has(parseLink(value).cid)) return true;
    }
    return false;
  }
}

function isSameInode(one: Entry | undefined, other: Entry | undefined): boolean {
  return one?.kind === "inode" && other?.kind === "inode" && one.inode.ino === other.inode.ino;
}

function isFolder({ inode }: InodeEntry): boolean {
  return inode.content.kind === "directory";
}

function folderTree(entry: Entry | undefined): PageTree {
  return entry?.kind === "inode" && isFolder(entry) ? entry.tree : noTree;
}

function emptied(inode: Inode): Inode {
  const xattrs = inode.xattrs.kind === "block" ? noXattrs : inode.xattrs;
  const content = { kind: "directory", entries: 0 } as const;
  return { ...inode, xattrs, links: 2, sizeBytes: 0, content };
}
