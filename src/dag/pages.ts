/**
 * A page: a run of (key, value) pairs in ascending order of their integer keys, sealed as one
 * block. Leaves hold what the tree is for (names of a directory, chunk links of a file, inodes of
 * the table of linked files), inner pages the leaves' names. No I/O.
 *
 * In memory a page stays the bytes that it is sealed from, and says where its values lie in them:
 * a view of a value takes more memory than the value of most names, so it is made when asked for.
 *
 *   page    version byte 1 | level byte | varint count | count x item | zeros up to a step
 *   item    varint distance from the key before (the first: from -1) less 1 | varint length | value
 *   inner   level above 0; an item's value is the 32-byte SHA-256 of a page one level below, and
 *           its key is that page's first
 *   block   sealRecord(deriveKey(tree's secret, "page"), page)
 */
import { Reader, Writer, asBuffer } from "../base/bytes.ts";
import { HiveError, assert } from "../base/errors.ts";
import { type Cid, cidOf, parseCid } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import { openRecord, sealRecord } from "../crypt/ciphers/aead.ts";
import { deriveKey } from "../crypt/ciphers/keys.ts";
import { blockSizes, padded } from "./sizes.ts";

const version = 1;
const headBytesMax = 8;
/** At most two varints before a value. */
const itemOverheadBytes = 11;
const cidLengthBytes = 32;
/** In memory: a key and two bounds of each item; the objects of a page, and its place in a map. */
const itemHeldBytes = 16;
const pageHeldBytes = 1024;

export const keyMax = 2 ** 52 + 15;

export class Page {
  /** 0 for a leaf. */
  readonly level: number;
  readonly keys: readonly number[];
  /** Count and items, as they are written. */
  readonly #items: Buffer;
  /** Where each value begins in them, and where it ends. */
  readonly #bounds: Uint32Array;
  /** Names of pages below, as far as they were asked for: each search goes by some of them. */
  #children: Cid[] | undefined;

  constructor(level: number, keys: readonly number[], items: Buffer, bounds: Uint32Array) {
    assert(bounds.length === 2 * keys.length && level < 256);
    this.level = level;
    this.keys = keys;
    this.#items = items;
    this.#bounds = bounds;
  }

  get items(): Buffer {
    return this.#items;
  }

  /** A view; undefined where there is none. */
  value(index: number): Buffer | undefined {
    const start = this.#bounds[2 * index];
    if (start === undefined) return undefined;
    return this.#items.subarray(start, this.#bounds[2 * index + 1]);
  }

  /** A view of each: for whoever goes through all of them. */
  values(): Buffer[] {
    return this.keys.map((_, index) => this.value(index) as Buffer);
  }

  /** The name of a page one level below. */
  child(index: number): Cid {
    assert(this.level > 0);
    this.#children ??= [];
    return (this.#children[index] ??= parseCid((this.value(index) as Buffer).toString("hex")));
  }

  /** Memory taken. */
  get heldBytes(): number {
    return pageHeldBytes + this.#items.length + this.keys.length * itemHeldBytes;
  }
}

/** Where a tree of pages begins. A small one lies inside whatever points to it. */
export type PageRoot =
  | { readonly kind: "empty" }
  | { readonly kind: "inside"; readonly page: Page }
  | { readonly kind: "page"; readonly cid: Cid; readonly level: number };

export const emptyRoot: PageRoot = { kind: "empty" };

/** What an item takes of a page, at most. */
export function itemBytes(value: Uint8Array): number {
  return value.length + itemOverheadBytes;
}

/** Room for items in one page. */
export const pageRoomBytes = limits.tree.pageBytesMax - headBytesMax;

/** A new page of pairs in the order of their keys. */
export function newPage(
  level: number, keys: readonly number[], values: readonly Uint8Array[],
): Page {
  assert(keys.length === values.length);
  const room = values.reduce((sum, value) => sum + itemBytes(value), itemOverheadBytes);
  const writer = new Writer(room).varint(keys.length);
  const bounds = new Uint32Array(2 * keys.length);
  let before = -1;
  keys.forEach((key, index) => {
    assert(key > before && key <= keyMax, "keys ascend");
    const value = values[index] as Uint8Array;
    writer.varint(key - before - 1).varint(value.length);
    bounds[2 * index] = writer.lengthBytes;
    bounds[2 * index + 1] = writer.raw(value).lengthBytes;
    before = key;
  });
  return new Page(level, keys, Buffer.from(writer.finish()), bounds);
}

export function encodePage(page: Page): Buffer {
  const writer = new Writer(page.items.length + 2).u8(version).u8(page.level);
  writeItems(writer, page);
  return writer.finish();
}

export function parsePage(bytes: Uint8Array): Page {
  const reader = new Reader(bytes, "dag.page");
  if (reader.u8() !== version) throw reader.corrupt("version");
  const level = reader.u8();
  if (level > limits.dag.levelsMax) throw reader.corrupt(`level ${level}`);
  const page = readItems(reader, level);
  const rest = reader.raw(reader.restBytes);
  if (rest.some((byte) => byte !== 0)) throw reader.corrupt("padding");
  return page;
}

/** Count and items, as they also stand inside an entry. */
export function writeItems(writer: Writer, page: Page): void {
  writer.raw(page.items);
}

/** It has a copy of them: what lies around them may go. */
export function readItems(reader: Reader, level: number): Page {
  const start = reader.offsetBytes;
  const count = reader.varint();
  if (count > reader.restBytes) throw reader.corrupt(`${count} items`);
  const keys: number[] = [];
  const bounds = new Uint32Array(2 * count);
  let before = -1;
  for (let index = 0; index < count; index++) {
    const key = before + 1 + reader.varint();
    if (key > keyMax) throw reader.corrupt("key");
    keys.push(key);
    const lengthBytes = reader.varint();
    const from = reader.skip(lengthBytes) - start;
    if (level > 0 && lengthBytes !== cidLengthBytes) throw reader.corrupt("child's name");
    bounds[2 * index] = from;
    bounds[2 * index + 1] = from + lengthBytes;
    before = key;
  }
  if (level > 0 && count === 0) throw reader.corrupt("inner page without children");
  return new Page(level, keys.slice(), Buffer.from(reader.since(start)), bounds);
}

/** The name of an inner page's child. */
export function childOf(page: Page, index: number): Cid {
  return page.child(index);
}

export function pageKey(secret: Uint8Array): Buffer {
  return deriveKey(secret, "page");
}

export function sealPage(
  key: Uint8Array,
  page: Page,
  random: Random,
): { readonly cid: Cid; readonly sealed: Buffer } {
  const plain = encodePage(page);
  assert(plain.length <= limits.tree.pageBytesMax);
  const sealed = sealRecord(key, padded(plain), random);
  return { cid: cidOf(sealed), sealed };
}

export function openPage(key: Uint8Array, cid: Cid, sealed: Uint8Array): Page {
  if (cidOf(sealed) !== cid) throw new HiveError("Corrupt", "dag.openPage", `CID of ${cid}`);
  const plain = openRecord(key, asBuffer(sealed));
  if (blockSizes.includes(plain.length)) return parsePage(plain);
  throw new HiveError("Corrupt", "dag.openPage", `size of ${cid}`);
}
