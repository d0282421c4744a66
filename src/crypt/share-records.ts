/**
 * The records of sharing: the shared folder as it is now, which holders keep and obey, and the
 * grant, which goes to one person. Envelope and rules are those of all signed records
 * (envelope.ts, records.ts); here are their fields, and the two small messages between a reader
 * and a holder.
 *
 *   share   owner, share (16 bytes), sequence, published, readers, sealed     signed by the owner
 *   reader  person (32) | u64 expires, big-endian | sealRecord(reader's key, record's key)
 *   grant   from, to, owner, share, name, peers, sealed (grants.ts)           signed by `from`
 *   ask     owner (32) | share (16) | varint sequence that the asker has
 *
 * The keys of a share's record:
 *   share/reader   label of a reader's key, from the drive's share secret; context: share || person
 *   share/record   label of what seals the record's key for that reader, from his key
 */
import { Reader, Writer } from "../base/bytes.ts";
import type { Random } from "../base/random.ts";
import { type OwnerId, type PersonId, type ShareId, bytesOfId, parseOwnerId, parseShareId }
  from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Grant, Share, ShareReader } from "../base/sharing.ts";
import { openRecord, sealRecord, sealRecordOverheadBytes } from "./aead.ts";
import type { Fields } from "./cbor.ts";
import { publicKeyBytes } from "./ed25519.ts";
import { type RecordShape, parseRecord, signRecord } from "./envelope.ts";
import { grantBytes } from "./grants.ts";
import { deriveKey, keyBytes } from "./keys.ts";
import { peerOfPublicKey, publicKeyOfPeer } from "./peer-key.ts";
import { ownerIn, timeIn } from "./records.ts";

const shareIdBytes = 16;
const timeBytes = 8;
const wrappedBytes = keyBytes + sealRecordOverheadBytes;
const readerBytes = publicKeyBytes + timeBytes + wrappedBytes;
const { headSealedBytesMax, timeMsMax } = limits.records;
const { readersMax, nameBytesMax, grantPeersMax } = limits.sharing;

interface Signer {
  sign(message: Uint8Array): Uint8Array;
}

type Unsigned<T> = Omit<T, "bytes">;

export function signShare(
  keys: Signer & { readonly owner: OwnerId }, told: Omit<Share, "bytes" | "owner">,
): Share {
  return signRecord(shareShape, { ...told, owner: keys.owner }, keys.sign);
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

const shareShape: RecordShape<Unsigned<Share>> = {
  kind: "share",
  signer: ({ owner }) => bytesOfId(owner),
  write: (record) => ({
    owner: bytesOfId(record.owner),
    share: bytesOfId(record.share),
    sequence: record.sequence,
    published: record.publishedAtMs,
    readers: record.readers.map(writeReader),
    sealed: record.sealed,
  }),
  read: (fields) => ({
    owner: ownerIn(fields),
    share: shareIn(fields),
    sequence: fields.count("sequence", { min: 1, max: Number.MAX_SAFE_INTEGER }),
    publishedAtMs: timeIn(fields, "published"),
    readers: readersIn(fields),
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
    sealed: fields.exactly("sealed", grantBytes),
  }),
};

function writeReader({ person, expiresAtMs, key }: ShareReader): Buffer {
  const expires = Buffer.alloc(timeBytes);
  expires.writeBigUInt64BE(BigInt(expiresAtMs));
  return Buffer.concat([bytesOfId(person), expires, key]);
}

function readersIn(fields: Fields): readonly ShareReader[] {
  const lists = fields.bytesList("readers", { countMax: readersMax, eachBytes: readerBytes });
  const readers = lists.map((bytes): ShareReader => {
    const expires = bytes.readBigUInt64BE(publicKeyBytes);
    if (expires > BigInt(timeMsMax)) throw fields.corrupt("readers");
    return {
      person: parseOwnerId(bytes.toString("hex", 0, publicKeyBytes)),
      expiresAtMs: Number(expires),
      key: bytes.subarray(publicKeyBytes + timeBytes),
    };
  });
  const distinct = new Set(readers.map(({ person }) => person));
  if (distinct.size !== readers.length) throw fields.corrupt("readers");
  return readers;
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
