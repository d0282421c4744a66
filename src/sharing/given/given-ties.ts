/**
 * The folders of this drive that others may read, as ties: each device of the drive knows them, and
 * can let somebody in or shut somebody out. A folder, each who may read it, and each right to write
 * are entries of their own, so that two devices that change who reads it at once undo nothing of
 * each other. Pure.
 *
 *   g/PEER/SLOT     u8 version 1 | share (16) | varint ino | varint names, each: where it was when
 *                   it was given | bytes peer id of the device that sees to what one alone does
 *   w/SHARE/PERSON  u8 version 1 | varint expires | u8 0 to read, 1 to write, 2 to verify
 *   w/SHARE/g HASH  the same for a group | bytes its name, of which HASH is the SHA-256
 *   x/SHARE/PERSON  u8 version 1 | varint number of her right to write (crypt/drive/write-right.ts)
 */
import { tieKeys } from "../../base/book-keys.ts";
import { Reader, Writer } from "../../base/bytes.ts";
import { isFault } from "../../base/errors.ts";
import { type Ino, type Name, type PeerId, type PersonId, type ShareId, parseIno, parseName,
  parseOwnerId, parsePeerId, parseShareId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Capability, capabilities } from "../../base/sharing.ts";
import { sha256 } from "../../crypt/ciphers/sha256.ts";
import { idBytes } from "../ties/slots.ts";
import type { TieChange, Tied } from "../ties/tied.ts";
import { type Audience, type GivenWay, isSameAudience } from "./ways.ts";

/** Numbers of the rights of those who may write. */
export type Rights = ReadonlyMap<PersonId, number>;

/** A folder and who may read it, as all devices of the drive know it. */
export interface GivenTie {
  /** Of its entry. */
  readonly key: string;
  readonly share: ShareId;
  readonly ino: Ino;
  /** Where it was when it was given. */
  readonly givenAt: readonly Name[];
  /** The device that takes in what guests write, and ends what has had its time. */
  readonly keeper: PeerId;
  readonly ways: readonly GivenWay[];
  readonly rights: Rights;
}

type Bad = (key: string, why: unknown) => void;
type Folder = Omit<GivenTie, "ways" | "rights">;

const version = 1;
const groupMark = "g";
const leastFirst: readonly Capability[] = ["verify", "read", "write"];
const { timeMsMax } = limits.records;

export function folderTie({ key, share, ino, givenAt, keeper }: Folder): TieChange {
  const writer = new Writer().u8(version).hex(share).varint(ino).varint(givenAt.length);
  for (const name of givenAt) writer.latin1(name);
  return [key, writer.latin1(keeper).finish()];
}

/** What makes the one of the other; who is in both under other terms is changed. */
export function wayTies(
  share: ShareId, before: readonly GivenWay[], after: readonly GivenWay[],
): readonly TieChange[] {
  const gone = before.filter(({ to }) => !after.some((one) => isSameAudience(one.to, to)));
  return [
    ...gone.map(({ to }): TieChange => [wayKey(share, to), undefined]),
    ...after.map((way): TieChange => {
      const was = before.find(({ to }) => isSameAudience(to, way.to));
      const isLess = was !== undefined && givesLess(way, was);
      return [wayKey(share, way.to), encodeWay(way), { isLess }];
    }),
  ];
}

/** It ends sooner, or lets do less. */
function givesLess(one: GivenWay, other: GivenWay): boolean {
  const rank = ({ gives }: GivenWay): number => leastFirst.indexOf(gives);
  return one.expiresAtMs < other.expiresAtMs || rank(one) < rank(other);
}

export function rightTies(share: ShareId, before: Rights, after: Rights): readonly TieChange[] {
  const keyOf = (person: PersonId): string => `${tieKeys.right}${share}/${person}`;
  const gone = [...before.keys()].filter((person) => !after.has(person));
  return [
    ...gone.map((person): TieChange => [keyOf(person), undefined]),
    ...[...after].map(([person, number]): TieChange => {
      return [keyOf(person), new Writer(16).u8(version).varint(number).finish()];
    }),
  ];
}

/** What cannot be read is told and passed over: another device wrote it. */
export function givenIn(tied: Pick<Tied, "list">, bad: Bad): readonly GivenTie[] {
  const ways = byShare(tied.list(tieKeys.way), (rest, value) => {
    return readOr(tieKeys.way + rest, () => wayIn(rest, value), bad);
  });
  const rights = byShare(tied.list(tieKeys.right), (rest, value) => {
    return readOr(tieKeys.right + rest, () => rightIn(rest, value), bad);
  });
  return tied.list(tieKeys.given).flatMap(([rest, value]): readonly GivenTie[] => {
    const key = tieKeys.given + rest;
    const folder = readOr(key, () => folderIn(key, value), bad);
    if (folder === undefined) return [];
    const { share } = folder;
    return [{ ...folder, ways: ways.get(share) ?? [], rights: new Map(rights.get(share) ?? []) }];
  });
}

function wayKey(share: ShareId, to: Audience): string {
  const whom = to.kind === "person" ? to.person : groupMark + hashOf(to.group);
  return `${tieKeys.way}${share}/${whom}`;
}

function hashOf(group: string): string {
  return sha256(Buffer.from(group)).toString("hex");
}

function encodeWay({ to, expiresAtMs, gives }: GivenWay): Buffer {
  const writer = new Writer(64).u8(version).varint(expiresAtMs).u8(capabilities.indexOf(gives));
  if (to.kind === "group") writer.bytes(Buffer.from(to.group));
  return writer.finish();
}

function folderIn(key: string, value: Buffer): Folder {
  const reader = begun(value);
  const share = parseShareId(reader.hex(idBytes));
  const ino = parseIno(reader.varint());
  const count = reader.varint();
  if (count > reader.restBytes) throw reader.corrupt("path");
  const givenAt = Array.from({ length: count }, () => parseName(reader.latin1()));
  const keeper = parsePeerId(reader.latin1());
  reader.end();
  return { key, share, ino, givenAt, keeper };
}

function wayIn(rest: string, value: Buffer): GivenWay {
  const whom = whomIn(rest);
  const reader = begun(value);
  const expiresAtMs = reader.varint();
  const gives = capabilities[reader.u8()];
  const isGroup = whom.startsWith(groupMark);
  const group = isGroup ? reader.bytes().toString() : "";
  reader.end();
  if (gives === undefined || expiresAtMs > timeMsMax) throw reader.corrupt("what it gives");
  if (!isGroup) return { to: { kind: "person", person: parseOwnerId(whom) }, expiresAtMs, gives };
  if (whom !== groupMark + hashOf(group)) throw reader.corrupt("another group");
  return { to: { kind: "group", group }, expiresAtMs, gives };
}

function rightIn(rest: string, value: Buffer): readonly [PersonId, number] {
  const reader = begun(value);
  const number = reader.varint();
  reader.end();
  if (number < 1) throw reader.corrupt("number of a right");
  return [parseOwnerId(whomIn(rest)), number];
}

function begun(value: Buffer): Reader {
  const reader = new Reader(value, "sharing.given-tie");
  if (reader.u8() !== version) throw reader.corrupt("version");
  return reader;
}

function whomIn(rest: string): string {
  return rest.slice(2 * idBytes + 1);
}

function byShare<T>(
  entries: ReturnType<Tied["list"]>, read: (rest: string, value: Buffer) => T | undefined,
): ReadonlyMap<string, readonly T[]> {
  const all = new Map<string, T[]>();
  for (const [rest, value] of entries) {
    const found = read(rest, value);
    if (found === undefined) continue;
    const share = rest.slice(0, 2 * idBytes);
    all.set(share, [...all.get(share) ?? [], found]);
  }
  return all;
}

function readOr<T>(key: string, read: () => T, bad: Bad): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!isFault(error)) throw error;
    bad(key, error);
    return undefined;
  }
}
