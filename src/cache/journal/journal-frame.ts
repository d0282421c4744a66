/**
 * How records lie in a journal file: a header that begins a generation of the file, then records
 * end to end, each behind a header of its own. Files are written over and over, so each header
 * names its generation: what an earlier one has left behind is never taken for a record of this.
 *
 * A group is what one write made durable. Each record tells how many of its group come before and
 * behind it: so a group that was never finished is told from one that was spoilt later.
 */
import { crc32 } from "node:zlib";
import type { Sequence } from "../../base/blocks.ts";
import { assert } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";

export interface FileHeader {
  /** Grows by one whenever a file is begun, be it new or written over. */
  readonly generation: number;
  /** Its first record. In earlier generations nothing counts from here on. */
  readonly first: Sequence;
}

export interface RecordHeader {
  readonly generation: number;
  readonly sequence: Sequence;
  readonly lengthBytes: number;
  /** Records of the same group. */
  readonly before: number;
  readonly behind: number;
}

export const fileHeaderBytes = 32;
export const recordHeaderBytes = 36;
const fileMagic = Buffer.from("HvJ\x01", "latin1");
const recordMagic = Buffer.from("HvR\x01", "latin1");

export function encodeFileHeader({ generation, first }: FileHeader): Buffer {
  const header = Buffer.alloc(fileHeaderBytes);
  fileMagic.copy(header);
  header.writeUIntLE(generation, 8, 6);
  header.writeUIntLE(first, 14, 6);
  header.writeUInt32LE(crc32(header.subarray(0, 28)), 28);
  return header;
}

/** Undefined when these are not the bytes of one: an unused file, or a torn or flipped header. */
export function parseFileHeader(bytes: Buffer): FileHeader | undefined {
  if (bytes.length < fileHeaderBytes || !bytes.subarray(0, 4).equals(fileMagic)) return undefined;
  if (bytes.readUInt32LE(28) !== crc32(bytes.subarray(0, 28))) return undefined;
  return { generation: bytes.readUIntLE(8, 6), first: bytes.readUIntLE(14, 6) };
}

export function encodeRecordHeader(header: RecordHeader, record: Uint8Array): Buffer {
  assert(record.length === header.lengthBytes && record.length <= limits.cache.recordBytesMax);
  const bytes = Buffer.allocUnsafe(recordHeaderBytes);
  recordMagic.copy(bytes);
  bytes.writeUInt32LE(header.lengthBytes, 4);
  bytes.writeUIntLE(header.generation, 8, 6);
  bytes.writeUIntLE(header.sequence, 14, 6);
  bytes.writeUInt32LE(header.before, 20);
  bytes.writeUInt32LE(header.behind, 24);
  bytes.writeUInt32LE(crc32(record), 28);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 32)), 32);
  return bytes;
}

/** Undefined when no whole header begins here. */
export function parseRecordHeader(file: Buffer, at: number): RecordHeader | undefined {
  const bytes = file.subarray(at, at + recordHeaderBytes);
  if (bytes.length < recordHeaderBytes) return undefined;
  if (!bytes.subarray(0, 4).equals(recordMagic)) return undefined;
  if (bytes.readUInt32LE(32) !== crc32(bytes.subarray(0, 32))) return undefined;
  const lengthBytes = bytes.readUInt32LE(4);
  if (lengthBytes > limits.cache.recordBytesMax) return undefined;
  return {
    lengthBytes,
    generation: bytes.readUIntLE(8, 6),
    sequence: bytes.readUIntLE(14, 6),
    before: bytes.readUInt32LE(20),
    behind: bytes.readUInt32LE(24),
  };
}

/** The record behind a header that was parsed; undefined when it is not what was written. */
export function recordBehind(file: Buffer, at: number, header: RecordHeader): Buffer | undefined {
  const start = at + recordHeaderBytes;
  const record = file.subarray(start, start + header.lengthBytes);
  if (record.length < header.lengthBytes) return undefined;
  return file.readUInt32LE(at + 28) === crc32(record) ? record : undefined;
}

/** The offset of the next place where a record's header may begin, or -1. */
export function findRecord(file: Buffer, from: number): number {
  return file.indexOf(recordMagic, from);
}
