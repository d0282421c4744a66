/**
 * A page: a run of (key, value) pairs in ascending order of their integer keys, sealed as one
 * block. Leaves hold what the tree is for (names of a directory, chunk links of a file, inodes of
 * the table of linked files), inner pages the leaves' names. No I/O.
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
import { openRecord, sealRecord } from "../crypt/aead.ts";
import { deriveKey } from "../crypt/keys.ts";
import { blockSizes, padded } from "./sizes.ts";

const version = 1;
const headBytesMax = 8;
/** At most two varints before a value. */
const itemOverheadBytes = 11;
const cidLengthBytes = 32;

export const keyMax = 2 ** 52 + 15;

export interface Page {
  /** 0 for a leaf. */
  readonly level: number;
  readonly keys: readonly number[];
  readonly values: readonly Buffer[];
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

export function encodePage(page: Page): Buffer {
  assert(page.keys.length === page.values.length && page.level < 256);
  const writer = new Writer(4096).u8(version).u8(page.level);
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
  writer.varint(page.keys.length);
  let before = -1;
  page.keys.forEach((key, index) => {
    assert(key > before && key <= keyMax, "keys ascend");
    writer.varint(key - before - 1).bytes(page.values[index] as Buffer);
    before = key;
  });
}

export function readItems(reader: Reader, level: number): Page {
  const count = reader.varint();
  if (count > reader.restBytes) throw reader.corrupt(`${count} items`);
  const keys: number[] = [];
  const values: Buffer[] = [];
  let before = -1;
  for (let index = 0; index < count; index++) {
    const key = before + 1 + reader.varint();
    if (key > keyMax) throw reader.corrupt("key");
    keys.push(key);
    values.push(reader.bytes());
    before = key;
  }
  if (level > 0) checkInner(reader, values);
  return { level, keys, values };
}

function checkInner(reader: Reader, values: readonly Buffer[]): void {
  if (values.length === 0) throw reader.corrupt("inner page without children");
  const right = values.every((value) => value.length === cidLengthBytes);
  if (!right) throw reader.corrupt("child's name");
}

/** The name of an inner page's child. */
export function childOf(page: Page, index: number): Cid {
  assert(page.level > 0);
  return parseCid((page.values[index] as Buffer).toString("hex"));
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
