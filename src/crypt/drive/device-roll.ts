/**
 * The roll of a drive's devices: which were added, which were shut out, and the secret of its epoch
 * for each of those that were added, sealed under that device's own key. Only whoever has the seed
 * signs one. Devices and holders keep the one with the highest sequence, so nobody brings an older
 * one back. Envelope and canonical form: envelope.ts.
 *
 *   roll     owner sequence signed added removed                         signed by the owner
 *   added    32-byte peer | sealRecord(derive(device key, "device/secret"), the epoch's secret;
 *            additional data: 32-byte owner | varint sequence) | name in UTF-8
 *   removed  32-byte peer | u64 time, big-endian
 *   ask      32-byte owner | SHA-256 of the roll that the asker has, or zeros
 */
import { Reader, Writer, asBuffer } from "../../base/bytes.ts";
import type { RolledDevice, DeviceRoll, RemovedDevice } from "../../base/devices.ts";
import { type OwnerId, type PeerId, bytesOfId, parseOwnerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Random } from "../../base/random.ts";
import { openRecord, sealRecord, sealRecordOverheadBytes } from "../ciphers/aead.ts";
import { publicKeyBytes } from "../ciphers/ed25519.ts";
import { deriveKey, keyBytes } from "../ciphers/keys.ts";
import { peerOfPublicKey, publicKeyOfPeer } from "../ciphers/peer-key.ts";
import { digestBytes, sha256 } from "../ciphers/sha256.ts";
import type { Fields } from "../signed/cbor.ts";
import { type RecordShape, parseRecord, signRecord } from "../signed/envelope.ts";
import { ownerIn, timeIn } from "../signed/record-fields.ts";

const { countMax, removedMax } = limits.devices;
const { nameBytesMax, timeMsMax } = limits.records;
const sealedBytes = keyBytes + sealRecordOverheadBytes;
const timeBytes = 8;

/** Told by whoever has the seed; each added device with the key that is its own. */
export interface RollTold {
  readonly sequence: number;
  readonly signedAtMs: number;
  readonly added: readonly { readonly peer: PeerId; readonly name: string }[];
  readonly removed: readonly RemovedDevice[];
}

export interface RollKeys {
  readonly owner: OwnerId;
  sign(message: Uint8Array): Uint8Array;
  /** Of an added device. */
  deviceKeyOf(peer: PeerId): Buffer;
  secretOf(epoch: number): Buffer;
}

export function signRoll(keys: RollKeys, told: RollTold, random: Random): DeviceRoll {
  const { owner } = keys;
  const secret = keys.secretOf(told.removed.length);
  const place = placeOf(owner, told.sequence);
  const added = told.added.map(({ peer, name }): RolledDevice => {
    const key = deriveKey(keys.deviceKeyOf(peer), "device/secret");
    return { peer, name, sealed: sealRecord(key, secret, random, place) };
  });
  return signRecord(shape, { ...told, owner, added }, keys.sign);
}

export function parseRoll(bytes: Uint8Array): DeviceRoll {
  return parseRecord(shape, bytes);
}

/**
 * Two devices with the seed may make one of the same number: who was shut out by either counts for
 * more, and of the rest all choose alike.
 */
export function isPreferred(one: DeviceRoll, other: DeviceRoll): boolean {
  if (one.sequence !== other.sequence) return one.sequence > other.sequence;
  const more = one.removed.length - other.removed.length;
  return more !== 0 ? more > 0 : asBuffer(one.bytes).compare(asBuffer(other.bytes)) > 0;
}

/** The secret of the roll's epoch, for this device; undefined when the roll does not name it. */
export function secretFor(
  { owner, sequence, added }: DeviceRoll, device: { readonly peer: PeerId; readonly key: Buffer },
): Buffer | undefined {
  const entry = added.find(({ peer }) => peer === device.peer);
  if (entry === undefined) return undefined;
  const key = deriveKey(device.key, "device/secret");
  return openRecord(key, entry.sealed, placeOf(owner, sequence));
}

export interface RollAsk {
  readonly owner: OwnerId;
  /** `hashOfRoll` of the one that the asker has: any other one is of interest. */
  readonly known: Uint8Array;
}

export function hashOfRoll(roll: DeviceRoll | undefined): Buffer {
  return roll === undefined ? Buffer.alloc(digestBytes) : sha256(roll.bytes);
}

export function encodeRollAsk({ owner, known }: RollAsk): Buffer {
  return new Writer(64).hex(owner).raw(known).finish();
}

export function decodeRollAsk(bytes: Uint8Array): RollAsk {
  const reader = new Reader(bytes, "roll.ask");
  const owner = parseOwnerId(reader.hex(publicKeyBytes));
  const known = Buffer.from(reader.raw(digestBytes));
  reader.end();
  return { owner, known };
}

const shape: RecordShape<Omit<DeviceRoll, "bytes">> = {
  kind: "roll",
  signer: ({ owner }) => bytesOfId(owner),
  write: (roll) => ({
    owner: bytesOfId(roll.owner),
    sequence: roll.sequence,
    signed: roll.signedAtMs,
    added: roll.added.map(({ peer, sealed, name }) => {
      return Buffer.concat([publicKeyOfPeer(peer), sealed, Buffer.from(name)]);
    }),
    removed: roll.removed.map(({ peer, atMs }) => {
      const time = Buffer.alloc(timeBytes);
      time.writeBigUInt64BE(BigInt(atMs));
      return Buffer.concat([publicKeyOfPeer(peer), time]);
    }),
  }),
  read: (fields) => {
    const added = addedIn(fields);
    const removed = removedIn(fields);
    const peers = [...added, ...removed].map(({ peer }) => peer);
    if (new Set(peers).size !== peers.length) throw fields.corrupt("a device twice");
    return {
      owner: ownerIn(fields),
      sequence: fields.count("sequence", { min: 1, max: Number.MAX_SAFE_INTEGER }),
      signedAtMs: timeIn(fields, "signed"),
      added,
      removed,
    };
  },
};

function addedIn(fields: Fields): readonly RolledDevice[] {
  const bytesMax = publicKeyBytes + sealedBytes + nameBytesMax;
  return fields.strings("added", { countMax, bytesMax }).map((bytes) => {
    const nameAt = publicKeyBytes + sealedBytes;
    const name = bytes.toString("utf8", nameAt);
    const isName = bytes.length > nameAt && !/\p{C}/u.test(name) &&
      Buffer.from(name).equals(bytes.subarray(nameAt));
    if (!isName) throw fields.corrupt("added");
    const peer = peerOfPublicKey(bytes.subarray(0, publicKeyBytes));
    return { peer, name, sealed: bytes.subarray(publicKeyBytes, nameAt) };
  });
}

function removedIn(fields: Fields): readonly RemovedDevice[] {
  const eachBytes = publicKeyBytes + timeBytes;
  return fields.bytesList("removed", { countMax: removedMax, eachBytes }).map((bytes) => {
    const atMs = bytes.readBigUInt64BE(publicKeyBytes);
    if (atMs > BigInt(timeMsMax)) throw fields.corrupt("removed");
    return { peer: peerOfPublicKey(bytes.subarray(0, publicKeyBytes)), atMs: Number(atMs) };
  });
}

function placeOf(owner: OwnerId, sequence: number): Buffer {
  return new Writer(48).hex(owner).varint(sequence).finish();
}
