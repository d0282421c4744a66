/**
 * Reading directories and the table of linked files: the layers of changes over the committed
 * pages, as one sorted map. Everything here answers at once or throws Wanted.
 */
import { HiveError, assert } from "../../base/errors.ts";
import type { Ino, Name } from "../../base/ids.ts";
import {
  briefOfEntry, isLinkEntry, nameKey, nameOfEntry, parseEntry, parseTableValue, slotsPerHash,
} from "../../dag/entries.ts";
import { isFolderMode, typeMask } from "../../dag/inodes.ts";
import { findItem, nextItem } from "../../dag/search.ts";
import type { Node } from "../state/nodes.ts";
import type { State } from "../state/state.ts";

/** A name found in a directory: bound in a layer, or an entry's bytes from a page. */
export interface Found {
  readonly key: number;
  readonly name: Name;
  readonly source:
    | { readonly kind: "layer"; readonly ino: Ino }
    | { readonly kind: "page"; readonly bytes: Buffer };
}

/** What a caller of readdir learns without loading the file. */
export interface Brief {
  readonly ino: Ino;
  readonly type: number;
}

/** The first name whose key is at least `from` and below `until`. */
export function nextName(
  state: State,
  directory: Node,
  from: number,
  until = Infinity,
): Found | undefined {
  const { ino } = directory;
  const active = state.active.names.get(ino);
  const frozen = state.frozen?.names.get(ino);
  const load = state.blocks.pagesOf(directory.tree);
  for (let key = from; ; ) {
    const changed = active?.next(key);
    const older = frozen?.next(key);
    const kept = nextItem(directory.tree.root, key, load);
    const first = Math.min(keyOf(changed), keyOf(older), keyOf(kept));
    if (first === Infinity || first >= until) return undefined;
    const bound = changed?.key === first ? changed : older?.key === first ? older : undefined;
    if (bound === undefined) {
      assert(kept !== undefined);
      const bytes = kept.value;
      if (!state.showsLinked && isLinkEntry(bytes)) {
        key = first + 1;
        continue;
      }
      return { key: first, name: nameOfEntry(bytes), source: { kind: "page", bytes } };
    }
    if (bound.value !== null) {
      const { name, ino: target } = bound.value;
      return { key: first, name, source: { kind: "layer", ino: target } };
    }
    key = first + 1;
  }
}

function keyOf(item: { readonly key: number } | undefined): number {
  return item === undefined ? Infinity : item.key;
}

export function findName(state: State, directory: Node, name: Name): Found | undefined {
  const base = nameKey(name);
  const until = base + slotsPerHash;
  for (let key = base; ; ) {
    const found = nextName(state, directory, key, until);
    if (found === undefined || found.name === name) return found;
    key = found.key + 1;
  }
}

/** A key for a name that is not there yet; if it is, Exists. */
export function freeKey(state: State, directory: Node, name: Name): number {
  const base = nameKey(name);
  const until = base + slotsPerHash;
  let free = base;
  for (let key = base; ; ) {
    const found = nextName(state, directory, key, until);
    if (found === undefined) break;
    if (found.name === name) throw new HiveError("Exists", "tree.bind", name);
    if (found.key === free) free++;
    key = found.key + 1;
  }
  if (free < until) return free;
  throw new HiveError("NoSpace", "tree.bind", "names of one hash");
}

/** The node that a name leads to, loaded if it was not in memory. */
export function nodeOf(state: State, directory: Node, found: Found): Node {
  const { source, key, name } = found;
  if (source.kind === "layer") return met(nodeByIno(state, source.ino), directory, found);
  const entry = parseEntry(source.bytes);
  if (entry.kind === "link") return met(nodeByIno(state, entry.ino), directory, found);
  const known = state.nodes.find(entry.inode.ino);
  if (known !== undefined) return known;
  return state.load(entry.inode, entry.tree, { kind: "entry", parent: directory, key, name });
}

function met(node: Node, { ino: parent }: Node, { key, name }: Found): Node {
  if (node.home.kind === "table") node.met({ parent, key, name });
  return node;
}

/** A linked file, from memory or from the table. */
export function nodeByIno(state: State, ino: Ino): Node {
  const node = state.nodes.find(ino) ?? loadLinked(state, ino);
  if (node === undefined) throw new HiveError("Corrupt", "tree.linked", String(ino));
  return node;
}

/** Undefined when the committed table does not have it. */
export function loadLinked(state: State, ino: Ino): Node | undefined {
  const bytes = findItem(state.linked.root, ino, state.blocks.pagesOf(state.linked));
  if (bytes === undefined) return undefined;
  const { inode, tree } = parseTableValue(bytes);
  if (inode.ino !== ino) throw new HiveError("Corrupt", "tree.linked", String(ino));
  return state.load(inode, tree, { kind: "table" });
}

/** Number and type, without taking the file into memory. */
export function briefOf(state: State, found: Found): Brief {
  const { source } = found;
  if (source.kind === "layer") {
    const node = nodeByIno(state, source.ino);
    return { ino: node.ino, type: node.inode.mode & typeMask };
  }
  return briefOfEntry(source.bytes);
}

export function directoryOf(state: State, ino: Ino): Node {
  const node = state.nodes.get(ino);
  if (isFolderMode(node.inode.mode)) return node;
  throw new HiveError("NotDirectory", "tree.directory", String(ino));
}

/** The directory, to put a name into: one that was removed takes none. */
export function livingDirectory(state: State, ino: Ino): Node {
  const node = directoryOf(state, ino);
  if (node.inode.links > 0) return node;
  throw new HiveError("NotFound", "tree.directory", String(ino));
}

export function isDirectory(node: Node): boolean {
  return isFolderMode(node.inode.mode);
}

export function entriesOf(directory: Node): number {
  const { content } = directory.inode;
  assert(content.kind === "directory");
  return content.entries;
}
