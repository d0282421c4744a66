/**
 * What is remembered of the folders of others: pure reading and writing.
 *
 *   t/OWNER/SHARE  bytes name | bytes grant | bytes newest record, empty before the first
 *                  | bytes seed of the person whom a link made, where it came by one
 *   u/OWNER/SHARE  bytes name | bytes newest record, of one that came through a group alone;
 *                  without a name where the user does not want it
 */
import { Reader, Writer } from "../../base/bytes.ts";
import { parseGrant } from "../../crypt/records/share-records.ts";
import type { Offered } from "./taking.ts";

export interface ThroughBook {
  readonly name: string;
  readonly record: Uint8Array;
}

export interface TakenBook extends ThroughBook {
  readonly offered: Offered;
}

export function encodeTaken({ name, record, offered: { grant, seed } }: TakenBook): Buffer {
  const writer = new Writer(4096).bytes(Buffer.from(name)).bytes(grant.bytes).bytes(record);
  if (seed !== undefined) writer.bytes(seed);
  return writer.finish();
}

export function decodeTaken(value: Uint8Array): TakenBook {
  const reader = new Reader(value, "sharing.taken");
  const [name, grant, record] = [reader.bytes(), reader.bytes(), reader.bytes()];
  const seed = reader.restBytes === 0 ? {} : { seed: reader.bytes() };
  reader.end();
  return { name: name.toString(), record, offered: { grant: parseGrant(grant), ...seed } };
}

export function encodeThrough({ name, record }: ThroughBook): Buffer {
  return new Writer(4096).bytes(Buffer.from(name)).bytes(record).finish();
}

export function decodeThrough(value: Uint8Array): ThroughBook {
  const reader = new Reader(value, "sharing.through");
  const [name, record] = [reader.bytes().toString(), reader.bytes()];
  reader.end();
  return { name, record };
}
