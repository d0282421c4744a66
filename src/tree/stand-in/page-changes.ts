/**
 * Trees of pages read item by item, and two of them beside each other: pages that both have are
 * passed over, so that what is alike costs nothing. It knows nothing of what the items mean.
 */
import type { Cid } from "../../base/ids.ts";
import type { Maybe } from "../../base/step.ts";
import type { PageTree } from "../../dag/inodes.ts";
import type { Page } from "../../dag/pages.ts";

export interface PageReader {
  load(tree: PageTree, cid: Cid, level: number): Promise<Page>;
  /** Called between pages: the reader may let others work. */
  breathe(): Maybe<void>;
}

export interface Item {
  readonly key: number;
  readonly value: Buffer;
}

/** An item that is not the same in both. */
export interface ItemChange {
  readonly key: number;
  readonly now: Buffer | undefined;
  readonly was: Buffer | undefined;
}

const none: ReadonlySet<Cid> = new Set();

/** In the order of their keys. */
export async function* itemsOf(
  reader: PageReader, tree: PageTree, without: ReadonlySet<Cid> = none,
): AsyncGenerator<Item> {
  const { root } = tree;
  if (root.kind === "inside") yield* itemsIn(root.page);
  if (root.kind === "page") yield* itemsAt({ reader, tree, without }, root);
}

interface Walk {
  readonly reader: PageReader;
  readonly tree: PageTree;
  readonly without: ReadonlySet<Cid>;
}

interface Position {
  readonly cid: Cid;
  readonly level: number;
}

async function* itemsAt(walk: Walk, { cid, level }: Position): AsyncGenerator<Item> {
  if (walk.without.has(cid)) return;
  await walk.reader.breathe();
  const page = await walk.reader.load(walk.tree, cid, level);
  if (level === 0) return yield* itemsIn(page);
  for (const at of page.keys.keys()) {
    yield* itemsAt(walk, { cid: page.child(at), level: level - 1 });
  }
}

function* itemsIn(page: Page): Generator<Item> {
  for (const [at, value] of page.values().entries()) yield { key: page.keys[at] as number, value };
}

/** The names of all its pages; leaves are not read. */
export async function pagesOf(reader: PageReader, tree: PageTree): Promise<ReadonlySet<Cid>> {
  const found = new Set<Cid>();
  const visit = async ({ cid, level }: Position): Promise<void> => {
    found.add(cid);
    if (level === 0) return;
    await reader.breathe();
    const page = await reader.load(tree, cid, level);
    for (const at of page.keys.keys()) await visit({ cid: page.child(at), level: level - 1 });
  };
  if (tree.root.kind === "page") await visit(tree.root);
  return found;
}

export async function* changedItems(
  reader: PageReader, now: PageTree, was: PageTree,
): AsyncGenerator<ItemChange> {
  if (isSamePage(now, was)) return;
  const [nowPages, wasPages] = [await pagesOf(reader, now), await pagesOf(reader, was)];
  const news = itemsOf(reader, now, wasPages);
  const olds = itemsOf(reader, was, nowPages);
  let [one, other] = [await news.next(), await olds.next()];
  while (one.done !== true || other.done !== true) {
    const key = Math.min(keyOf(one), keyOf(other));
    const item = keyOf(one) === key ? valueOf(one) : undefined;
    const older = keyOf(other) === key ? valueOf(other) : undefined;
    const isSame = item !== undefined && older !== undefined && item.equals(older);
    if (!isSame) yield { key, now: item, was: older };
    if (item !== undefined) one = await news.next();
    if (older !== undefined) other = await olds.next();
  }
}

function isSamePage({ root: one }: PageTree, { root: other }: PageTree): boolean {
  return one.kind === "page" && other.kind === "page" && one.cid === other.cid;
}

function keyOf(next: IteratorResult<Item>): number {
  return next.done === true ? Infinity : next.value.key;
}

function valueOf(next: IteratorResult<Item>): Buffer | undefined {
  return next.done === true ? undefined : next.value.value;
}
