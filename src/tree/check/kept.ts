/**
 * Whether what the drive was can still be read: the list of the roots that are kept, and each page
 * and chunk that they name. What several have in common is looked at once. Nothing is mended here:
 * a snapshot that lost something still has the rest, and what it lost reads as an error.
 */
import { isFault } from "../../base/errors.ts";
import type { Cid } from "../../base/ids.ts";
import { type ChunkLink, isLost, parseLink } from "../../dag/chunks.ts";
import { type TableValue, parseEntry, parseTableValue } from "../../dag/entries.ts";
import { type PageTree, isFolderMode } from "../../dag/inodes.ts";
import { type KeptRoot, parseKept } from "../../dag/kept.ts";
import { type Page, childOf } from "../../dag/pages.ts";
import { attempt } from "../attempt.ts";
import type { CheckState } from "./state.ts";

type Leaves = "names" | "links" | "linked";

/** Answers the link that the next root has: none when the list is lost for good. */
export async function checkKept(
  check: CheckState, link: ChunkLink | undefined,
): Promise<ChunkLink | undefined> {
  if (link === undefined) return undefined;
  const kept = await listAt(check, link);
  if (kept === "lost") {
    const words = "the list of snapshots is lost, and they with it";
    check.report({ what: "snapshots", path: null, words, mended: true, loss: true });
    return undefined;
  }
  const walk = new KeptWalk(check);
  for (const { root } of kept) {
    await walk.inode(root.directory);
    await walk.tree(root.linked, "linked");
  }
  if (walk.lost > 0) {
    const words = `${walk.lost} blocks of snapshots are lost: what they held is read nowhere`;
    check.report({ what: "snapshots", path: ".snapshots", words, mended: false, loss: true });
  }
  return link;
}

/** Empty when it cannot be told now. */
async function listAt(
  check: CheckState, link: ChunkLink,
): Promise<readonly KeptRoot[] | "lost"> {
  try {
    return parseKept(await attempt(() => check.blocks.chunk(link)));
  } catch (error) {
    if (!isFault(error, "Unavailable", "Corrupt")) throw error;
  }
  const where = await check.whereIs(link.cid);
  if (where === "nowhere") return "lost";
  check.accounts.elsewhere++;
  return [];
}

class KeptWalk {
  lost = 0;
  readonly #check: CheckState;
  readonly #seen = new Set<Cid>();

  constructor(check: CheckState) {
    this.#check = check;
  }

  async inode({ inode, tree }: TableValue): Promise<void> {
    const { xattrs, mode } = inode;
    if (xattrs.kind === "block") await this.#chunk(xattrs.link);
    await this.tree(tree, isFolderMode(mode) ? "names" : "links");
  }

  async tree(tree: PageTree, leaves: Leaves): Promise<void> {
    const { root } = tree;
    if (root.kind === "inside") await this.#leaf(root.page, leaves);
    if (root.kind === "page") await this.#page(tree, root, leaves);
  }

  async #page(
    tree: PageTree, { cid, level }: { readonly cid: Cid; readonly level: number }, leaves: Leaves,
  ): Promise<void> {
    if (this.#seen.has(cid)) return;
    this.#seen.add(cid);
    const page = await this.#load(tree, cid, level);
    if (page === undefined) return;
    if (level === 0) return this.#leaf(page, leaves);
    for (const index of page.keys.keys()) {
      await this.#page(tree, { cid: childOf(page, index), level: level - 1 }, leaves);
    }
  }

  async #load(tree: PageTree, cid: Cid, level: number): Promise<Page | undefined> {
    try {
      return await this.#check.blocks.loadPage(tree, cid, level);
    } catch (error) {
      if (!isFault(error, "Unavailable", "Corrupt")) throw error;
    }
    const isElsewhere = await this.#isElsewhere(cid);
    if (isElsewhere) this.#check.accounts.elsewhere++;
    else this.lost++;
    return undefined;
  }

  async #leaf(page: Page, leaves: Leaves): Promise<void> {
    for (const value of page.values()) {
      if (leaves === "links") await this.#chunk(parseLink(value));
      else if (leaves === "linked") await this.inode(parseTableValue(value));
      else {
        const entry = parseEntry(value);
        if (entry.kind === "inode") await this.inode(entry);
      }
    }
  }

  /** One that was given up was told of before. */
  async #chunk(link: ChunkLink): Promise<void> {
    const isKnown = isLost(link) || this.#check.isHere(link.cid);
    if (!isKnown && !(await this.#isElsewhere(link.cid))) this.lost++;
  }

  async #isElsewhere(cid: Cid): Promise<boolean> {
    return (await this.#check.whereIs(cid)) === "peers";
  }
}
