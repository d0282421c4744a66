/**
 * What is remembered of the folders that this drive shares: pure reading and writing.
 *
 *   g/SHARE  u8 version 2 | varint ino | varint names, each | varint sequence
 *            | varint readers, each: person (32) | varint expires | varint number of the right to
 *            write, 0 for none; version 1 has none of these
 *   r/HASH   varint names, each: a folder of which not all has new secrets yet
 *   l/SHARE  the payload of the last record, sealed: for who is shut out while nothing is published
 */
import { Reader, Writer } from "../base/bytes.ts";
import { type Ino, type Name, type PersonId, type ShareId, parseIno, parseName, parseOwnerId }
  from "../base/ids.ts";
import { publicKeyBytes } from "../crypt/ed25519.ts";
import { sha256 } from "../crypt/sha256.ts";

export interface GivenReader {
  readonly person: PersonId;
  readonly expiresAtMs: number;
  /** Of the right to write (crypt/write-right.ts); 0 for one who only reads. */
  readonly right: number;
}

/** A folder and who may read it. */
export interface GivenShare {
  readonly share: ShareId;
  readonly ino: Ino;
  /** Where it was last. */
  readonly path: readonly Name[];
  /** Of the last record that was signed, or was about to be: no number is used twice. */
  readonly sequence: number;
  readonly readers: readonly GivenReader[];
}

const version = 2;

export function encodeGiven({ ino, path, sequence, readers }: GivenShare): Buffer {
  const writer = new Writer().u8(version).varint(ino).varint(path.length);
  for (const name of path) writer.latin1(name);
  writer.varint(sequence).varint(readers.length);
  for (const { person, expiresAtMs, right } of readers) {
    writer.hex(person).varint(expiresAtMs).varint(right);
  }
  return writer.finish();
}

export function encodePath(path: readonly Name[]): Buffer {
  const writer = new Writer().varint(path.length);
  for (const name of path) writer.latin1(name);
  return writer.finish();
}

export function decodePath(value: Uint8Array): readonly Name[] {
  const reader = new Reader(value, "sharing.path");
  const path = Array.from({ length: reader.varint() }, () => parseName(reader.latin1()));
  reader.end();
  return path;
}

export function renewalKey(path: readonly Name[]): string {
  return `r/${sha256(encodePath(path)).toString("hex")}`;
}

export function decodeGiven(share: ShareId, value: Uint8Array): GivenShare {
  const reader = new Reader(value, "sharing.given");
  const written = reader.u8();
  if (written < 1 || written > version) throw reader.corrupt("version");
  const ino = parseIno(reader.varint());
  const path = Array.from({ length: reader.varint() }, () => parseName(reader.latin1()));
  const sequence = reader.varint();
  const readers = Array.from({ length: reader.varint() }, () => ({
    person: parseOwnerId(reader.hex(publicKeyBytes)), expiresAtMs: reader.varint(),
    right: written === 1 ? 0 : reader.varint(),
  }));
  reader.end();
  return { share, ino, path, sequence, readers };
}
