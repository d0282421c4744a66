/**
 * What an inbox holds: the folders that somebody is given through groups, each with the secret that
 * a grant to her would hold. It stands sealed in a record of its own, as a folder does for its
 * readers, with her as its only one; so its form is frozen (test/vectors).
 *
 *   payload = u8 version 1 | varint entries, each: share (16) | u8 1 for a right to write, else 0
 *             | secret (32) | bytes name that its owner gave it
 */
import { KiB, Reader, Writer, beginningOf } from "../../base/bytes.ts";
import { type ShareId, parseShareId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { keyBytes } from "../../crypt/ciphers/keys.ts";

const version = 1;
const shareIdBytes = 16;
const { sharesMax, inboxNameBytesMax } = limits.sharing;

export interface InboxEntry {
  readonly share: ShareId;
  readonly writes: boolean;
  /** A reader's key, or of a right to write what that follows from. */
  readonly secret: Uint8Array;
  /** Shown, and a name to begin with. */
  readonly name: string;
}

export function encodeInbox(entries: readonly InboxEntry[]): Buffer {
  const writer = new Writer(KiB).u8(version).varint(entries.length);
  for (const { share, writes, secret, name } of entries) {
    // All of them together are to fit a record.
    const short = Buffer.from(beginningOf(name, inboxNameBytesMax));
    writer.hex(share).u8(writes ? 1 : 0).raw(secret).bytes(short);
  }
  return writer.finish();
}

export function decodeInbox(bytes: Uint8Array): readonly InboxEntry[] {
  const reader = new Reader(bytes, "share.inbox");
  if (reader.u8() !== version) throw reader.corrupt("version");
  const count = reader.varint();
  if (count > sharesMax) throw reader.corrupt("entries");
  const entries = Array.from({ length: count }, () => readEntry(reader));
  reader.end();
  const distinct = new Set(entries.map(({ share }) => share));
  if (distinct.size !== count) throw reader.corrupt("one folder twice");
  return entries;
}

function readEntry(reader: Reader): InboxEntry {
  const share = parseShareId(reader.hex(shareIdBytes));
  const kind = reader.u8();
  if (kind > 1) throw reader.corrupt("kind");
  const secret = Buffer.from(reader.raw(keyBytes));
  const name = reader.bytes().toString();
  const isShort = name !== "" && Buffer.byteLength(name) <= inboxNameBytesMax;
  if (!isShort || /\p{Cc}/u.test(name)) throw reader.corrupt("name");
  return { share, writes: kind === 1, secret, name };
}
