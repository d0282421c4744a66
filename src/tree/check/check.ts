/**
 * The check of a whole tree, and its mending: from the newest root through the table of linked
 * files and every directory to every chunk's link. It asks where blocks are and opens pages; that
 * blocks are what their names say is the store's to check. What is wrong is told at once and set
 * right in new pages; at the end they become the new root, or nothing was wrong.
 *
 * Always the same way, with or without repair: whoever only wants to look gives it a clone.
 * Read pages.ts for damage, directories.ts and files.ts for meaning.
 */
import type { DriveStore } from "../../base/blocks.ts";
import type { Clock } from "../../base/clock.ts";
import type { FsckProblem } from "../../base/damages.ts";
import { isFault } from "../../base/errors.ts";
import type { Instant } from "../../base/filesystem.ts";
import { type Cid, type Ino, parseName } from "../../base/ids.ts";
import type { Random } from "../../base/random.ts";
import { type TableValue, encodeTableValue, parseTableValue } from "../../dag/entries.ts";
import { typeMask } from "../../dag/inodes.ts";
import { type TreeKeys, treeKeys } from "../../dag/keys.ts";
import { type RootRecord, openRoot, sealRoot } from "../../dag/root.ts";
import { findItem } from "../../dag/search.ts";
import { attempt } from "../attempt.ts";
import { Blocks } from "../state/blocks.ts";
import { checkIno, checkInode } from "./directories.ts";
import { checkKept } from "./kept.ts";
import { adoptAll } from "./lost-found.ts";
import { Findings, type ItemChanges, type Whereabouts, leavesOf, mendedTree }
  from "./pages.ts";
import { Accounts, type CheckState, governed } from "./state.ts";
import { checkTies } from "./ties.ts";

export interface CheckNeeds {
  readonly store: DriveStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly whereIs: Whereabouts;
  readonly report: (problem: FsckProblem) => void;
  readonly progress: (count: { readonly files: number }) => void;
}

export interface TreeReport {
  readonly files: number;
  readonly directories: number;
  readonly givenUp: number;
  readonly elsewhere: number;
  readonly unknown: number;
  /** Something was set right: the store has a new root. */
  readonly changed: boolean;
}

export interface CheckOptions {
  readonly treeSecret: Uint8Array;
  /** Spoilt blocks of the store, which it may forget once no root names them. */
  readonly spoilt: readonly Cid[];
  /** It is somebody else's: files of several names lie in a table that did not come along. */
  readonly isFolder?: boolean | undefined;
}

/** The store must have a root; its journal is neither read nor cut. */
export async function checkTree(needs: CheckNeeds, options: CheckOptions): Promise<TreeReport> {
  const keys = treeKeys(options.treeSecret);
  const sealed = needs.store.root() ?? new Uint8Array(0);
  const root = openRoot(keys, sealed);
  const work = new TreeWork(needs, { keys, root, hasTable: options.isFolder !== true });
  const right = await work.run();
  const { accounts, replaced } = work;
  const spoilt = options.spoilt.filter((cid) => !accounts.stillNamed.has(cid));
  const changed = !sameRoot(root, right);
  if (changed || spoilt.length > 0) {
    await work.blocks.drain();
    // Before the commit, which makes the store forget them.
    for (const cid of spoilt) needs.store.discard(cid);
    const next = { ...right, sequence: root.sequence + 1, committedAtMs: needs.clock.now() };
    await needs.store.commit(changed ? sealRoot(keys, next, needs.random) : sealed, 0);
    // A root that is kept may have them.
    if (right.kept === undefined) for (const cid of replaced) needs.store.discard(cid);
    await needs.store.sync();
  }
  const { files, directories, givenUp, elsewhere, unknown } = accounts;
  return { files, directories, givenUp, elsewhere, unknown, changed };
}

class TreeWork {
  readonly blocks: Blocks;
  readonly accounts: Accounts;
  readonly replaced: Cid[] = [];
  readonly #needs: CheckNeeds;
  readonly #root: RootRecord;
  readonly #hasTable: boolean;
  readonly #check: CheckState;
  readonly #tableFindings = new Findings();
  readonly #tableChanges: ItemChanges = new Map();

  constructor(
    needs: CheckNeeds,
    { keys, root, hasTable }: {
      readonly keys: TreeKeys; readonly root: RootRecord; readonly hasTable: boolean;
    },
  ) {
    this.#needs = needs;
    this.#root = root;
    this.#hasTable = hasTable;
    this.blocks = new Blocks(needs, keys);
    const accounts = new Accounts(root.nextIno);
    this.accounts = accounts;
    const { store, random, report, whereIs } = needs;
    const { blocks } = this;
    const replaced = (cid: Cid): void => void this.replaced.push(cid);
    this.#check = {
      blocks,
      whereIs,
      mending: { blocks, random, slot: 0, replaced },
      isHere: (cid) => store.has(cid),
      report,
      progress: () => needs.progress({ files: accounts.files }),
      accounts,
    };
  }

  async run(): Promise<RootRecord> {
    await this.#readTable();
    const { inode, tree } = this.#root.directory;
    this.accounts.inos.add(inode.ino);
    const top = await checkInode(this.#check, { inode, tree }, "/");
    await this.#countNames();
    const directory = await this.#adopt(top);
    this.#tellUnnamed();
    const kept = await checkKept(this.#check, this.#root.kept);
    const ties = await checkTies(this.#check, this.#root.ties);
    return { ...this.#totals(directory, await this.#mendTable()), kept, ties };
  }

  /** What is wrong with linked files is told once a name of theirs is known. */
  async #readTable(): Promise<void> {
    const { linked } = this.#root;
    const { accounts } = this.#check;
    for await (const leaf of leavesOf(this.#check, linked, this.#tableFindings)) {
      for (const [at, key] of leaf.keys.entries()) {
        const bytes = leaf.values[at] as Buffer;
        const right = await this.#checkLinked(key, bytes);
        if (right !== bytes || leaf.misplaced) this.#tableChanges.set(key, right);
      }
    }
    const { lost, misplaced, elsewhere, unknown, isComplete } = this.#tableFindings;
    accounts.elsewhere += elsewhere;
    accounts.unknown += unknown.size;
    accounts.wholeTableSeen = isComplete && this.#hasTable;
    if (unknown.size > 0) {
      const words = "files with several names are neither here nor in the books of what peers have";
      this.#check.report({ what: "names-lost", path: null, words, mended: false, loss: true });
    }
    if (lost.size > 0) {
      this.#tell("names-lost", "files with several names are lost; their names follow", true);
    }
    if (misplaced.size > 0) {
      this.#tell("order", "files with several names lie where no search finds them", false);
    }
  }

  async #checkLinked(key: number, bytes: Buffer): Promise<Buffer | undefined> {
    const value = this.#parse(bytes);
    if (value === undefined) return undefined;
    const problems: FsckProblem[] = [];
    const report = (problem: FsckProblem): void => void problems.push(problem);
    const quiet = governed({ ...this.#check, report }, value.inode.policy);
    // Names lead to the key: the inode must agree with it.
    const keyed = value.inode.ino === key ? value.inode : { ...value.inode, ino: key as Ino };
    const numbered = checkIno(quiet, keyed, "");
    const inode = numbered.ino === key ? numbered : keyed;
    const right = await checkInode(quiet, { inode, tree: value.tree }, "");
    this.accounts.linked.add({ ino: key, links: inode.links, type: inode.mode & typeMask });
    if (problems.length > 0) this.accounts.unnamed.set(key, problems);
    const same = right.inode === value.inode && right.tree === value.tree;
    return same ? bytes : encodeTableValue(right);
  }

  #parse(bytes: Buffer): TableValue | undefined {
    try {
      return parseTableValue(bytes);
    } catch (error) {
      if (!isFault(error, "Corrupt")) throw error;
      this.#tell("names-lost", "an inode of several names cannot be read", true);
      return undefined;
    }
  }

  /** Only when every directory was seen are there too few names. */
  async #countNames(): Promise<void> {
    const { linked, allNamesSeen, homeless } = this.accounts;
    for (const { ino, told, seen } of linked.wrong()) {
      if (!allNamesSeen && seen < told) continue;
      const value = await this.#linkedValue(ino);
      const { inode } = value;
      const path = `/lost+found/#${ino}`;
      const links = Math.max(1, seen);
      if (seen === 0) {
        const words = "no name leads to it: it gets one in lost+found";
        this.#check.report({ what: "nameless", path, words, mended: true, loss: false });
        const type = inode.mode & typeMask;
        homeless.push({ kind: "link", name: parseName("nameless"), ino: ino as Ino, type });
      } else {
        const words = `inode ${ino} has ${seen} names, and tells of ${told}`;
        this.#check.report({ what: "links", path: null, words, mended: true, loss: false });
      }
      this.#tableChanges.set(ino, encodeTableValue({ ...value, inode: { ...inode, links } }));
    }
  }

  async #linkedValue(ino: number): Promise<TableValue> {
    const { linked } = this.#root;
    const changed = this.#tableChanges.get(ino);
    const load = this.blocks.pagesOf(linked);
    const bytes = changed ?? (await attempt(() => findItem(linked.root, ino, load)));
    return parseTableValue(bytes ?? Buffer.alloc(0));
  }

  async #adopt(top: TableValue): Promise<TableValue> {
    const { homeless } = this.accounts;
    if (homeless.length === 0) return top;
    return adoptAll(this.#check, top, { homeless, now: instantOf(this.#needs.clock.now()) });
  }

  #tellUnnamed(): void {
    for (const [ino, problems] of this.accounts.unnamed) {
      for (const problem of problems) this.#check.report({ ...problem, path: `inode ${ino}` });
    }
  }

  async #mendTable(): Promise<RootRecord["linked"]> {
    const { linked } = this.#root;
    const findings = this.#tableFindings;
    const changes = this.#tableChanges;
    if (changes.size + findings.lost.size + findings.misplaced.size === 0) return linked;
    return mendedTree(this.#check.mending, linked, { findings, changes, insideMax: 0 });
  }

  #totals(directory: TableValue, linked: RootRecord["linked"]): RootRecord {
    const root = this.#root;
    const { files, bytes, nextIno, allNamesSeen, wholeTableSeen } = this.accounts;
    const changed = directory.tree !== root.directory.tree || linked !== root.linked;
    const next = { ...root, directory, linked, nextIno: nextIno as Ino };
    if (!allNamesSeen || !wholeTableSeen) return next;
    if (files === root.files && bytes === root.bytes) return next;
    const words =
      `the drive has ${files} files of ${bytes} bytes, and tells of ${root.files} of ${root.bytes}`;
    if (!changed) this.#tell("size", words, false);
    return { ...next, files, bytes };
  }

  #tell(what: "names-lost" | "order" | "size", words: string, loss: boolean): void {
    this.#check.report({ what, path: null, words, mended: true, loss });
  }
}

function sameRoot(one: RootRecord, other: RootRecord): boolean {
  return (
    one.directory.inode === other.directory.inode &&
    one.directory.tree === other.directory.tree &&
    one.linked === other.linked &&
    one.kept === other.kept &&
    one.ties === other.ties &&
    one.files === other.files &&
    one.bytes === other.bytes &&
    one.nextIno === other.nextIno
  );
}

function instantOf(ms: number): Instant {
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanoseconds: Math.floor(ms - seconds * 1000) * 1_000_000 };
}
