/**
 * The check of names: each entry opens, lies where a search looks for it, is there once, and leads
 * to an inode that tells the truth about itself and about what is below. Depth first, one leaf of
 * each directory above in memory. Answers are what should be; nothing is written but new pages.
 */
import type { PolicySlot } from "../../base/blocks.ts";
import { isFault } from "../../base/errors.ts";
import { type Ino, type Name, rootIno } from "../../base/ids.ts";
import {
  type Entry, type TableValue, encodeEntry, isFolderEntry, nameKey, parseEntry, slotsPerHash,
} from "../../dag/entries.ts";
import type { Inode } from "../../dag/inodes.ts";
import { deviceOf } from "../../dag/marks.ts";
import { checkChunks, checkXattrs } from "./files.ts";
import { Findings, type ItemChanges, type Leaf, leavesOf, mendedTree } from "./pages.ts";
import { type CheckState, governed } from "./state.ts";

/** The inode and what hangs on it, as they should be: the same object when all is well. */
export async function checkInode(
  check: CheckState,
  file: TableValue,
  path: string,
): Promise<TableValue> {
  const inode = await checkXattrs(check, file.inode, path);
  const seen = inode === file.inode ? file : { ...file, inode };
  const isDirectory = inode.content.kind === "directory";
  const right = isDirectory
    ? await new DirectoryWork(governed(check, ownSlot(check, inode)), seen, path).run()
    : await checkChunks(check, seen, path);
  const { accounts } = check;
  accounts.files++;
  if (isDirectory) accounts.directories++;
  else accounts.bytes += right.inode.sizeBytes;
  check.progress();
  return right;
}

/** The root, whose policy is the default's name, has the default's slot. */
function ownSlot({ mending }: CheckState, { ino, policy }: Inode): PolicySlot {
  return policy > 0 && ino !== rootIno ? policy : mending.slot;
}

/** A number of its own, below the next one to be given. */
export function checkIno(check: CheckState, inode: Inode, path: string): Inode {
  const { accounts } = check;
  if (!accounts.inos.add(inode.ino)) {
    const words = "its inode number is another file's too; it gets a new one";
    check.report({ what: "inode-twice", path, words, mended: true, loss: false });
    const fresh = accounts.nextIno++ as Ino;
    accounts.inos.add(fresh);
    return { ...inode, ino: fresh };
  }
  const isOurs = deviceOf(inode.ino) === deviceOf(accounts.nextIno);
  if (!isOurs || inode.ino < accounts.nextIno) return inode;
  accounts.nextIno = inode.ino + 1;
  const words = "its inode number was about to be given again";
  check.report({ what: "inode-twice", path, words, mended: true, loss: false });
  return inode;
}

class DirectoryWork {
  readonly #check: CheckState;
  readonly #file: TableValue;
  readonly #path: string;
  readonly #findings = new Findings();
  readonly #changes: ItemChanges = new Map();
  /** Names so far under the newest hash: they stand side by side. */
  #hash = { base: -1, names: new Set<Name>() };
  #found = 0;
  #gone = 0;
  #directories = 0;

  constructor(check: CheckState, file: TableValue, path: string) {
    this.#check = check;
    this.#file = file;
    this.#path = path;
  }

  async run(): Promise<TableValue> {
    const { mending, accounts } = this.#check;
    const { inode, tree } = this.#file;
    for await (const leaf of leavesOf(this.#check, tree, this.#findings)) {
      await this.#readLeaf(leaf);
    }
    const { elsewhere, unknown } = this.#findings;
    accounts.elsewhere += elsewhere;
    accounts.unknown += unknown.size;
    if (elsewhere + unknown.size > 0) accounts.allNamesSeen = false;
    this.#tellPages();
    const counted = this.#counted(inode);
    const pagesChange =
      this.#changes.size + this.#findings.lost.size + this.#findings.misplaced.size > 0;
    if (!pagesChange) return counted === inode ? this.#file : { inode: counted, tree };
    const plan = { findings: this.#findings, changes: this.#changes, insideMax: 0 };
    return { inode: counted, tree: await mendedTree(mending, tree, plan) };
  }

  async #readLeaf(leaf: Leaf): Promise<void> {
    for (const [at, key] of leaf.keys.entries()) {
      const bytes = leaf.values[at] as Buffer;
      this.#found++;
      const right = await this.#checkItem(key, bytes);
      if (right === undefined) this.#gone++;
      if (right !== bytes || leaf.misplaced) this.#changes.set(key, right);
    }
  }

  /** What should stand there: the same bytes, others, or nothing. */
  async #checkItem(key: number, bytes: Buffer): Promise<Buffer | undefined> {
    const entry = this.#parse(bytes);
    if (entry === undefined) return undefined;
    const path = joined(this.#path, entry.name);
    const right = await this.#checkEntry(entry, path);
    if (right === undefined) return undefined;
    if (!this.#isInPlace(key, right.name)) {
      this.#tell("order", path, "no search finds this name: it moves to lost+found", false);
      this.#check.accounts.homeless.push(right);
      return undefined;
    }
    if (isFolderEntry(right)) this.#directories++;
    return right === entry ? bytes : encodeEntry(right);
  }

  #parse(bytes: Buffer): Entry | undefined {
    try {
      return parseEntry(bytes);
    } catch (error) {
      if (!isFault(error, "Corrupt")) throw error;
      this.#tell("names-lost", this.#path, "an entry cannot be read: a name is lost", true);
      return undefined;
    }
  }

  async #checkEntry(entry: Entry, path: string): Promise<Entry | undefined> {
    if (entry.kind === "link") return this.#checkLink(entry, path);
    const { inode } = entry;
    const numbered = checkIno(this.#check, inode, path);
    const single = this.#singleName(numbered, path);
    const file = { inode: single, tree: entry.tree };
    const right = await checkInode(this.#check, file, path);
    if (right.inode === inode && right.tree === entry.tree) return entry;
    return { ...entry, ...right };
  }

  #checkLink(entry: Entry & { readonly kind: "link" }, path: string): Entry | undefined {
    const { accounts } = this.#check;
    const type = accounts.linked.name(entry.ino);
    if (type === undefined) {
      // Its inode may stand on a page of the table that only peers have.
      if (!accounts.wholeTableSeen) return entry;
      this.#tell("name-to-nothing", path, "no inode is behind this name: it is taken away", true);
      return undefined;
    }
    for (const problem of accounts.unnamed.get(entry.ino) ?? []) {
      this.#check.report({ ...problem, path });
    }
    accounts.unnamed.delete(entry.ino);
    if (type === entry.type) return entry;
    this.#tell("links", path, "the name tells another type than its inode", false);
    return { ...entry, type };
  }

  /** A file whose inode stands beside its name has one; a directory's are counted below. */
  #singleName(inode: Inode, path: string): Inode {
    if (inode.content.kind === "directory" || inode.links === 1) return inode;
    this.#tell("links", path, `it has 1 name, and tells of ${inode.links}`, false);
    return { ...inode, links: 1 };
  }

  #isInPlace(key: number, name: Name): boolean {
    const base = nameKey(name);
    if (this.#hash.base !== base) this.#hash = { base, names: new Set() };
    const isFirst = !this.#hash.names.has(name);
    this.#hash.names.add(name);
    return isFirst && key >= base && key < base + slotsPerHash;
  }

  #tellPages(): void {
    const { lost, unknown, misplaced, isComplete } = this.#findings;
    if (unknown.size > 0) {
      const words = "names of it are neither here nor in the books of what peers have";
      const problem = { what: "names-lost", path: this.#path, words } as const;
      this.#check.report({ ...problem, mended: false, loss: true });
    }
    if (misplaced.size > 0) {
      this.#tell("order", this.#path, "names lie where no search finds them", false);
    }
    if (lost.size === 0) return;
    const missing = isComplete ? this.#toldEntries - this.#found : 0;
    const count = missing > 0 ? `${missing} of its ${this.#toldEntries} names` : "some names";
    this.#tell("names-lost", this.#path, `${count} are lost, and what was under them`, true);
  }

  get #toldEntries(): number {
    const { content } = this.#file.inode;
    return content.kind === "directory" ? content.entries : 0;
  }

  /** The directory's own counts set right; those of which a part was not seen stay. */
  #counted(inode: Inode): Inode {
    const { isComplete } = this.#findings;
    const entries = (isComplete ? this.#found : this.#toldEntries) - this.#gone;
    const links = isComplete ? this.#directories + 2 : inode.links;
    const right =
      links === inode.links && entries === this.#toldEntries && entries === inode.sizeBytes;
    if (right) return inode;
    const otherwise = this.#gone + this.#findings.lost.size + this.#findings.misplaced.size > 0;
    const told = `${this.#toldEntries} names and ${inode.links} links`;
    const words = `it has ${entries} names and ${links} links, and tells of ${told}`;
    if (!otherwise) this.#tell("links", this.#path, words, false);
    return { ...inode, links, sizeBytes: entries, content: { kind: "directory", entries } };
  }

  #tell(
    what: "order" | "names-lost" | "name-to-nothing" | "links",
    path: string,
    words: string,
    loss: boolean,
  ): void {
    this.#check.report({ what, path, words, mended: true, loss });
  }
}

/** Names are raw bytes; people read text. */
function joined(path: string, name: Name): string {
  return `${path === "/" ? "" : path}/${Buffer.from(name, "latin1").toString("utf8")}`;
}
