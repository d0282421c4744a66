/**
 * Which folders have the same in them on both sides, and all below, too. Whatever either side has
 * seen of the others meanwhile, nothing in such a folder is news, and nothing is gone: so it need
 * not be looked at again while it is what it was on both. That pages of theirs were merged before
 * is not enough: by now they may know, by way of others, of something that is here alone, and that
 * it is gone.
 */
import { LRUCache } from "lru-cache";
import type { Cid, Ino, Name } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Inode, type PageTree, marksOf } from "../../dag/inodes.ts";
import { type Fact, isFolder, isOtherCopy } from "./facts.ts";

const max = limits.devices.foldersAlikeMax;

/** What earlier merges found. */
export class MergedBefore {
  /** By the root of their pages, that of ours which had the same in it. */
  readonly #folders = new LRUCache<Cid, Cid>({ max });
  /** Of linked files: what was edited there is here. */
  readonly #tables = new LRUCache<Cid, true>({ max });

  areAlike(their: Cid, our: Cid): boolean {
    return this.#folders.get(their) === our;
  }

  hasTable(their: Cid): boolean {
    return this.#tables.has(their);
  }

  learnFolders(pairs: Iterable<readonly [their: Cid, our: Cid]>): void {
    for (const [their, our] of pairs) this.#folders.set(their, our);
  }

  learnTable({ root }: PageTree): void {
    if (root.kind === "page") this.#tables.set(root.cid, true);
  }
}

type Facts = ReadonlyMap<Ino, Fact>;

/** The folders that both have and that were looked at; others that both have were found alike. */
export function alikeFolders(
  ours: Facts, theirs: Facts, isListed: (folder: Ino) => boolean,
): readonly Ino[] {
  const [our, their] = [namesIn(ours), namesIn(theirs)];
  const found = new Map<Ino, boolean>();
  const isAlike = (folder: Ino): boolean => {
    const before = found.get(folder);
    if (before !== undefined) return before;
    const [here, there] = [our.get(folder) ?? none, their.get(folder) ?? none];
    const isSame = here.size === there.size && [...here].every(([name, ino]) => {
      return there.get(name) === ino && areSame(ours.get(ino), theirs.get(ino), isBelowAlike);
    });
    found.set(folder, isSame);
    return isSame;
  };
  const isBelowAlike = (folder: Ino): boolean => !isListed(folder) || isAlike(folder);
  const both = [...theirs].filter(([ino, fact]) => ours.has(ino) && isFolder(fact));
  const listed = both.map(([ino]) => ino).filter(isListed);
  // Facts come from above: in this order those below are known, however deep it goes.
  for (const ino of listed.toReversed()) isAlike(ino);
  return listed.filter(isAlike);
}

const none: ReadonlyMap<Name, Ino> = new Map();

function namesIn(facts: Facts): ReadonlyMap<Ino, ReadonlyMap<Name, Ino>> {
  const folders = new Map<Ino, Map<Name, Ino>>();
  for (const [ino, { places }] of facts) {
    for (const { parent, name } of places) {
      const names = folders.get(parent);
      if (names === undefined) folders.set(parent, new Map([[name, ino]]));
      else names.set(name, ino);
    }
  }
  return folders;
}

function areSame(
  our: Fact | undefined, their: Fact | undefined, isBelowAlike: (folder: Ino) => boolean,
): boolean {
  if (our === undefined || their === undefined || !isSameVersion(our.inode, their.inode)) {
    return false;
  }
  return isFolder(their) ? isBelowAlike(their.inode.ino) : !isOtherCopy(our, their);
}

export function isSameVersion(one: Inode, other: Inode): boolean {
  const [a, b] = [marksOf(one), marksOf(other)];
  return a.edited === b.edited && a.moved === b.moved
    && (isFolder({ inode: one }) || one.links === other.links);
}
