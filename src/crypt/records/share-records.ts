/**
 * The records of sharing: the shared folder as it is now, which holders keep and obey, and the
 * grant, which goes to one person. Envelope and rules are those of all signed records
 * (envelope.ts, records.ts); here are their fields, and the two small messages between a reader
 * and a holder.
 *
 *   share   owner, share (16 bytes), sequence, published, readers, sealed     signed by the owner
 *           writers, where there are any (write-right.ts)
 *   reader  person (32) | u64 expires, big-endian | sealRecord(reader's key, record's key)
 *   writer  key (32) | u64 expires, big-endian
 *   grant   from, to, owner, share, name, peers, sealed (grants.ts)           signed by `from`
 *           right: 1, where it is one to write; 2, to an inbox; 3, to verify
 *   ask     owner (32) | share (16) | varint sequence that the asker has
 *   write   owner of the folder (32) | share record of a writer's, to the end
 *
 * The keys of a share's record:
 *   share/reader   label of a reader's key, from the drive's share secret; context: share || person
 *   share/record   label of what seals the record's key for that reader, from his key
 *   share/inbox    label of the id of somebody's inbox, from the drive's share secret; context:
 *                  person
 *   share/watch    the same of the record that tells who may verify a folder; context: share
 *   share/own      label of a record's key, from the drive's share secret; context: share, varint
 *                  sequence, the people that it names
 *   share/device   label of what stands for a device of the drive; context: its peer id
 */
import { Reader, Writer } from "../../base/bytes.ts";
import { type OwnerId, type PersonId, type ShareId, bytesOfId, parseOwnerId, parseShareId }
  from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Random } from "../../base/random.ts";
import { type Grant, type GrantKind, type Share, type ShareReader, type ShareWriter, grantKinds }
  from "../../base/sharing.ts";
import { openRecord, sealRecord, sealRecordOverheadBytes } from "../ciphers/aead.ts";
import { publicKeyBytes } from "../ciphers/ed25519.ts";
import { deriveKey, keyBytes } from "../ciphers/keys.ts";
import { peerOfPublicKey, publicKeyOfPeer } from "../ciphers/peer-key.ts";
import type { Fields } from "../signed/cbor.ts";
import { type RecordShape, parseRecord, signRecord } from "../signed/envelope.ts";
import { ownerIn, timeIn } from "../signed/record-fields.ts";
import { grantBytes } from "./grants.ts";

const shareIdBytes = 16;
export const deviceTagBytes = 8;
const timeBytes = 8;
const wrappedBytes = keyBytes + sealRecordOverheadBytes;
const readerBytes = publicKeyBytes + timeBytes + wrappedBytes;
const writerBytes = publicKeyBytes + timeBytes;
const { headSealedBytesMax, timeMsMax } = limits.records;
const { readersMax, nameBytesMax, grantPeersMax } = limits.sharing;

interface Signer {
  sign(message: Uint8Array): Uint8Array;
}

type Unsigned<T> = Omit<T, "bytes">;

export function signShare(
  keys: Signer & { readonly owner: OwnerId },
  told: Omit<Share, "bytes" | "owner" | "writers"> & Partial<Pick<Share, "writers">>,
): Share {
  return signRecord(shareShape, { writers: [], ...told, owner: keys.owner }, keys.sign);
}

export function parseShare(bytes: Uint8Array): Share {
  return parseRecord(shareShape, bytes);
}

export function signGrant(keys: Signer, told: Unsigned<Grant>): Grant {
  return signRecord(grantShape, told, keys.sign);
}

export function parseGrant(bytes: Uint8Array): Grant {
  return parseRecord(grantShape, bytes);
}

/** What the grant of this share gives this person; `secret` is the drive's, for shares. */
export function readerKeyOf(secret: Uint8Array, share: ShareId, person: PersonId): Buffer {
  return deriveKey(secret, "share/reader", Buffer.concat([bytesOfId(share), bytesOfId(person)]));
}

/** Of the record that tells who may verify a folder. */
export function verifiersIdOf(secret: Uint8Array, share: ShareId): ShareId {
  const key = deriveKey(secret, "share/watch", bytesOfId(share));
  return parseShareId(key.toString("hex", 0, shareIdBytes));
}

/** Of a person's inbox: nothing of it has to be kept to find it again. */
export function inboxIdOf(secret: Uint8Array, person: PersonId): ShareId {
  const key = deriveKey(secret, "share/inbox", bytesOfId(person));
  return parseShareId(key.toString("hex", 0, shareIdBytes));
}

/**
 * The key of a record: each of the drive's devices can open what another one made, whomever it
 * names. Another set of readers has another key, even under the same number.
 */
export function recordKeyOf(
  secret: Uint8Array,
  { share, sequence, readers }: Pick<Share, "share" | "sequence"> & {
    readonly readers: readonly Pick<ShareReader, "person">[];
  },
): Buffer {
  const people = readers.map(({ person }) => bytesOfId(person));
  return deriveKey(secret, "share/own", Buffer.concat([
    bytesOfId(share), new Writer(8).varint(sequence).finish(), ...people,
  ]));
}

/** What stands for a device of the drive where readers see it: they know no more than that. */
export function deviceTagOf(secret: Uint8Array, device: string): string {
  return deriveKey(secret, "share/device", Buffer.from(device)).toString("hex", 0, deviceTagBytes);
}

/** The record's key for one reader; the place in time keeps it from passing for another one's. */
export function wrapKey(
  readerKey: Uint8Array, key: Uint8Array, sequence: number, random: Random,
): Buffer {
  return sealRecord(deriveKey(readerKey, "share/record"), key, random, placeOf(sequence));
}

/** Corrupt when it was not made for this reader. */
export function unwrapKey(readerKey: Uint8Array, wrapped: Uint8Array, sequence: number): Buffer {
  return openRecord(deriveKey(readerKey, "share/record"), wrapped, placeOf(sequence));
}

export interface ShareAsk {
  readonly owner: OwnerId;
  readonly share: ShareId;
  /** The newest that the asker has; 0 for none. */
  readonly sequence: number;
}

export function encodeShareAsk({ owner, share, sequence }: ShareAsk): Buffer {
  return new Writer(64).hex(owner).hex(share).varint(sequence).finish();
}

export function decodeShareAsk(bytes: Uint8Array): ShareAsk {
  const reader = new Reader(bytes, "share.ask");
  const owner = parseOwnerId(reader.hex(publicKeyBytes));
  const share = parseShareId(reader.hex(shareIdBytes));
  const sequence = reader.varint();
  reader.end();
  return { owner, share, sequence };
}

/** A guest's record, for those who keep the owner's of the same folder. */
export interface ShareWrite {
  readonly owner: OwnerId;
  readonly record: Uint8Array;
}

export function encodeShareWrite({ owner, record }: ShareWrite): Buffer {
  return new Writer(record.length + publicKeyBytes).hex(owner).raw(record).finish();
}

export function decodeShareWrite(bytes: Uint8Array): ShareWrite {
  const reader = new Reader(bytes, "share.write");
  const owner = parseOwnerId(reader.hex(publicKeyBytes));
  return { owner, record: reader.raw(reader.restBytes) };
}

const shareShape: RecordShape<Unsigned<Share>> = {
  kind: "share",
  signer: ({ owner }) => bytesOfId(owner),
  write: (record) => ({
    owner: bytesOfId(record.owner),
    share: bytesOfId(record.share),
    sequence: record.sequence,
    published: record.publishedAtMs,
    readers: record.readers.map(writeReader),
    ...(record.writers.length === 0 ? {} : { writers: record.writers.map(writeWriter) }),
    sealed: record.sealed,
  }),
  read: (fields) => ({
    owner: ownerIn(fields),
    share: shareIn(fields),
    sequence: fields.count("sequence", { min: 1, max: Number.MAX_SAFE_INTEGER }),
    publishedAtMs: timeIn(fields, "published"),
    readers: readersIn(fields),
    writers: fields.has("writers") ? writersIn(fields) : [],
    sealed: fields.bytes("sealed", { min: 1, max: headSealedBytesMax }),
  }),
};

const grantShape: RecordShape<Unsigned<Grant>> = {
  kind: "grant",
  signer: ({ from }) => bytesOfId(from),
  write: (grant) => ({
    from: bytesOfId(grant.from),
    to: bytesOfId(grant.to),
    owner: bytesOfId(grant.owner),
    share: bytesOfId(grant.share),
    name: grant.name,
    peers: grant.peers.map(publicKeyOfPeer),
    // A plain one is what it was before there were others.
    ...(grant.gives === "read" ? {} : { right: grantKinds.indexOf(grant.gives) }),
    sealed: grant.sealed,
  }),
  read: (fields) => ({
    from: personIn(fields, "from"),
    to: personIn(fields, "to"),
    owner: ownerIn(fields),
    share: shareIn(fields),
    name: fields.text("name", nameBytesMax),
    peers: fields
      .bytesList("peers", { countMax: grantPeersMax, eachBytes: publicKeyBytes })
      .map(peerOfPublicKey),
    gives: fields.has("right") ? kindIn(fields) : "read",
    sealed: fields.exactly("sealed", grantBytes),
  }),
};

function writeReader({ person, expiresAtMs, key }: ShareReader): Buffer {
  return Buffer.concat([bytesOfId(person), timeBytesOf(expiresAtMs), key]);
}

function writeWriter({ writer, expiresAtMs }: ShareWriter): Buffer {
  return Buffer.concat([bytesOfId(writer), timeBytesOf(expiresAtMs)]);
}

function timeBytesOf(ms: number): Buffer {
  const bytes = Buffer.alloc(timeBytes);
  bytes.writeBigUInt64BE(BigInt(ms));
  return bytes;
}

function readersIn(fields: Fields): readonly ShareReader[] {
  const lists = fields.bytesList("readers", { countMax: readersMax, eachBytes: readerBytes });
  const readers = lists.map((bytes): ShareReader => ({
    person: parseOwnerId(bytes.toString("hex", 0, publicKeyBytes)),
    expiresAtMs: expiryIn(bytes, fields),
    key: bytes.subarray(publicKeyBytes + timeBytes),
  }));
  const distinct = new Set(readers.map(({ person }) => person));
  if (distinct.size !== readers.length) throw fields.corrupt("readers");
  return readers;
}

function writersIn(fields: Fields): readonly ShareWriter[] {
  const lists = fields.bytesList("writers", { countMax: readersMax, eachBytes: writerBytes });
  const writers = lists.map((bytes): ShareWriter => ({
    writer: parseOwnerId(bytes.toString("hex", 0, publicKeyBytes)),
    expiresAtMs: expiryIn(bytes, fields),
  }));
  const distinct = new Set(writers.map(({ writer }) => writer));
  if (distinct.size !== writers.length) throw fields.corrupt("writers");
  return writers;
}

function expiryIn(bytes: Buffer, fields: Fields): number {
  const expires = bytes.readBigUInt64BE(publicKeyBytes);
  if (expires > BigInt(timeMsMax)) throw fields.corrupt("expires");
  return Number(expires);
}

function kindIn(fields: Fields): GrantKind {
  return grantKinds[fields.count("right", { min: 1, max: grantKinds.length - 1 })] as GrantKind;
}

function shareIn(fields: Fields): ShareId {
  return parseShareId(fields.exactly("share", shareIdBytes).toString("hex"));
}

function personIn(fields: Fields, name: string): PersonId {
  return parseOwnerId(fields.exactly(name, publicKeyBytes).toString("hex"));
}

function placeOf(sequence: number): Buffer {
  return new Writer(8).varint(sequence).finish();
}
