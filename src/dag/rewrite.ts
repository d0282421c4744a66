/**
 * A new version of a tree of pages: the old one, cut at a key if asked, with sorted changes merged
 * in. Only pages on the way to a change are made anew; the others stay what they are. It decides
 * which pages there are; the caller loads, seals, stores and forgets them.
 *
 * A page that grew too large is split into even parts, one that shrank below a quarter joins its
 * neighbour. So every page but the root stays between a quarter and whole.
 */
import { assert } from "../base/errors.ts";
import type { Cid } from "../base/ids.ts";
import type { Maybe } from "../base/step.ts";
import { type Page, type PageRoot, childOf, emptyRoot, itemBytes, newPage, pageRoomBytes }
  from "./pages.ts";
import { lowerBound } from "./search.ts";

export interface Changes {
  /** Every old item from this key on goes first; Infinity keeps all. */
  readonly cutFrom: number;
  /** Ascending; a value of undefined takes the item away. */
  readonly keys: readonly number[];
  readonly values: readonly (Buffer | undefined)[];
}

export interface PageWork {
  load(cid: Cid, level: number): Maybe<Page>;
  /** Seals and stores a new page. */
  save(page: Page): Maybe<Cid>;
  /** This page is part of the new version no more. */
  drop(cid: Cid): void;
  /** Called between pages: the caller may let others work. */
  breathe(): Maybe<void>;
}

/** A subtree: as it is stored, or new and not yet stored. */
type Piece =
  | { readonly kind: "stored"; readonly key: number; readonly level: number; readonly cid: Cid }
  | {
      readonly kind: "leaf";
      readonly key: number;
      readonly level: 0;
      readonly keys: readonly number[];
      readonly values: readonly Buffer[];
    }
  | {
      readonly kind: "branch";
      readonly key: number;
      readonly level: number;
      readonly children: readonly Piece[];
    };

const childBytes = itemBytes(Buffer.alloc(32));
const smallBytes = pageRoomBytes / 4;
/** Parts of a split are left some room, or the next insertion would split them again. */
const splitBytes = pageRoomBytes * 0.75;

/** `insideMax`: a leaf of at most so many items stays inside its root. */
export async function rewritePages(
  root: PageRoot,
  changes: Changes,
  options: { readonly work: PageWork; readonly insideMax: number },
): Promise<PageRoot> {
  const { work, insideMax } = options;
  const old = pieceOf(root);
  const kept = old && (await cut(old, changes.cutFrom, work));
  const merged = kept ? await edit(kept, changes, work) : splitLeaf(merge([], [], changes));
  const whole = narrow(merged);
  if (whole === undefined) return emptyRoot;
  const top = collapse(whole);
  if (top.kind === "leaf" && top.keys.length <= insideMax) {
    return { kind: "inside", page: newPage(0, top.keys, top.values) };
  }
  return { kind: "page", level: top.level, cid: await save(top, work) };
}

/** Every page of a tree that nothing refers to any more. Leaves are named, not loaded. */
export async function dropPages(root: PageRoot, work: PageWork): Promise<void> {
  const piece = pieceOf(root);
  if (piece !== undefined) await dropAll(piece, work);
}

function pieceOf(root: PageRoot): Piece | undefined {
  if (root.kind === "empty") return undefined;
  if (root.kind === "page") {
    return { kind: "stored", key: 0, level: root.level, cid: root.cid };
  }
  return leafPiece(root.page.keys, root.page.values());
}

function leafPiece(keys: readonly number[], values: readonly Buffer[]): Piece {
  return { kind: "leaf", key: keys[0] ?? 0, level: 0, keys, values };
}

function branchPiece(children: readonly Piece[]): Piece {
  const first = children[0];
  assert(first !== undefined, "a branch has children");
  return { kind: "branch", key: first.key, level: first.level + 1, children };
}

/** One piece on top of all; more than one get a parent. */
function narrow(pieces: readonly Piece[]): Piece | undefined {
  let row = pieces;
  while (row.length > 1) row = splitBranch(row);
  return row[0];
}

/** A root with one child is no use: the child takes its place. */
function collapse(top: Piece): Piece {
  let piece = top;
  while (piece.kind === "branch" && piece.children.length === 1) piece = piece.children[0] as Piece;
  return piece;
}

/** The piece with its parts in sight; a stored page that is opened will be made anew. */
async function open(piece: Piece, work: PageWork): Promise<Piece> {
  if (piece.kind !== "stored") return piece;
  const page = await work.load(piece.cid, piece.level);
  assert(page.level === piece.level, "a page of the level asked for");
  work.drop(piece.cid);
  if (page.level === 0) return leafPiece(page.keys, page.values());
  return branchPiece(storedChildren(page));
}

function storedChildren(page: Page): Piece[] {
  const level = page.level - 1;
  return page.keys.map((key, at) => ({ kind: "stored", key, level, cid: childOf(page, at) }));
}

async function dropAll(piece: Piece, work: PageWork): Promise<void> {
  if (piece.kind === "leaf") return;
  if (piece.kind === "stored" && piece.level === 0) return work.drop(piece.cid);
  const opened = await open(piece, work);
  assert(opened.kind === "branch");
  for (const child of opened.children) await dropAll(child, work);
  await work.breathe();
}

/** The piece without its items from a key on. */
async function cut(piece: Piece, from: number, work: PageWork): Promise<Piece | undefined> {
  if (from === Infinity) return piece;
  const opened = await open(piece, work);
  if (opened.kind === "leaf") {
    const { keys, values } = opened;
    const end = lowerBound(keys, from);
    return end === 0 ? undefined : leafPiece(keys.slice(0, end), values.slice(0, end));
  }
  assert(opened.kind === "branch");
  const end = lowerBound(opened.children.map((child) => child.key), from);
  for (const child of opened.children.slice(end)) await dropAll(child, work);
  const kept = opened.children.slice(0, end);
  const last = kept.pop();
  const trimmed = last && (await cut(last, from, work));
  if (trimmed !== undefined) kept.push(trimmed);
  return kept.length === 0 ? undefined : branchPiece(kept);
}

/** The piece with changes merged in: none, one or several pieces of the same level. */
async function edit(piece: Piece, changes: Changes, work: PageWork): Promise<readonly Piece[]> {
  if (changes.keys.length === 0) return [piece];
  const opened = await open(piece, work);
  await work.breathe();
  if (opened.kind === "leaf") {
    return splitLeaf(merge(opened.keys, opened.values, changes));
  }
  assert(opened.kind === "branch");
  const children: Piece[] = [];
  let start = 0;
  for (const [index, child] of opened.children.entries()) {
    const bound = opened.children[index + 1]?.key ?? Infinity;
    const end = bound === Infinity ? changes.keys.length : lowerBound(changes.keys, bound);
    children.push(...(await edit(child, slice(changes, start, end), work)));
    start = end;
  }
  return splitBranch(await joinSmall(children, work));
}

function slice(changes: Changes, start: number, end: number): Changes {
  const { keys, values } = changes;
  return { cutFrom: Infinity, keys: keys.slice(start, end), values: values.slice(start, end) };
}

interface Items {
  readonly keys: number[];
  readonly values: Buffer[];
}

function merge(keys: readonly number[], values: readonly Buffer[], changes: Changes): Items {
  const result: Items = { keys: [], values: [] };
  const push = (key: number, value: Buffer | undefined) => {
    if (value === undefined) return;
    result.keys.push(key);
    result.values.push(value);
  };
  let old = 0;
  changes.keys.forEach((key, index) => {
    for (; old < keys.length && (keys[old] as number) < key; old++) {
      push(keys[old] as number, values[old]);
    }
    if (keys[old] === key) old++;
    push(key, changes.values[index]);
  });
  for (; old < keys.length; old++) push(keys[old] as number, values[old]);
  return result;
}

function splitLeaf(items: Items): Piece[] {
  const sizes = items.values.map(itemBytes);
  return evenParts(sizes).map(([start, end]) =>
    leafPiece(items.keys.slice(start, end), items.values.slice(start, end)),
  );
}

function splitBranch(children: readonly Piece[]): Piece[] {
  const sizes = children.map(() => childBytes);
  return evenParts(sizes).map(([start, end]) => branchPiece(children.slice(start, end)));
}

/** Cuts a row of sizes into as few even parts as fit pages: pairs of start and end. */
function evenParts(sizes: readonly number[]): (readonly [start: number, end: number])[] {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (sizes.length === 0) return [];
  if (total <= pageRoomBytes) return [[0, sizes.length]];
  const goal = total / Math.ceil(total / splitBytes);
  const parts: (readonly [number, number])[] = [];
  let start = 0;
  let filled = 0;
  sizes.forEach((size, index) => {
    const enough = filled > 0 && filled + size / 2 > goal;
    if (enough) {
      parts.push([start, index]);
      start = index;
      filled = 0;
    }
    filled += size;
  });
  return [...parts, [start, sizes.length]];
}

/** New pieces below a quarter of a page join the sibling beside them. */
async function joinSmall(pieces: readonly Piece[], work: PageWork): Promise<readonly Piece[]> {
  const result: Piece[] = [];
  for (const piece of pieces) {
    const before = result.at(-1);
    const joins = before !== undefined && (isSmall(piece) || isSmall(before));
    if (joins) result.splice(-1, 1, ...(await join(before, piece, work)));
    else result.push(piece);
  }
  return result;
}

function isSmall(piece: Piece): boolean {
  if (piece.kind === "stored") return false;
  if (piece.kind === "branch") return piece.children.length * childBytes < smallBytes;
  return piece.values.reduce((sum, value) => sum + itemBytes(value), 0) < smallBytes;
}

async function join(left: Piece, right: Piece, work: PageWork): Promise<Piece[]> {
  const a = await open(left, work);
  const b = await open(right, work);
  if (a.kind === "leaf" && b.kind === "leaf") {
    return splitLeaf({ keys: [...a.keys, ...b.keys], values: [...a.values, ...b.values] });
  }
  assert(a.kind === "branch" && b.kind === "branch", "siblings are of one level");
  return splitBranch([...a.children, ...b.children]);
}

async function save(piece: Piece, work: PageWork): Promise<Cid> {
  if (piece.kind === "stored") return piece.cid;
  await work.breathe();
  if (piece.kind === "leaf") return await work.save(newPage(0, piece.keys, piece.values));
  const values: Buffer[] = [];
  for (const child of piece.children) values.push(Buffer.from(await save(child, work), "hex"));
  const keys = piece.children.map((child) => child.key);
  return await work.save(newPage(piece.level, keys, values));
}
