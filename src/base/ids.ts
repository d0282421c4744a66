/**
 * Names of things, branded so that one can never be passed for another. Only the parser of a kind
 * makes one; whoever holds one may trust its shape.
 */
import { createHash } from "node:crypto";
import { HiveError } from "./errors.ts";

declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** A block's name: the hex of the SHA-256 that its CIDv1 (raw, sha2-256) carries. */
export type Cid = Branded<string, "Cid">;
/** A shard's name: the hex of the Merkle root over its 4 KiB leaves. */
export type ShardId = Branded<string, "ShardId">;
/** A segment's name: the hex of the SHA-256 of its signed record's body. */
export type SegmentId = Branded<string, "SegmentId">;
/** A placement group's name: 16 random bytes in hex. */
export type GroupId = Branded<string, "GroupId">;
/** A manifest's name: the hex of the SHA-256 of its signed bytes. */
export type BaseId = Branded<string, "BaseId">;
/** Name of an entry of a group's log: the hex of the SHA-256 of its signed record's body. */
export type EntryId = Branded<string, "EntryId">;
/** Whose drive it is: the hex of the drive's Ed25519 public key. */
export type OwnerId = Branded<string, "OwnerId">;
/**
 * A person: the hex of an Ed25519 public key of hers. It certifies devices as a drive's key does,
 * so that for a holder both are keys that a peer may act for.
 */
export type PersonId = OwnerId;
/** A shared folder's name: 16 random bytes in hex. */
export type ShareId = Branded<string, "ShareId">;
/** A node's libp2p peer id, in its usual base58 or CIDv1 text. */
export type PeerId = Branded<string, "PeerId">;
/** An inode number: an integer from 1 (the drive's root) below 2^53, never used twice. */
export type Ino = Branded<number, "Ino">;
/** An open file or directory. */
export type Handle = Branded<number, "Handle">;
/** One path component as the kernel gave it: every character is one byte (latin1 of raw bytes). */
export type Name = Branded<string, "Name">;

export const rootIno = 1 as Ino;
export const nameBytesMax = 255;

const hex64 = /^[0-9a-f]{64}$/;
const hex32 = /^[0-9a-f]{32}$/;
const peerText = /^[1-9A-HJ-NP-Za-km-z]{30,128}$/;

export function parseCid(text: string): Cid {
  return parseHex(text, hex64, "cid") as Cid;
}

export function parseShardId(text: string): ShardId {
  return parseHex(text, hex64, "shard id") as ShardId;
}

export function parseSegmentId(text: string): SegmentId {
  return parseHex(text, hex64, "segment id") as SegmentId;
}

export function parseOwnerId(text: string): OwnerId {
  return parseHex(text, hex64, "owner id") as OwnerId;
}

export function parseGroupId(text: string): GroupId {
  return parseHex(text, hex32, "group id") as GroupId;
}

export function parseShareId(text: string): ShareId {
  return parseHex(text, hex32, "share id") as ShareId;
}

export function parseBaseId(text: string): BaseId {
  return parseHex(text, hex64, "base id") as BaseId;
}

export function parseEntryId(text: string): EntryId {
  return parseHex(text, hex64, "entry id") as EntryId;
}

export function parsePeerId(text: string): PeerId {
  return parseHex(text, peerText, "peer id") as PeerId;
}

export function parseIno(value: number): Ino {
  if (!Number.isSafeInteger(value) || value < 1) throw corrupt("inode number", String(value));
  return value as Ino;
}

export function parseHandle(value: number): Handle {
  if (!Number.isSafeInteger(value) || value < 0) throw corrupt("handle", String(value));
  return value as Handle;
}

/** A name that may stand in a directory: 1 to 255 bytes, no slash, no NUL, not `.` or `..`. */
export function parseName(latin1: string): Name {
  if (latin1.length > nameBytesMax) throw new HiveError("NameTooLong", "ids.name", latin1);
  const bad = latin1 === "" || latin1 === "." || latin1 === ".." || /[/\0]/.test(latin1);
  if (bad) throw new HiveError("Invalid", "ids.name", JSON.stringify(latin1));
  return latin1 as Name;
}

/** The name that a person typed, as the kernel would give it. */
export function nameFromText(text: string): Name {
  return parseName(Buffer.from(text, "utf8").toString("latin1"));
}

/** A name as a person reads it; bytes that are not UTF-8 show as U+FFFD. */
export function nameToText(name: Name): string {
  return Buffer.from(name, "latin1").toString("utf8");
}

/** The CID of these bytes. */
export function cidOf(bytes: Uint8Array): Cid {
  return createHash("sha256").update(bytes).digest("hex") as Cid;
}

/** The 32 raw bytes behind a hex id. */
export function bytesOfId(
  id: Cid | ShardId | SegmentId | OwnerId | GroupId | BaseId | EntryId | ShareId,
): Buffer {
  return Buffer.from(id, "hex");
}

const cidPrefix = Buffer.from([0x01, 0x55, 0x12, 0x20]);

/** The 36 bytes of the CIDv1 (raw codec, sha2-256), as they stand in a CAR file. */
export function cidBytes(cid: Cid): Buffer {
  return Buffer.concat([cidPrefix, Buffer.from(cid, "hex")]);
}

/** The other way: 36 bytes of a CIDv1 that must be raw and sha2-256. */
export function parseCidBytes(bytes: Uint8Array): Cid {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const right = view.length === 36 && view.subarray(0, 4).equals(cidPrefix);
  if (right) return view.toString("hex", 4) as Cid;
  throw corrupt("CID", view.toString("hex", 0, 40));
}

function parseHex(text: string, shape: RegExp, what: string): string {
  if (typeof text === "string" && shape.test(text)) return text;
  throw corrupt(what, String(text).slice(0, 80));
}

function corrupt(what: string, subject: string): HiveError {
  return new HiveError("Corrupt", `ids.${what}`, subject);
}
