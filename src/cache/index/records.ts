/**
 * The keys and values in LevelDB. Keys are a letter and a CID or a sequence number: nothing that
 * needs sealing. Each value carries a check over its key and itself, since a bit that flips in
 * LevelDB's files is not otherwise noticed.
 */
import { crc32 } from "node:zlib";
import { type PolicySlot, type Sequence, unknownSlot } from "../../base/blocks.ts";
import { Reader, Writer, asBuffer } from "../../base/bytes.ts";
import type { Cid } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";

/** Where a block lies, as the index keeps it. */
export interface Place {
  readonly file: number;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly sequence: number;
  readonly slot: PolicySlot;
  readonly dirty: boolean;
}

/** What a commit leaves: the sealed root, and what it covers. */
export interface CommitRecord {
  /** Grows by one with each commit. */
  readonly number: number;
  /** Journal records up to and including this one are in the root. */
  readonly through: Sequence;
  /** Blocks put up to and including this one may be needed by the root. */
  readonly blockSequence: number;
  readonly root: Buffer;
}

/** What must be in LevelDB besides: it loses entries to a bad disk without a word. */
export interface Books {
  readonly blocks: number;
  readonly journalLast: Sequence;
  readonly commit: number;
  /** Blocks put up to and including this one are here, or wanted no more; format 1 tells none. */
  readonly blockSequence: number | undefined;
}

/** What the format is now. A change brings a new number and a line in hive-format(5). */
export const formatNumber = 3;

export const booksKey = Buffer.from("n");
export const formatKey = Buffer.from("f");
export const rootKey = Buffer.from("r");
/** Number of the newest commit whose root was published. */
export const publishedKey = Buffer.from("p");
export const blockKeys = { from: Buffer.from("b"), to: Buffer.from("c") };
/** Format 1 kept its journal here; what is left of it is read, and nothing is added. */
export const journalKeys = { from: Buffer.from("j"), to: Buffer.from("k") };

export function blockKey(cid: Cid): Buffer {
  const key = Buffer.allocUnsafe(33);
  key.write("b", "latin1");
  key.write(cid, 1, "hex");
  return key;
}

export function journalKey(sequence: Sequence): Buffer {
  const key = Buffer.alloc(9);
  key.write("j", "latin1");
  key.writeBigUInt64BE(BigInt(sequence), 1);
  return key;
}

/** Undefined for a key of another shape. */
export function parseBlockKey(key: Buffer): Cid | undefined {
  return key.length === 33 ? (key.toString("hex", 1) as Cid) : undefined;
}

export function parseJournalKey(key: Buffer): Sequence | undefined {
  if (key.length !== 9) return undefined;
  const sequence = Number(key.readBigUInt64BE(1));
  return Number.isSafeInteger(sequence) ? sequence : undefined;
}

/** The value with its check before it. */
export function withCheck(key: Buffer, value: Uint8Array): Buffer {
  const checked = Buffer.allocUnsafe(4 + value.length);
  checked.set(value, 4);
  checked.writeUInt32LE(checkOf(key, checked.subarray(4)));
  return checked;
}

/** The value without its check; undefined when they do not agree. */
export function checkedValue(key: Buffer, stored: Uint8Array): Buffer | undefined {
  const bytes = asBuffer(stored);
  if (bytes.length < 4) return undefined;
  const value = bytes.subarray(4);
  return bytes.readUInt32LE() === checkOf(key, value) ? value : undefined;
}

export function encodePlace(place: Place): Buffer {
  return new Writer(32)
    .u8(place.slot * 2 + (place.dirty ? 1 : 0))
    .varint(place.file)
    .varint(place.offsetBytes)
    .varint(place.lengthBytes)
    .varint(place.sequence)
    .finish();
}

export function parsePlace(value: Buffer): Place {
  const reader = new Reader(value, "cache.place");
  const flags = reader.u8();
  const slot = flags >>> 1;
  const isSlot = slot <= limits.policy.slotsMax || slot === unknownSlot;
  if (!isSlot) throw reader.corrupt(`flags ${flags}`);
  const place = {
    dirty: (flags & 1) === 1,
    slot,
    file: reader.varint(),
    offsetBytes: reader.varint(),
    lengthBytes: reader.varint(),
    sequence: reader.varint(),
  };
  reader.end();
  return place;
}

export function encodeCommit(commit: CommitRecord): Buffer {
  return new Writer(64 + commit.root.length)
    .varint(commit.number)
    .varint(commit.through)
    .varint(commit.blockSequence)
    .bytes(commit.root)
    .finish();
}

export function parseCommit(value: Buffer): CommitRecord {
  const reader = new Reader(value, "cache.commit");
  const commit = {
    number: reader.varint(),
    through: reader.varint(),
    blockSequence: reader.varint(),
    root: Buffer.from(reader.bytes()),
  };
  reader.end();
  return commit;
}

export function encodeBooks(books: Books): Buffer {
  const { blocks, journalLast, commit, blockSequence } = books;
  const writer = new Writer(32).varint(blocks).varint(journalLast).varint(commit);
  if (blockSequence !== undefined) writer.varint(blockSequence);
  return writer.finish();
}

export function parseBooks(value: Buffer): Books {
  const reader = new Reader(value, "cache.books");
  const books = {
    blocks: reader.varint(),
    journalLast: reader.varint(),
    commit: reader.varint(),
    blockSequence: reader.restBytes > 0 ? reader.varint() : undefined,
  };
  reader.end();
  return books;
}

export function encodeNumber(value: number): Buffer {
  return new Writer(8).varint(value).finish();
}

export function parseNumber(value: Buffer): number {
  const reader = new Reader(value, "cache.number");
  const number = reader.varint();
  reader.end();
  return number;
}

function checkOf(key: Buffer, value: Buffer): number {
  return crc32(value, crc32(key));
}
