/**
 * What is remembered of the folders that this drive shares: pure reading and writing.
 *
 *   g/SHARE  u8 version 3 | varint ino | varint names, each | varint sequence
 *            | varint ways, each: u8 0 and person (32), or u8 1 and bytes name of a group
 *            | varint expires | u8 0 to read, 1 to write, 2 to verify
 *            | varint rights to write, each: person (32) | varint number
 *            In versions 1 and 2 behind the sequence: varint readers, each: person (32)
 *            | varint expires | in 2 varint number of the right to write, 0 for none
 *   r/HASH   varint names, each: a folder of which not all has new secrets yet
 *   l/SHARE  the payload of the last record, sealed: for who is shut out while nothing is published
 */
import { sharingKeys } from "../base/book-keys.ts";
import { Reader, Writer } from "../base/bytes.ts";
import { type Ino, type Name, type PersonId, type ShareId, parseIno, parseName, parseOwnerId }
  from "../base/ids.ts";
import { type Capability, capabilities } from "../base/sharing.ts";
import { publicKeyBytes } from "../crypt/ed25519.ts";
import { sha256 } from "../crypt/sha256.ts";
import type { Audience, GivenWay } from "./ways.ts";

/** A folder and who may read it. */
export interface GivenShare {
  readonly share: ShareId;
  readonly ino: Ino;
  /** Where it was last. */
  readonly path: readonly Name[];
  /** Of the last record that was signed, or was about to be: no number is used twice. */
  readonly sequence: number;
  readonly ways: readonly GivenWay[];
  /** Numbers of the rights of those who may write (crypt/write-right.ts). */
  readonly rights: ReadonlyMap<PersonId, number>;
}

const version = 3;

export function encodeGiven({ ino, path, sequence, ways, rights }: GivenShare): Buffer {
  const writer = new Writer().u8(version).varint(ino).varint(path.length);
  for (const name of path) writer.latin1(name);
  writer.varint(sequence).varint(ways.length);
  for (const { to, expiresAtMs, gives } of ways) {
    if (to.kind === "person") writer.u8(0).hex(to.person);
    else writer.u8(1).bytes(Buffer.from(to.group));
    writer.varint(expiresAtMs).u8(capabilities.indexOf(gives));
  }
  writer.varint(rights.size);
  for (const [person, number] of rights) writer.hex(person).varint(number);
  return writer.finish();
}

export function decodeGiven(share: ShareId, value: Uint8Array): GivenShare {
  const reader = new Reader(value, "sharing.given");
  const written = reader.u8();
  if (written < 1 || written > version) throw reader.corrupt("version");
  const ino = parseIno(reader.varint());
  const path = Array.from({ length: reader.varint() }, () => parseName(reader.latin1()));
  const sequence = reader.varint();
  const who = written < 3 ? olderWays(reader, written) : readWays(reader);
  reader.end();
  return { share, ino, path, sequence, ...who };
}

type Who = Pick<GivenShare, "ways" | "rights">;

function readWays(reader: Reader): Who {
  const ways = Array.from({ length: reader.varint() }, (): GivenWay => ({
    to: audienceIn(reader), expiresAtMs: reader.varint(), gives: capabilityIn(reader),
  }));
  const rights = Array.from({ length: reader.varint() }, (): [PersonId, number] => {
    return [personIn(reader), reader.varint()];
  });
  return { ways, rights: new Map(rights) };
}

function audienceIn(reader: Reader): Audience {
  if (reader.u8() === 0) return { kind: "person", person: personIn(reader) };
  return { kind: "group", group: reader.bytes().toString() };
}

function capabilityIn(reader: Reader): Capability {
  const capability = capabilities[reader.u8()];
  if (capability === undefined) throw reader.corrupt("what it gives");
  return capability;
}

/** Before there were groups. */
function olderWays(reader: Reader, written: number): Who {
  const readers = Array.from({ length: reader.varint() }, () => ({
    person: personIn(reader), expiresAtMs: reader.varint(),
    right: written === 1 ? 0 : reader.varint(),
  }));
  const rights = readers.filter(({ right }) => right > 0);
  return {
    ways: readers.map(({ person, expiresAtMs, right }) => {
      const gives = right > 0 ? "write" : "read";
      return { to: { kind: "person", person }, expiresAtMs, gives };
    }),
    rights: new Map(rights.map(({ person, right }) => [person, right])),
  };
}

function personIn(reader: Reader): PersonId {
  return parseOwnerId(reader.hex(publicKeyBytes));
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
  return sharingKeys.renewal + sha256(encodePath(path)).toString("hex");
}
