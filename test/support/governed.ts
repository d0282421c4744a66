/** Under which policy every block lies that a committed root names, and where that is wrong. */
import type { PolicySlot } from "../../src/base/blocks.ts";
import { type Cid, type Ino, rootIno } from "../../src/base/ids.ts";
import { isLost, parseLink } from "../../src/dag/chunks.ts";
import { type TableValue, parseEntry, parseTableValue } from "../../src/dag/entries.ts";
import type { PageTree } from "../../src/dag/inodes.ts";
import { treeKeys } from "../../src/dag/keys.ts";
import { type Page, childOf, openPage, pageKey } from "../../src/dag/pages.ts";
import { jointSlot, nameOfSlot } from "../../src/dag/policies.ts";
import { openRoot } from "../../src/dag/root.ts";
import type { MemoryStore } from "./memory-store.ts";

export interface Governed {
  readonly path: string;
  readonly policy: string;
  readonly isRight: boolean;
}

/** All blocks below the root, by path; those of the table of linked files but its files'. */
export function governedBlocks(
  store: Pick<MemoryStore, "get" | "root" | "slotOf">, treeSecret: Buffer,
): readonly Governed[] {
  const root = openRoot(treeKeys(treeSecret), store.root() as Uint8Array);
  const found: Governed[] = [];
  /** Files of several names: of the policies of the folders that they are in, that of the last name. */
  const named = new Map<Ino, PolicySlot>();
  const nameOf = (slot: PolicySlot) => nameOfSlot(root.policies, slot) ?? `slot ${slot}`;
  const joint = (one: PolicySlot, other: PolicySlot) =>
    jointSlot((slot) => nameOfSlot(root.policies, slot), one, other);
  const see = (cid: Cid, slot: PolicySlot, path: string): void => {
    const own = store.slotOf(cid) as PolicySlot;
    found.push({ path, policy: nameOf(own), isRight: own === slot });
  };
  const inode = (value: TableValue, above: PolicySlot, path: string): void => {
    const { ino, policy, content, xattrs } = value.inode;
    const isFolder = content.kind === "directory";
    const slot = isFolder && policy > 0 && ino !== rootIno ? policy : above;
    if (xattrs.kind === "block") see(xattrs.link.cid, slot, `${path} (attributes)`);
    for (const bytes of leaves(value.tree, slot, path)) {
      if (isFolder) entry(bytes, slot, path);
      else if (!isLost(parseLink(bytes))) see(parseLink(bytes).cid, slot, path);
    }
  };
  const entry = (bytes: Buffer, slot: PolicySlot, path: string): void => {
    const found = parseEntry(bytes);
    if (found.kind === "inode") inode(found, slot, `${path}/${found.name}`);
    else named.set(found.ino, joint(slot, named.get(found.ino) ?? 0));
  };
  function* leaves(tree: PageTree, slot: PolicySlot, path: string): Generator<Buffer> {
    if (tree.root.kind === "inside") yield* tree.root.page.values();
    if (tree.root.kind !== "page") return;
    for (const page of pages(tree, tree.root.cid, slot, path)) yield* page.values();
  }
  function* pages(tree: PageTree, cid: Cid, slot: PolicySlot, path: string): Generator<Page> {
    see(cid, slot, `${path} (pages)`);
    const sealed = store.get(cid) as Uint8Array;
    const page = openPage(pageKey(tree.secret as Buffer), cid, sealed);
    if (page.level === 0) return yield page;
    for (const at of page.keys.keys()) yield* pages(tree, childOf(page, at), slot, path);
  }
  inode(root.directory, 0, "");
  for (const bytes of leaves(root.linked, 0, "table")) {
    const value = parseTableValue(bytes);
    const { ino, policy } = value.inode;
    inode(value, joint(policy, named.get(ino) ?? 0), `#${ino}`);
  }
  return found;
}
