/**
 * Reading a tree of pages that may be damaged: every leaf that can be read is given, in order, and
 * what cannot be is noted with the range of keys that it took with it. Then the same tree without
 * those pages and with changes. It knows nothing of what the items mean.
 */
import type { PolicySlot } from "../../base/blocks.ts";
import { isFault } from "../../base/errors.ts";
import type { Cid } from "../../base/ids.ts";
import type { Random } from "../../base/random.ts";
import type { PageTree } from "../../dag/inodes.ts";
import { type Page, childOf, keyMax } from "../../dag/pages.ts";
import { prunePages } from "../../dag/prune.ts";
import { type PageWork, rewritePages } from "../../dag/rewrite.ts";
import type { Blocks } from "../state/blocks.ts";

/** Keys from `from` up to and without `to`. */
export interface KeyRange {
  readonly from: number;
  readonly to: number;
}

/** What a walk over one tree of pages met. */
export class Findings {
  /** Pages that are known to be lost for good. */
  readonly lost = new Map<Cid, KeyRange>();
  /** Pages that are not here, or do not open, and may be found again. */
  readonly unknown = new Map<Cid, KeyRange>();
  /** Pages with keys where no search looks for them; their items are given all the same. */
  readonly misplaced = new Set<Cid>();
  /** Pages that are on peers alone. */
  elsewhere = 0;

  /** True when every page was read, or is known to be lost. */
  get isComplete(): boolean {
    return this.elsewhere + this.unknown.size === 0;
  }
}

export interface Leaf {
  readonly keys: readonly number[];
  readonly values: readonly Buffer[];
  /** Its items must be put in anew. */
  readonly misplaced: boolean;
}

interface Position extends KeyRange {
  readonly cid: Cid;
  readonly level: number;
  readonly misplaced: boolean;
}

/**
 * Where a block is that is not whole on this machine: with peers, as the books tell; nowhere, known
 * to be lost for good; or unknown: the books should tell of it and do not.
 */
export type Whereabouts = (cid: Cid) => Promise<"peers" | "nowhere" | "unknown">;

/** Where pages come from, and who knows of those that do not come. */
export interface PageSource {
  readonly blocks: Blocks;
  readonly whereIs: Whereabouts;
}

export async function* leavesOf(
  source: PageSource,
  tree: PageTree,
  findings: Findings,
): AsyncGenerator<Leaf> {
  const { root } = tree;
  if (root.kind === "inside") yield leafOf(root.page, false);
  if (root.kind !== "page") return;
  const top = { cid: root.cid, level: root.level, from: 0, to: keyMax + 1, misplaced: false };
  yield* leavesAt({ ...source, tree, findings }, top);
}

interface Walk extends PageSource {
  readonly tree: PageTree;
  readonly findings: Findings;
}

async function* leavesAt(walk: Walk, at: Position): AsyncGenerator<Leaf> {
  const page = await read(walk, at);
  if (page === undefined) return;
  const { from, to } = at;
  const inOrder = page.keys.every((key) => key >= from && key < to);
  if (!inOrder && !at.misplaced) walk.findings.misplaced.add(at.cid);
  const misplaced = at.misplaced || !inOrder;
  if (page.level === 0) return yield leafOf(page, misplaced);
  for (const [index, key] of page.keys.entries()) {
    const child = { cid: childOf(page, index), level: page.level - 1 };
    const range = { from: index === 0 ? from : key, to: page.keys[index + 1] ?? to };
    yield* leavesAt(walk, { ...child, ...range, misplaced });
  }
}

function leafOf(page: Page, misplaced: boolean): Leaf {
  return { keys: page.keys, values: page.values(), misplaced };
}

async function read(walk: Walk, { cid, level, from, to }: Position): Promise<Page | undefined> {
  const { findings } = walk;
  try {
    return await walk.blocks.loadPage(walk.tree, cid, level);
  } catch (error) {
    if (!isFault(error, "Unavailable", "Corrupt")) throw error;
  }
  const where = await walk.whereIs(cid);
  if (where === "peers") findings.elsewhere++;
  else if (where === "nowhere") findings.lost.set(cid, { from, to });
  else findings.unknown.set(cid, { from, to });
  return undefined;
}

/** Changed items by key; undefined where one goes. */
export type ItemChanges = Map<number, Buffer | undefined>;

export interface Mending {
  readonly blocks: Blocks;
  readonly random: Random;
  /** The policy that new pages go by. */
  readonly slot: PolicySlot;
  /** Is told each page that the new version does not have. */
  readonly replaced: (cid: Cid) => void;
}

const secretBytes = 32;

/** The tree without what is lost or out of place, and with the changes. */
export async function mendedTree(
  { blocks, random, slot, replaced }: Mending,
  tree: PageTree,
  plan: {
    readonly findings: Findings;
    readonly changes: ItemChanges;
    readonly insideMax: number;
  },
): Promise<PageTree> {
  const { findings, changes, insideMax } = plan;
  const secret = tree.secret ?? random.bytes(secretBytes);
  const work: PageWork = {
    load: (cid, level) => blocks.loadPage({ ...tree, secret }, cid, level),
    save: (page) => blocks.savePage(secret, page, slot),
    drop: replaced,
    breathe: () => undefined,
  };
  const gone = new Set([...findings.lost.keys(), ...findings.misplaced]);
  const pruned = await prunePages(tree.root, gone, work);
  const keys = [...changes.keys()].sort((a, b) => a - b);
  const values = keys.map((key) => changes.get(key));
  if (keys.length === 0) return { secret: Buffer.from(secret), root: pruned };
  const all = { cutFrom: Infinity, keys, values };
  const root = await rewritePages(pruned, all, { work, insideMax });
  return { secret: Buffer.from(secret), root };
}
