/**
 * What a share's record holds for its readers, as bytes: the folder as a root record of its own,
 * and where its blocks are, as the drive's head says it. Sealed it stands on other people's
 * machines, so its form is frozen (test/vectors).
 *
 *   payload = u8 version 1 | varint inode number of the folder | 32-byte catalogue key
 *             | bytes head payload (transfer/catalog/catalog-page.ts), whose root is a root record,
 *               not sealed, with the folder as its root directory
 *   sealed  = sealRecord(record's key, payload), bound to owner, share and sequence
 *
 * The grant as words for a person is "hiveshare1" and the record in base64url.
 */
import { KiB, Reader, Writer } from "../../base/bytes.ts";
import { HiveError } from "../../base/errors.ts";
import { type Ino, type OwnerId, type ShareId, parseIno } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Random } from "../../base/random.ts";
import type { Grant } from "../../base/sharing.ts";
import { openRecord, sealRecord } from "../../crypt/ciphers/aead.ts";
import { keyBytes } from "../../crypt/ciphers/keys.ts";
import { parseGrant } from "../../crypt/records/share-records.ts";
import {
  type HeadPayload,
  decodePayload,
  encodePayload,
} from "../../transfer/catalog/catalog-page.ts";

export interface SharePayload extends HeadPayload {
  readonly ino: Ino;
  readonly catalogKey: Uint8Array;
}

/** Which record a payload is for: it opens as no other's. */
export interface PayloadPlace {
  readonly owner: OwnerId;
  readonly share: ShareId;
  readonly sequence: number;
}

const version = 1;
const grantPrefix = "hiveshare1";

export function encodeSharePayload(payload: SharePayload): Buffer {
  const writer = new Writer(8 * KiB).u8(version).varint(payload.ino).raw(payload.catalogKey);
  return writer.bytes(encodePayload(payload)).finish();
}

export function decodeSharePayload(bytes: Uint8Array): SharePayload {
  const reader = new Reader(bytes, "share.payload");
  if (reader.u8() !== version) throw reader.corrupt("version");
  const ino = parseIno(reader.varint());
  const catalogKey = Buffer.from(reader.raw(keyBytes));
  const head = decodePayload(reader.bytes());
  reader.end();
  return { ...head, ino, catalogKey };
}

export function sealPayload(
  key: Uint8Array, payload: Uint8Array, place: PayloadPlace, random: Random,
): Buffer {
  return sealRecord(key, payload, random, additional(place));
}

export function openPayload(key: Uint8Array, sealed: Uint8Array, place: PayloadPlace): Buffer {
  return openRecord(key, sealed, additional(place));
}

export function grantText(grant: Grant): string {
  return grantPrefix + Buffer.from(grant.bytes).toString("base64url");
}

/** Invalid when it was cut, changed, or is something else. */
export function parseGrantText(text: string): Grant {
  const trimmed = text.replace(/\s+/g, "");
  const isRight = trimmed.startsWith(grantPrefix) && trimmed.length <= limits.sharing.grantCharsMax;
  if (!isRight) throw new HiveError("Invalid", "sharing.grant", "string of a share");
  try {
    return parseGrant(Buffer.from(trimmed.slice(grantPrefix.length), "base64url"));
  } catch (cause) {
    throw new HiveError("Invalid", "sharing.grant", "string of a share", { cause });
  }
}

function additional({ owner, share, sequence }: PayloadPlace): Buffer {
  return new Writer(64).hex(owner).hex(share).varint(sequence).finish();
}
