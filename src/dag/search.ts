/**
 * Finding a key in a tree of pages, and the next one after it. Pages come from the caller, who may
 * have them at hand or throw to fetch them: nothing here waits or keeps anything.
 */
import { HiveError } from "../base/errors.ts";
import type { Cid } from "../base/ids.ts";
import { type Page, type PageRoot, childOf } from "./pages.ts";

export type LoadPage = (cid: Cid, level: number) => Page;

/** Where an item lies. Most that a search comes upon only have their key looked at. */
export class Item {
  readonly key: number;
  readonly #page: Page;
  readonly #index: number;

  constructor(page: Page, index: number) {
    this.key = page.keys[index] as number;
    this.#page = page;
    this.#index = index;
  }

  get value(): Buffer {
    return this.#page.value(this.#index) as Buffer;
  }
}

export function findItem(root: PageRoot, key: number, load: LoadPage): Buffer | undefined {
  let page = rootPage(root, load);
  if (page === undefined) return undefined;
  while (page.level > 0) page = load(childOf(page, childFor(page, key)), page.level - 1);
  const index = lowerBound(page.keys, key);
  return page.keys[index] === key ? page.value(index) : undefined;
}

/** The first item whose key is at least this. */
export function nextItem(root: PageRoot, key: number, load: LoadPage): Item | undefined {
  const page = rootPage(root, load);
  return page === undefined ? undefined : nextIn(page, key, load);
}

function nextIn(page: Page, key: number, load: LoadPage): Item | undefined {
  if (page.level === 0) {
    const index = lowerBound(page.keys, key);
    return index < page.keys.length ? new Item(page, index) : undefined;
  }
  const first = childFor(page, key);
  // All of the second lies behind the key. Where it does not, pages may be named without end.
  for (let index = first; index < page.keys.length && index <= first + 1; index++) {
    const found = nextIn(load(childOf(page, index), page.level - 1), key, load);
    if (found !== undefined) return found;
    if (index === first) continue;
    throw new HiveError("Corrupt", "dag.page", `nothing in ${childOf(page, index)}`);
  }
  return undefined;
}

/** The page a root names, checked to be of the level it says. */
function rootPage(root: PageRoot, load: LoadPage): Page | undefined {
  if (root.kind === "empty") return undefined;
  return root.kind === "inside" ? root.page : load(root.cid, root.level);
}

/** The child whose keys take in this one; the first child also takes what lies before it. */
export function childFor(page: Page, key: number): number {
  const index = lowerBound(page.keys, key);
  return page.keys[index] === key ? index : Math.max(0, index - 1);
}

/** The index of the first key that is at least this. */
export function lowerBound(keys: readonly number[], key: number): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as number) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A page where another level was promised. */
export function checkLevel(page: Page, cid: Cid, level: number): Page {
  if (page.level === level) return page;
  throw new HiveError("Corrupt", "dag.page", `level ${page.level}, not ${level}, in ${cid}`);
}
