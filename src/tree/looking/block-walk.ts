/**
 * All blocks of a file or folder: its pages and chunks, and of the folders above it the pages that
 * lead there, so that it is found without a network too. It goes by the committed pages, and by
 * those alone that are here: what is not is yielded, and looked at once more when it is asked for
 * the next, so that whoever walks may have brought it meanwhile. With `mayFetch` it brings the
 * pages itself, and yields nothing.
 */
import { isFault } from "../../base/errors.ts";
import type { Cid, Ino } from "../../base/ids.ts";
import type { Maybe } from "../../base/step.ts";
import { type ChunkLink, isLost, parseLink } from "../../dag/chunks.ts";
import { parseEntry, parseTableValue } from "../../dag/entries.ts";
import { type Inode, type PageTree, isFolderMode } from "../../dag/inodes.ts";
import { type Page, childOf } from "../../dag/pages.ts";
import { childFor, lowerBound } from "../../dag/search.ts";
import { Breather } from "../attempt.ts";
import type { Node } from "../state/nodes.ts";
import type { State } from "../state/state.ts";

/** A block that is not on this machine. */
export interface Missing {
  readonly cid: Cid;
  /** Of plain content; undefined for a page, below which there may be more. */
  readonly lengthBytes: number | undefined;
}

/** What was walked over, as far as it is known. */
export interface BlockCount {
  files: number;
  /** Of plain content. */
  hereBytes: number;
  missingBytes: number;
  missingBlocks: number;
  /** Chunks that were given up: nothing has them any more. */
  lostBlocks: number;
}

interface File {
  readonly inode: Inode;
  readonly tree: PageTree;
}

export function newCount(): BlockCount {
  return { files: 0, hereBytes: 0, missingBytes: 0, missingBlocks: 0, lostBlocks: 0 };
}

export type Told = (cid: Cid) => Maybe<void>;
type Way = AsyncGenerator<Missing, void>;

export class BlockWalk {
  readonly #state: State;
  readonly #told: Told;
  readonly #mayFetch: boolean;
  readonly #breather: Breather;
  #count = newCount();

  /** `told` hears of every block, be it here or not, and is waited for. */
  constructor(state: State, told: Told, { mayFetch }: { readonly mayFetch: boolean }) {
    this.#state = state;
    this.#told = told;
    this.#mayFetch = mayFetch;
    this.#breather = new Breather(() => state.needs.clock.monotonicMs());
  }

  /** What is at and below a file or folder, but for what has a pin of its own. */
  async *below(node: Node, count: BlockCount): Way {
    this.#count = count;
    yield* this.#above(node);
    yield* this.#file(node);
  }

  async *#above({ home }: Node): Way {
    if (home.kind !== "entry") return;
    yield* this.#above(home.parent);
    yield* this.#to(home.parent.tree, home.key);
  }

  async *#file({ inode, tree }: File): Way {
    if (inode.xattrs.kind === "block") yield* this.#chunk(inode.xattrs.link);
    const isFolder = isFolderMode(inode.mode);
    if (!isFolder) this.#count.files++;
    const { root } = tree;
    if (root.kind === "inside") yield* this.#leaf(root.page, isFolder);
    if (root.kind === "page") yield* this.#page(tree, root, isFolder);
  }

  async *#page(
    tree: PageTree, { cid, level }: { readonly cid: Cid; readonly level: number },
    isFolder: boolean,
  ): Way {
    const page = yield* this.#load(tree, cid, level);
    if (page === undefined) return;
    if (level === 0) return yield* this.#leaf(page, isFolder);
    for (const index of page.keys.keys()) {
      yield* this.#page(tree, { cid: childOf(page, index), level: level - 1 }, isFolder);
    }
  }

  async *#leaf(page: Page, isFolder: boolean): Way {
    for (const value of page.values()) {
      if (isFolder) yield* this.#name(value);
      else yield* this.#chunk(parseLink(value));
    }
  }

  async *#name(value: Buffer): Way {
    const entry = parseEntry(value);
    const { ino } = entry.kind === "link" ? entry : entry.inode;
    // It is walked, or left out, by itself.
    if (this.#state.pins.own(ino) !== undefined) return;
    if (entry.kind === "inode") return yield* this.#file(entry);
    yield* this.#linked(ino);
  }

  /** A file of several names lies in the table. */
  async *#linked(ino: Ino): Way {
    const page = yield* this.#to(this.#state.linked, ino);
    if (page === undefined) return;
    const index = lowerBound(page.keys, ino);
    const value = page.keys[index] === ino ? page.value(index) : undefined;
    if (value !== undefined) yield* this.#file(parseTableValue(value));
  }

  /** The pages that lead to a key, and the last of them. */
  async *#to(tree: PageTree, key: number): AsyncGenerator<Missing, Page | undefined> {
    const { root } = tree;
    if (root.kind === "empty") return undefined;
    if (root.kind === "inside") return root.page;
    let page = yield* this.#load(tree, root.cid, root.level);
    while (page !== undefined && page.level > 0) {
      page = yield* this.#load(tree, childOf(page, childFor(page, key)), page.level - 1);
    }
    return page;
  }

  async *#load(
    tree: PageTree, cid: Cid, level: number,
  ): AsyncGenerator<Missing, Page | undefined> {
    const { blocks } = this.#state;
    const isNear = (): boolean => this.#mayFetch || blocks.has(cid);
    await this.#told(cid);
    await this.#breather.breathe();
    if (!isNear()) yield { cid, lengthBytes: undefined };
    if (isNear()) {
      try {
        return await blocks.loadPage(tree, cid, level);
      } catch (error) {
        // Damaged or gone: a later walk may find it, or another one in its place.
        if (!isFault(error)) throw error;
      }
    }
    this.#count.missingBlocks++;
    return undefined;
  }

  async *#chunk(link: ChunkLink): Way {
    if (isLost(link)) {
      this.#count.lostBlocks++;
      return;
    }
    const { cid, lengthBytes } = link;
    const { blocks } = this.#state;
    const told = this.#told(cid);
    if (told !== undefined) await told;
    if (this.#mayFetch) return;
    if (!blocks.has(cid)) yield { cid, lengthBytes };
    if (blocks.has(cid)) {
      this.#count.hereBytes += lengthBytes;
      return;
    }
    this.#count.missingBlocks++;
    this.#count.missingBytes += lengthBytes;
  }
}
