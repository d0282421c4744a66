/**
 * What this machine alone remembers of the folders that this drive shares: pure reading and
 * writing. Who may read them is the drive's (given-ties.ts).
 *
 *   g/SHARE  u8 version 4 | varint names, each: where it was last | varint sequence
 *            Versions 1 to 3 had who may read it, too: u8 version | varint ino | varint names, each
 *            | varint sequence
 *            | in 3: varint ways, each: u8 0 and person (32), or u8 1 and bytes name of a group
 *              | varint expires | u8 0 to read, 1 to write, 2 to verify
 *              | varint rights to write, each: person (32) | varint number
 *            | before: varint readers, each: person (32) | varint expires
 *              | in 2 varint number of the right to write, 0 for none
 *   r/HASH   varint names, each: a folder of which not all has new secrets yet
 *   l/SHARE  the payload of the last record, sealed: for who is shut out while nothing is published
 */
import { sharingKeys } from "../../base/book-keys.ts";
import { Reader, Writer } from "../../base/bytes.ts";
import { type Ino, type Name, type PersonId, parseIno, parseName, parseOwnerId }
  from "../../base/ids.ts";
import { type Capability, capabilities } from "../../base/sharing.ts";
import { publicKeyBytes } from "../../crypt/ciphers/ed25519.ts";
import { sha256 } from "../../crypt/ciphers/sha256.ts";
import type { GivenTie } from "./given-ties.ts";
import type { Audience, GivenWay } from "./ways.ts";

/** A folder as this machine has it. */
export interface GivenPlace {
  /** Where it was last. */
  readonly path: readonly Name[];
  /** Of the last record that is known here, or was about to be signed: none is used twice. */
  readonly sequence: number;
}

type Who = Pick<GivenTie, "ways" | "rights">;

/** What an older version kept of one machine alone, and is the drive's now. */
export interface OlderGiven extends Who {
  readonly ino: Ino;
}

const version = 4;

export function encodeGiven({ path, sequence }: GivenPlace): Buffer {
  const writer = new Writer().u8(version).varint(path.length);
  for (const name of path) writer.latin1(name);
  return writer.varint(sequence).finish();
}

export function decodeGiven(
  value: Uint8Array,
): { readonly place: GivenPlace; readonly older?: OlderGiven } {
  const reader = new Reader(value, "sharing.given");
  const written = reader.u8();
  if (written < 1 || written > version) throw reader.corrupt("version");
  const ino = written < 4 ? parseIno(reader.varint()) : undefined;
  const path = pathIn(reader);
  const place = { path, sequence: reader.varint() };
  const older = ino && { ino, ...written < 3 ? olderWays(reader, written) : readWays(reader) };
  reader.end();
  return { place, ...(older && { older }) };
}

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
  const path = pathIn(reader);
  reader.end();
  return path;
}

export function renewalKey(path: readonly Name[]): string {
  return sharingKeys.renewal + sha256(encodePath(path)).toString("hex");
}

function pathIn(reader: Reader): readonly Name[] {
  return Array.from({ length: reader.varint() }, () => parseName(reader.latin1()));
}
