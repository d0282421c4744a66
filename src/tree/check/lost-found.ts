/**
 * `lost+found` in the drive's root: where a check puts what has an inode and no name, or a name in
 * a place where nothing finds it. Names there are `#` and the inode's number. It only makes pages.
 */
import type { Instant } from "../../base/filesystem.ts";
import { type Ino, type Name, parseName } from "../../base/ids.ts";
import {
  type Entry, type TableValue, encodeEntry, isFolderEntry, nameKey, nameOfEntry, parseEntry,
  slotsPerHash,
} from "../../dag/entries.ts";
import { type Inode, fileType, noTree, noXattrs } from "../../dag/inodes.ts";
import { findItem } from "../../dag/search.ts";
import { attempt } from "../attempt.ts";
import { Findings, type ItemChanges, mendedTree } from "./pages.ts";
import type { CheckState } from "./state.ts";

const home = parseName("lost+found");

/** The root directory with a lost+found that holds these too. */
export async function adoptAll(
  check: CheckState,
  root: TableValue,
  { homeless, now }: { readonly homeless: readonly Entry[]; readonly now: Instant },
): Promise<TableValue> {
  const found = await findEntry(check, root, home);
  const known = found.entry && isFolderEntry(found.entry) ? found.entry : undefined;
  // Another file may have the name: then what is homeless goes into the root itself.
  if (found.entry !== undefined && known === undefined) return addTo(check, root, homeless);
  const before = known ?? newHome(check, root.inode, now);
  const filled = await addTo(check, before, homeless);
  const bytes = encodeEntry({ kind: "inode", name: home, ...filled });
  const tree = await mendedTree(check.mending, root.tree, {
    findings: new Findings(), changes: new Map([[found.key, bytes]]), insideMax: 0,
  });
  const grown = known === undefined ? grow(root.inode, { entries: 1, directories: 1 }) : root.inode;
  return { inode: grown, tree };
}

async function addTo(
  check: CheckState,
  directory: TableValue,
  entries: readonly Entry[],
): Promise<TableValue> {
  const changes: ItemChanges = new Map();
  for (const entry of entries) {
    const { key, name } = await freePlace(check, directory, changes, inoOf(entry));
    changes.set(key, encodeEntry({ ...entry, name }));
  }
  const plan = { findings: new Findings(), changes, insideMax: 0 };
  const tree = await mendedTree(check.mending, directory.tree, plan);
  const directories = entries.filter(isFolderEntry).length;
  return { inode: grow(directory.inode, { entries: entries.length, directories }), tree };
}

/** A name that is not there yet, and a key for it. */
async function freePlace(
  check: CheckState,
  directory: TableValue,
  changes: ItemChanges,
  ino: Ino,
): Promise<{ readonly key: number; readonly name: Name }> {
  for (let copy = 1; ; copy++) {
    const name = parseName(copy === 1 ? `#${ino}` : `#${ino}.${copy}`);
    const { entry, key } = await findEntry(check, directory, name);
    if (entry === undefined && !changes.has(key)) return { key, name };
  }
}

/** The entry of this name, with its key; or the first key that it could have. */
async function findEntry(
  { mending: { blocks } }: CheckState,
  { tree }: TableValue,
  name: Name,
): Promise<{ readonly entry: Entry | undefined; readonly key: number }> {
  const base = nameKey(name);
  let free = -1;
  for (let key = base; key < base + slotsPerHash; key++) {
    const bytes = await attempt(() => findItem(tree.root, key, blocks.pagesOf(tree)));
    const isIt = bytes !== undefined && nameOfEntry(bytes) === name;
    if (isIt) return { entry: parseEntry(bytes), key };
    if (bytes === undefined && free < 0) free = key;
  }
  return { entry: undefined, key: free < 0 ? base : free };
}

function newHome({ accounts }: CheckState, root: Inode, now: Instant): TableValue {
  const ino = accounts.nextIno++ as Ino;
  accounts.inos.add(ino);
  accounts.files++;
  accounts.directories++;
  const inode: Inode = {
    ino,
    // Names here say nothing of who was meant to see them: the owner looks through.
    mode: fileType.directory | 0o700,
    links: 2,
    uid: root.uid,
    gid: root.gid,
    rdev: 0,
    sizeBytes: 0,
    atime: now,
    mtime: now,
    ctime: now,
    btime: now,
    xattrs: noXattrs,
    content: { kind: "directory", entries: 0 },
    slot: 0,
    policy: 0,
    era: 0,
  };
  return { inode, tree: noTree };
}

function grow(inode: Inode, by: { readonly entries: number; readonly directories: number }): Inode {
  const entries = inode.sizeBytes + by.entries;
  const links = inode.links + by.directories;
  return { ...inode, links, sizeBytes: entries, content: { kind: "directory", entries } };
}

function inoOf(entry: Entry): Ino {
  return entry.kind === "link" ? entry.ino : entry.inode.ino;
}
