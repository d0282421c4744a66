/**
 * Finds a folder in a root that peers have, and makes a root of it: whoever opens that has all
 * below the folder, and nothing above or beside it. Files with several names lie in the drive's
 * own table, which would open more than the folder: they are left out.
 */
import { HiveError } from "../../base/errors.ts";
import { type Cid, type Ino, type Name, parseIno, rootIno } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type TableValue, nameKey, parseEntry, slotsPerHash } from "../../dag/entries.ts";
import { firstEra } from "../../dag/eras.ts";
import { type PageTree, noTree } from "../../dag/inodes.ts";
import { type Seen, noDevices } from "../../dag/marks.ts";
import { type Page, openPage, pageKey } from "../../dag/pages.ts";
import { nameOfSlot, noPolicies } from "../../dag/policies.ts";
import { type RootRecord, encodeRoot } from "../../dag/root.ts";
import { type Item, checkLevel, nextItem } from "../../dag/search.ts";
import { noTieLinks } from "../../dag/ties.ts";

/** Sealed bytes of a block. */
export type ReadBlock = (cid: Cid) => Promise<Uint8Array>;

export interface FoundFolder extends TableValue {
  readonly path: readonly Name[];
}

/** Where the folder of this number is: where it was, or wherever it went since. */
export async function findFolder(
  root: RootRecord, wanted: { readonly ino: Ino; readonly path: readonly Name[] }, read: ReadBlock,
): Promise<FoundFolder | undefined> {
  const known = await along(root.directory, wanted.path, read);
  if (known?.inode.ino === wanted.ino) return { ...known, path: wanted.path };
  return search(root.directory, wanted.ino, read);
}

/** The name of the policy that this folder goes by; undefined where that is the whole drive's. */
export async function policyNameAt(
  root: RootRecord, path: readonly Name[], read: ReadBlock,
): Promise<string | undefined> {
  let folder: TableValue | undefined = root.directory;
  let slot = folder.inode.policy;
  for (const name of path) {
    folder = folder && await child(folder.tree, name, read);
    if (folder !== undefined && folder.inode.policy > 0) slot = folder.inode.policy;
  }
  return nameOfSlot(root.policies, slot);
}

/**
 * The folder as a root of its own, encoded: of the drive it says nothing, nor when it was made.
 * Whoever writes it has to know what of every device's changes is in it.
 */
export function rootOf({ inode, tree }: TableValue, devices: Seen = noDevices): Buffer {
  const record: RootRecord = {
    sequence: 0, committedAtMs: 0, nextIno: parseIno(rootIno + 1), files: 0, bytes: 0,
    directory: { inode: { ...inode, ino: rootIno, slot: 0, policy: 0 }, tree }, eras: firstEra,
    // Of what the drive was nobody else is given anything.
    linked: noTree, policies: noPolicies, kept: undefined, devices,
    ties: noTieLinks,
  };
  return encodeRoot(record);
}

async function along(
  root: TableValue, path: readonly Name[], read: ReadBlock,
): Promise<TableValue | undefined> {
  let folder: TableValue | undefined = root;
  for (const name of path) {
    if (folder === undefined) return undefined;
    folder = await child(folder.tree, name, read);
  }
  return folder;
}

async function child(
  tree: PageTree, name: Name, read: ReadBlock,
): Promise<TableValue | undefined> {
  const base = nameKey(name);
  for (let key = base; key < base + slotsPerHash;) {
    const item = await itemFrom(tree, key, read);
    if (item === undefined || item.key >= base + slotsPerHash) return undefined;
    const entry = parseEntry(item.value);
    const isFolder = entry.kind === "inode" && entry.inode.content.kind === "directory";
    if (entry.name === name) return isFolder ? entry : undefined;
    key = item.key + 1;
  }
  return undefined;
}

/** Breadth first: what was renamed is seldom far from where it was. */
async function search(
  root: TableValue, ino: Ino, read: ReadBlock,
): Promise<FoundFolder | undefined> {
  const queue: FoundFolder[] = [{ ...root, path: [] }];
  if (root.inode.ino === ino) return queue[0];
  let looked = 0;
  for (let folder = queue.shift(); folder !== undefined; folder = queue.shift()) {
    for await (const item of items(folder.tree, read)) {
      if (++looked > limits.sharing.searchedMax) return undefined;
      const entry = parseEntry(item.value);
      if (entry.kind === "link" || entry.inode.content.kind !== "directory") continue;
      const found = { inode: entry.inode, tree: entry.tree, path: [...folder.path, entry.name] };
      if (entry.inode.ino === ino) return found;
      queue.push(found);
    }
  }
  return undefined;
}

async function* items(tree: PageTree, read: ReadBlock): AsyncGenerator<Item> {
  const pages = new Map<Cid, Page>();
  for (let key = 0; ;) {
    const item = await itemFrom(tree, key, read, pages);
    if (item === undefined) return;
    yield item;
    key = item.key + 1;
  }
}

/** The search is one that does not wait: a page that it misses is brought, and it begins anew. */
async function itemFrom(
  tree: PageTree, key: number, read: ReadBlock, pages = new Map<Cid, Page>(),
): Promise<Item | undefined> {
  for (;;) {
    const missing: Cid[] = [];
    const load = (cid: Cid, level: number): Page => {
      const page = pages.get(cid);
      if (page !== undefined) return checkLevel(page, cid, level);
      missing.push(cid);
      throw new HiveError("Busy", "sharing.folder", cid);
    };
    try {
      return nextItem(tree.root, key, load);
    } catch (error) {
      const cid = missing[0];
      if (cid === undefined || tree.secret === undefined) throw error;
      pages.set(cid, openPage(pageKey(tree.secret), cid, await read(cid)));
    }
  }
}
