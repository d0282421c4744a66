/**
 * A drive's ties: what it knows of other people and shares with them (sharing/ties/tied.ts says
 * which entries there are). The root links them, so whoever has a head has them too; the tree
 * passes them on and reads none. Each entry is a register that any device may write: the later
 * stamp counts, of one stamp what is gone, and else the greater bytes. So devices that join what
 * others have come to the same, in whatever order. Taking something away raises the stamp above all
 * that may come about before somebody knows of that: a wish to be rid of something is outdone by
 * nobody who has not heard of it.
 *
 *   ties  u8 version 1 | varint entries, by key | each: bytes key | varint stamp
 *         | u8 1 and bytes value, or 0 where it is gone
 *
 * The link is that of a chunk of slot 0, or of several, cut at the size of chunks.
 */
import { Reader, Writer, asBuffer } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import { type ChunkLink, readLink, writeLink } from "./chunks.ts";

export interface Tie {
  readonly stamp: number;
  /** Undefined where it is gone: that is remembered, or an old device would bring it back. */
  readonly value: Buffer | undefined;
}

export type Ties = ReadonlyMap<string, Tie>;

export const noTies: Ties = new Map();
export const noTieLinks: readonly ChunkLink[] = [];

const { entriesMax, keyBytesMax, valueBytesMax, bytesMax, stampMax } = limits.ties;
const { stampsPerLess, stampsPerTaking } = limits.ties;
const piecesMax = Math.ceil(bytesMax / limits.tree.chunkBytes);
const version = 1;

/**
 * Counts for more than what was there, and what says less than that for more than any change by
 * whoever has not heard of it; at the last stamp of all only that it is gone does.
 */
export function tieAfter(
  before: Tie | undefined, value: Buffer | undefined, { isLess = false } = {},
): Tie {
  const stamp = before?.stamp ?? 0;
  const [less, taking] = [stampsPerLess, stampsPerTaking].map((per) => nextOf(stamp, per)) as
    [number, number];
  const next = value === undefined ? taking
    : isLess ? Math.min(less, taking - 1) : Math.min(stamp + 1, less - 1);
  return { stamp: Math.min(next, stampMax), value };
}

/** The next multiple. */
function nextOf(stamp: number, per: number): number {
  return (Math.floor(stamp / per) + 1) * per;
}

/** A count, which its stamp is. */
export function tieCounted(before: Tie | undefined): Tie {
  return { stamp: Math.min((before?.stamp ?? 0) + 1, stampMax), value: Buffer.alloc(0) };
}

export function joinTies(one: Ties, other: Ties): Ties {
  const joined = new Map(one);
  for (const [key, tie] of other) {
    const known = joined.get(key);
    if (known === undefined || isPreferred(tie, known)) joined.set(key, tie);
  }
  return joined;
}

function isPreferred(one: Tie, other: Tie): boolean {
  if (one.stamp !== other.stamp) return one.stamp > other.stamp;
  if (one.value === undefined || other.value === undefined) return other.value !== undefined;
  return one.value.compare(other.value) > 0;
}

/** One form for what is the same: devices tell by the bytes that they agree. */
export function encodeTies(ties: Ties): Buffer {
  const writer = new Writer(1024).u8(version).varint(ties.size);
  const keys = [...ties.keys()].sort((a, b) => Buffer.from(a).compare(Buffer.from(b)));
  for (const key of keys) {
    const { stamp, value } = ties.get(key) as Tie;
    writer.latin1(key).varint(stamp);
    if (value === undefined) writer.u8(0);
    else writer.u8(1).bytes(value);
  }
  return writer.finish();
}

export function parseTies(bytes: Uint8Array): Ties {
  const reader = new Reader(bytes, "dag.ties");
  if (bytes.length > bytesMax || reader.u8() !== version) throw reader.corrupt("version");
  const count = reader.varint();
  if (count > entriesMax) throw reader.corrupt(`${count} entries`);
  const ties = new Map<string, Tie>();
  let before: Buffer | undefined;
  for (let index = 0; index < count; index++) {
    const key = asBuffer(reader.bytes());
    const isNext = before === undefined || before.compare(key) < 0;
    if (!isNext || key.length > keyBytesMax) throw reader.corrupt("key");
    ties.set(key.toString("latin1"), readTie(reader));
    before = key;
  }
  reader.end();
  return ties;
}

function readTie(reader: Reader): Tie {
  const stamp = reader.varint();
  const flag = reader.u8();
  if (stamp < 1 || stamp > stampMax || flag > 1) throw reader.corrupt("stamp");
  if (flag === 0) return { stamp, value: undefined };
  const value = Buffer.from(reader.bytes());
  if (value.length > valueBytesMax) throw reader.corrupt("value");
  return { stamp, value };
}

export function writeTieLinks(writer: Writer, links: readonly ChunkLink[]): void {
  writer.varint(links.length);
  for (const link of links) writeLink(writer, link);
}

export function readTieLinks(reader: Reader): readonly ChunkLink[] {
  const count = reader.varint();
  if (count > piecesMax) throw reader.corrupt(`${count} pieces`);
  return Array.from({ length: count }, () => readLink(reader));
}
