/**
 * A ballot as it lies in the vault's books:
 *
 *   u8 version 1 | 32-byte base | varint from | varint position | varint pledged
 *   | varint voted term (0: none) | bytes voted entry
 */
import { Reader, Writer } from "../base/bytes.ts";
import { parseBaseId } from "../base/ids.ts";
import { parseReplacement } from "../crypt/records/guard-records.ts";
import type { Ballot } from "./voter.ts";

const version = 1;
const none = Buffer.alloc(0);

export function encodeBallot({ base, from, position, pledged, voted }: Ballot): Buffer {
  const writer = new Writer(512).u8(version).hex(base);
  writer.varint(from).varint(position).varint(pledged);
  return writer.varint(voted?.term ?? 0).bytes(voted?.entry.bytes ?? none).finish();
}

export function decodeBallot(bytes: Uint8Array): Ballot {
  const reader = new Reader(bytes, "guard.ballot");
  if (reader.u8() !== version) throw reader.corrupt("version");
  const base = parseBaseId(reader.hex(32));
  const [from, position, pledged] = [reader.varint(), reader.varint(), reader.varint()];
  const [term, entry] = [reader.varint(), reader.bytes()];
  reader.end();
  const voted = term === 0 ? undefined : { term, entry: parseReplacement(entry) };
  return { base, from, position, pledged, voted };
}
