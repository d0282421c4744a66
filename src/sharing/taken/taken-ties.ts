/**
 * What others gave this drive's person, as ties: each device of the drive has it, and whoever has
 * the 24 words. A right to write itself is used on one device, which stands here; the others write
 * by what follows from it (hand.ts).
 *
 *   t/OWNER/SHARE  u8 version 1 | bytes name | bytes grant
 *                  | bytes seed of the person whom a link made, empty where it came by none
 *                  | bytes peer id of the device that has the right, empty where there is none
 *   i/OWNER        u8 version 1 | bytes grant to an inbox
 *                  | bytes peer id of the device that has the rights that come through it
 */
import { tieKeys } from "../../base/book-keys.ts";
import { Reader, Writer } from "../../base/bytes.ts";
import { isFault } from "../../base/errors.ts";
import { type Name, type PeerId, nameFromText, nameToText, parsePeerId } from "../../base/ids.ts";
import type { Grant } from "../../base/sharing.ts";
import { keyBytes } from "../../crypt/ciphers/keys.ts";
import { parseGrant } from "../../crypt/records/share-records.ts";
import type { Held } from "../records/opened.ts";
import { apart } from "../ties/names-apart.ts";
import type { Tied } from "../ties/tied.ts";

export interface InboxTie {
  readonly grant: Grant;
  /** The device that has the right to write itself, where there is one. */
  readonly writer: PeerId | undefined;
}

export interface TakenTie extends InboxTie {
  readonly name: Name;
  /** Of the person whom a link made. */
  readonly seed: Uint8Array | undefined;
}

type Bad = (key: string, why: unknown) => void;
type Listed = Pick<Tied, "list">;

const version = 1;

export function takenKey({ owner, share }: Pick<Grant, "owner" | "share">): string {
  return `${tieKeys.taken}${owner}/${share}`;
}

export function inboxKey({ owner }: Pick<Grant, "owner">): string {
  return tieKeys.inbox + owner;
}

export function encodeTakenTie({ name, grant, seed, writer }: TakenTie): Buffer {
  const bytes = new Writer(2048).u8(version).bytes(Buffer.from(nameToText(name)));
  bytes.bytes(grant.bytes).bytes(seed ?? Buffer.alloc(0));
  return bytes.latin1(writer ?? "").finish();
}

export function encodeInboxTie({ grant, writer }: InboxTie): Buffer {
  return new Writer(2048).u8(version).bytes(grant.bytes).latin1(writer ?? "").finish();
}

/** By their keys, each under a name of its own; what cannot be read is told and passed over. */
export function takenIn(tied: Listed, bad: Bad): readonly TakenTie[] {
  const all = readAll(tied, { prefix: tieKeys.taken, read: decodeTakenTie, keyOf: takenKey }, bad);
  const named = apart(all.map((of) => ({ name: nameToText(of.name), of })));
  return named.map(({ name, of }) => ({ ...of, name: nameFromText(name) }));
}

export function inboxesIn(tied: Listed, bad: Bad): readonly InboxTie[] {
  return readAll(tied, { prefix: tieKeys.inbox, read: decodeInboxTie, keyOf: inboxKey }, bad);
}

/** On another device than that: two trees of one right would make each mark twice. */
export function asFurther(held: Held): Held {
  return { ...held, isFurther: true };
}

/** Another device wrote it, and may have written anything. */
function readAll<T extends InboxTie>(
  tied: Listed, how: {
    readonly prefix: string;
    readonly read: (value: Buffer) => T;
    readonly keyOf: (grant: Grant) => string;
  },
  bad: Bad,
): readonly T[] {
  return tied.list(how.prefix).flatMap(([rest, value]) => {
    const key = how.prefix + rest;
    try {
      const tie = how.read(value);
      return how.keyOf(tie.grant) === key ? [tie] : [];
    } catch (error) {
      if (!isFault(error)) throw error;
      bad(key, error);
      return [];
    }
  });
}

function decodeTakenTie(value: Buffer): TakenTie {
  const reader = begun(value);
  const name = nameFromText(reader.bytes().toString());
  const grant = parseGrant(reader.bytes());
  const seed = Buffer.from(reader.bytes());
  const writer = writerIn(reader);
  reader.end();
  if (seed.length !== 0 && seed.length !== keyBytes) throw reader.corrupt("seed");
  return { name, grant, seed: seed.length === 0 ? undefined : seed, writer };
}

function decodeInboxTie(value: Buffer): InboxTie {
  const reader = begun(value);
  const grant = parseGrant(reader.bytes());
  const writer = writerIn(reader);
  reader.end();
  return { grant, writer };
}

function begun(value: Buffer): Reader {
  const reader = new Reader(value, "sharing.taken-tie");
  if (reader.u8() !== version) throw reader.corrupt("version");
  return reader;
}

function writerIn(reader: Reader): PeerId | undefined {
  const writer = reader.latin1();
  return writer === "" ? undefined : parsePeerId(writer);
}
