/**
 * What a device is given that another one adds to the drive: the secrets that it takes to mount it,
 * and a certificate by which its own peer key signs in the drive's name. The seed stays where the
 * 24 words are, so that the device can be shut out again, and lets nobody in itself.
 *
 *   device  u8 version 1 | 32-byte tree secret | 32-byte head key | 32-byte catalogue key
 *           | 32-byte device key | bytes certificate record
 */
import { Reader, Writer } from "../../base/bytes.ts";
import { HiveError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { DeviceCertificate } from "../../base/records.ts";
import { deriveKey, keyBytes } from "../ciphers/keys.ts";
import { type PeerKeys, peerKeysOf } from "../ciphers/peer-key.ts";
import { secretFor } from "../drive/device-roll.ts";
import { type DriveKeys, deviceKeyOf, driveKeysOf } from "../drive/drive.ts";
import { parseDeviceCertificate, signDeviceCertificate } from "../records/records.ts";

const version = 1;

export interface AddedDevice {
  readonly treeSecret: Buffer;
  readonly headKey: Buffer;
  readonly catalogKey: Buffer;
  /** Under which the drive's owner tells this device alone of new secrets. */
  readonly deviceKey: Buffer;
  readonly certificate: DeviceCertificate;
}

/** For one that is told by whoever has the seed. */
export function addedDevice(
  seed: Uint8Array, { peer, name, nowMs }: {
    readonly peer: PeerId; readonly name: string; readonly nowMs: number;
  },
): AddedDevice {
  const keys = driveKeysOf(seed);
  // It is taken back, and does not run out: nobody who could renew it need be near.
  const times = { issuedAtMs: nowMs, expiresAtMs: limits.records.timeMsMax };
  const certificate = signDeviceCertificate(keys, { peer, name, ...times });
  const { treeSecret, headKey, catalogKey } = keys;
  return { treeSecret, headKey, catalogKey, deviceKey: deviceKeyOf(seed, peer), certificate };
}

export function encodeAddedDevice(device: AddedDevice): Buffer {
  const { treeSecret, headKey, catalogKey, deviceKey, certificate } = device;
  const writer = new Writer(512).u8(version);
  for (const key of [treeSecret, headKey, catalogKey, deviceKey]) writer.raw(key);
  return writer.bytes(certificate.bytes).finish();
}

export function parseAddedDevice(bytes: Uint8Array): AddedDevice {
  const reader = new Reader(bytes, "crypt.device");
  if (reader.u8() !== version) throw reader.corrupt("version");
  const next = (): Buffer => Buffer.from(reader.raw(keyBytes));
  const keys = { treeSecret: next(), headKey: next(), catalogKey: next(), deviceKey: next() };
  const certificate = parseDeviceCertificate(reader.bytes());
  reader.end();
  return { ...keys, certificate };
}

/** Corrupt when it is another device's. */
export function keysOfAdded(device: AddedDevice, peer: Pick<PeerKeys, "peer" | "sign">): DriveKeys {
  const { certificate, deviceKey } = device;
  if (certificate.peer !== peer.peer) {
    throw new HiveError("Corrupt", "crypt.device", "another device's");
  }
  const { treeSecret, headKey, catalogKey } = device;
  const given = { treeSecret, headKey, catalogKey };
  // Nothing under these two ever leaves it: what it shares is for those who have the seed to share.
  const localKey = deriveKey(deviceKey, "drive/local");
  const own = { localKey, shareSecret: deriveKey(deviceKey, "drive/share") };
  const self = { peer: peer.peer, key: deviceKey };
  return {
    owner: certificate.owner, sign: peer.sign, certificate, ...given, ...own,
    secretIn: (roll) => secretFor(roll, self),
  };
}

/** What a machine has of a drive: its seed, or what it was given as an added device, or nothing. */
export interface DriveSecrets {
  readonly driveSeed: Uint8Array | undefined;
  readonly device?: Uint8Array | undefined;
  readonly peerSeed: Uint8Array;
}

export function driveKeysIn({ driveSeed, device, peerSeed }: DriveSecrets): DriveKeys | undefined {
  if (driveSeed !== undefined) return driveKeysOf(driveSeed);
  if (device === undefined) return undefined;
  return keysOfAdded(parseAddedDevice(device), peerKeysOf(peerSeed));
}
