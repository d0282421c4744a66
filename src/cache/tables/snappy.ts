/** Bytes that Snappy has compressed, as they were: for the index of a table of LevelDB. Pure. */
import { Reader } from "../../base/bytes.ts";

/** Corrupt where they are not what Snappy writes, or were more than `bytesMax`. */
export function unsnappy(compressed: Uint8Array, bytesMax: number): Buffer {
  const reader = new Reader(compressed, "snappy");
  const length = reader.varint();
  if (length > bytesMax) throw reader.corrupt(`${length} bytes`);
  const bytes = Buffer.alloc(length);
  let at = 0;
  while (reader.restBytes > 0) {
    const tag = reader.u8();
    if ((tag & 3) === 0) {
      at += reader.raw(literalBytes(reader, tag)).copy(bytes, at);
      continue;
    }
    const { lengthBytes, backBytes } = copyOf(reader, tag);
    const isThere = backBytes > 0 && backBytes <= at && at + lengthBytes <= length;
    if (!isThere) throw reader.corrupt("copy");
    // One by one: a copy may go on into what it has just written.
    for (const end = at + lengthBytes; at < end; at++) bytes[at] = bytes[at - backBytes] as number;
  }
  if (at !== length) throw reader.corrupt("length");
  return bytes;
}

function literalBytes(reader: Reader, tag: number): number {
  const short = tag >>> 2;
  return 1 + (short < 60 ? short : little(reader, short - 59));
}

function copyOf(
  reader: Reader, tag: number,
): { readonly lengthBytes: number; readonly backBytes: number } {
  if ((tag & 3) === 1) {
    return { lengthBytes: 4 + (tag >>> 2 & 7), backBytes: (tag >>> 5) * 256 + reader.u8() };
  }
  return { lengthBytes: 1 + (tag >>> 2), backBytes: little(reader, (tag & 3) === 2 ? 2 : 4) };
}

function little(reader: Reader, bytes: number): number {
  return reader.raw(bytes).readUIntLE(0, bytes);
}
