/**
 * A table of LevelDB, as far as one must know it to tell which of its blocks are not what was
 * written. Each is followed by a byte that says how it is compressed, and by a CRC-32C of both; the
 * footer says where the index lies, and that where all others do. Pure.
 */
import { Reader } from "../../base/bytes.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { crc32c } from "./crc32c.ts";
import { unsnappy } from "./snappy.ts";

export interface BlockHandle {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

export interface TableDamage {
  /** Nobody can tell what is in it. */
  readonly isHeadless: boolean;
  /** Blocks whose entries are gone. */
  readonly data: readonly BlockHandle[];
  /** Blocks without which it can do. */
  readonly aside: readonly BlockHandle[];
}

const footerBytes = 48;
const magic = Buffer.from("57fb808b247547db", "hex");

export function damageIn(table: Buffer): TableDamage {
  const footer = orUndefined(() => parseFooter(table));
  const data = footer && orUndefined(() => handlesIn(table, footer.index));
  if (footer === undefined || data === undefined) return { isHeadless: true, data: [], aside: [] };
  const filters = orUndefined(() => handlesIn(table, footer.meta)) ?? [];
  const isDamaged = (handle: BlockHandle): boolean => !isWhole(table, handle);
  const aside = [footer.meta, ...filters].filter(isDamaged);
  return { isHeadless: false, data: data.filter(isDamaged), aside };
}

/** Where the byte stands that says how a block is compressed. */
export function kindAt({ offsetBytes, lengthBytes }: BlockHandle): number {
  return offsetBytes + lengthBytes;
}

function parseFooter(table: Buffer): { readonly meta: BlockHandle; readonly index: BlockHandle } {
  const reader = new Reader(table.subarray(-footerBytes), "level.footer");
  const handles = { meta: readHandle(reader), index: readHandle(reader) };
  reader.skip(reader.restBytes - magic.length);
  if (!reader.raw(magic.length).equals(magic)) throw reader.corrupt("magic");
  return handles;
}

function readHandle(reader: Reader): BlockHandle {
  return { offsetBytes: reader.varint(), lengthBytes: reader.varint() };
}

function isWhole(table: Buffer, handle: BlockHandle): boolean {
  const kind = kindAt(handle);
  if (kind + 5 > table.length) return false;
  const sum = crc32c(table.subarray(handle.offsetBytes, kind + 1));
  // What is stored is turned and moved, or a sum over sums would tell nothing.
  const stored = ((sum >>> 15 | sum << 17) + 0xa282ead8) >>> 0;
  return table.readUInt32LE(kind + 1) === stored;
}

/** The values of a block's entries are places of other blocks. */
function handlesIn(table: Buffer, handle: BlockHandle): BlockHandle[] {
  const content = contentOf(table, handle);
  const reader = new Reader(content, "level.block");
  const endBytes = entriesEnd(content);
  const handles: BlockHandle[] = [];
  while (reader.offsetBytes < endBytes) {
    reader.varint();
    const [keyBytes, valueBytes] = [reader.varint(), reader.varint()];
    reader.skip(keyBytes);
    handles.push(readHandle(new Reader(reader.raw(valueBytes), "level.handle")));
  }
  return handles;
}

/** Behind them stands where keys are written in full, as numbers of four bytes, and how many. */
function entriesEnd(content: Buffer): number {
  const reader = new Reader(content, "level.block");
  reader.skip(content.length - 4);
  return content.length - 4 * (1 + reader.u32());
}

/** What LevelDB wrote when it repaired itself is compressed where that saves much. */
function contentOf(table: Buffer, handle: BlockHandle): Buffer {
  if (!isWhole(table, handle)) throw new HiveError("Corrupt", "level.block", "sum");
  const bytes = table.subarray(handle.offsetBytes, kindAt(handle));
  return table[kindAt(handle)] === 1 ? unsnappy(bytes, limits.cache.tableIndexBytesMax) : bytes;
}

function orUndefined<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (!isFault(error, "Corrupt")) throw error;
    return undefined;
  }
}
