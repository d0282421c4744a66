/**
 * By what a person reads one folder of somebody else's, written down for devices of hers that have
 * none of her keys (sharing/mandates/coded-ties.ts). It holds a key, so it is for those devices
 * alone; her signature says that one that has her keys wrote it, as any device may write where it
 * stands.
 * Envelope and canonical form: envelope.ts.
 *
 *   reading  person, owner, share (16 bytes), from, name, peers, key (32 bytes)   signed by the
 *            person; group: 1, where it came through one; inbox: the number of the record of her
 *            inbox by which it is so, where she has one of this owner's
 */
import { type OwnerId, type PeerId, type PersonId, type ShareId, bytesOfId, parseOwnerId,
  parseShareId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { publicKeyBytes } from "../ciphers/ed25519.ts";
import { keyBytes } from "../ciphers/keys.ts";
import { peerOfPublicKey, publicKeyOfPeer } from "../ciphers/peer-key.ts";
import type { Fields } from "../signed/cbor.ts";
import { type RecordShape, parseRecord, signRecord } from "../signed/envelope.ts";

const { grantPeersMax, nameBytesMax } = limits.sharing;
const shareIdBytes = 16;
const numberMax = Number.MAX_SAFE_INTEGER;

export interface Reading {
  readonly person: PersonId;
  readonly owner: OwnerId;
  readonly share: ShareId;
  /** Who gave it. */
  readonly from: PersonId;
  readonly name: string;
  /** Some of those who keep it. */
  readonly peers: readonly PeerId[];
  readonly isThroughGroup: boolean;
  /** 0 where there is none. */
  readonly inboxNumber: number;
  /** The reader's: with it the folder's records open. */
  readonly key: Uint8Array;
  readonly bytes: Uint8Array;
}

type Unsigned = Omit<Reading, "bytes">;

export function signReading(
  { sign }: { sign(message: Uint8Array): Uint8Array }, told: Unsigned,
): Reading {
  return signRecord(shape, told, sign);
}

export function parseReading(bytes: Uint8Array): Reading {
  return parseRecord(shape, bytes);
}

const shape: RecordShape<Unsigned> = {
  kind: "reading",
  signer: ({ person }) => bytesOfId(person),
  write: (reading) => ({
    person: bytesOfId(reading.person),
    owner: bytesOfId(reading.owner),
    share: bytesOfId(reading.share),
    from: bytesOfId(reading.from),
    name: reading.name,
    peers: reading.peers.map(publicKeyOfPeer),
    key: reading.key,
    ...(reading.isThroughGroup ? { group: 1 } : {}),
    ...(reading.inboxNumber === 0 ? {} : { inbox: reading.inboxNumber }),
  }),
  read: (fields) => ({
    person: idIn(fields, "person"),
    owner: idIn(fields, "owner"),
    share: parseShareId(fields.exactly("share", shareIdBytes).toString("hex")),
    from: idIn(fields, "from"),
    name: fields.text("name", nameBytesMax),
    peers: fields
      .bytesList("peers", { countMax: grantPeersMax, eachBytes: publicKeyBytes })
      .map(peerOfPublicKey),
    key: fields.exactly("key", keyBytes),
    isThroughGroup: fields.has("group") && fields.count("group", { min: 1, max: 1 }) === 1,
    inboxNumber: fields.has("inbox") ? fields.count("inbox", { min: 1, max: numberMax }) : 0,
  }),
};

function idIn(fields: Fields, name: string): OwnerId {
  return parseOwnerId(fields.exactly(name, publicKeyBytes).toString("hex"));
}
