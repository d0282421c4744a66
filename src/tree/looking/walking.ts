/**
 * Walks over what the tree holds, for whoever is not the kernel: the items of a directory in order,
 * the blocks of a file or of all below a folder, and the way along a path.
 */
import { HiveError } from "../../base/errors.ts";
import type { DirectoryItem } from "../../base/filesystem.ts";
import { type Cid, type Ino, type Name, parseName, rootIno } from "../../base/ids.ts";
import { fileType, isFolderMode, typeMask } from "../../dag/inodes.ts";
import { attempt } from "../attempt.ts";
import type { Node } from "../state/nodes.ts";
import type { State } from "../state/state.ts";
import { nextLink } from "./content.ts";
import { briefOf, findName, isDirectory, nextName, nodeOf } from "./names.ts";

/** Cookies: 1 and 2 for the two dots, then the name's key and 3. */
const firstNameCookie = 3;

export function itemAfter(
  state: State,
  directory: Node,
  { after, plus }: { readonly after: number; readonly plus: boolean },
): { readonly shown: DirectoryItem; readonly node?: Node } | undefined {
  const type = fileType.directory;
  if (after < 1) return { shown: { name: ".", ino: directory.ino, type, cookie: 1 } };
  if (after < 2) {
    const { home } = directory;
    const ino = home.kind === "entry" ? home.parent.ino : directory.ino;
    return { shown: { name: "..", ino, type, cookie: 2 } };
  }
  const found = nextName(state, directory, after - firstNameCookie + 1);
  if (found === undefined) return undefined;
  const { name } = found;
  const cookie = found.key + firstNameCookie;
  if (!plus) return { shown: { name, ...briefOf(state, found), cookie } };
  const node = nodeOf(state, directory, found);
  const brief = { ino: node.ino, type: node.inode.mode & typeMask };
  return { shown: { name, ...brief, cookie, attributes: node.attributes() }, node };
}

export async function* cidsOf(state: State, node: Node): AsyncGenerator<Cid> {
  for (let from = 0; ; ) {
    const at = from;
    const found = await attempt(() => nextLink(state, node, at));
    if (found === undefined) return;
    yield found.link.cid;
    from = found.index + 1;
  }
}

/** Depth first; a node looked at is held until all below it was told. */
export async function* cidsBelow(state: State, ino: Ino): AsyncGenerator<Cid> {
  const node = state.nodes.get(ino);
  node.lookups++;
  try {
    if (!isFolderMode(node.inode.mode)) return yield* cidsOf(state, node);
    for (let after = firstNameCookie - 1; ; ) {
      const from = after;
      const item = await attempt(() => itemAfter(state, node, { after: from, plus: true }));
      if (item?.node === undefined) return;
      yield* cidsBelow(state, item.node.ino);
      after = item.shown.cookie;
    }
  } finally {
    node.lookups--;
    state.nodes.settle(node);
  }
}

/** Those of these inodes that have a name in some folder, looked for from the root on. */
export async function* findInos(
  state: State, wanted: ReadonlySet<Ino>, folder = state.nodes.root,
): AsyncGenerator<Node> {
  folder.pins++;
  try {
    for (let key = 0; ; ) {
      const from = key;
      const found = await attempt(() => wantedAfter(state, folder, { from, wanted }));
      if (found === undefined) return;
      key = found.key + 1;
      if (found.node === undefined) continue;
      if (wanted.has(found.node.ino)) yield found.node;
      if (isDirectory(found.node)) yield* findInos(state, wanted, found.node);
    }
  } finally {
    folder.pins--;
    state.nodes.settle(folder);
  }
}

/** The next name, and its node if that is wanted or a folder. */
function wantedAfter(
  state: State, folder: Node,
  { from, wanted }: { readonly from: number; readonly wanted: ReadonlySet<Ino> },
): { readonly key: number; readonly node: Node | undefined } | undefined {
  const found = nextName(state, folder, from);
  if (found === undefined) return undefined;
  const { ino, type } = briefOf(state, found);
  const isWanted = wanted.has(ino) || type === fileType.directory;
  return { key: found.key, node: isWanted ? nodeOf(state, folder, found) : undefined };
}

/** Where a path of names leads from the root. */
export async function nodeAt(state: State, path: readonly string[]): Promise<Node> {
  let ino: Ino = rootIno;
  for (const at of path.keys()) ino = await attempt(() => childIno(state, ino, { path, at }));
  return state.nodes.get(ino);
}

/** A fault tells how far the path led. */
function childIno(
  state: State, ino: Ino, { path, at }: { readonly path: readonly string[]; readonly at: number },
): Ino {
  const parent = state.nodes.get(ino);
  if (!isDirectory(parent)) {
    throw new HiveError("NotDirectory", "tree.walk", path.slice(0, at).join("/"));
  }
  const found = findName(state, parent, parseName(path[at] ?? ""));
  if (found !== undefined) return nodeOf(state, parent, found).ino;
  throw new HiveError("NotFound", "tree.walk", path.slice(0, at + 1).join("/"));
}

/** A folder's path; one that was removed, and that somebody still has open, has none. */
export function placeOf(state: State, folder: Ino): readonly Name[] {
  const node = state.nodes.get(folder);
  if (node.inode.links > 0) return pathOf(node);
  throw new HiveError("NotFound", "tree.walk", "a folder that is no more");
}

/** The names that lead from the root to this folder. */
export function pathOf({ home }: Node): readonly Name[] {
  return home.kind === "entry" ? [...pathOf(home.parent), home.name] : [];
}
