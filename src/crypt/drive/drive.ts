/**
 * All keys of one drive, from the 32 bytes that its 24 words stand for. Every one is
 * `deriveKey(seed, label)` (keys.ts); the labels below are part of the format.
 *
 *   drive/sign     seed of the Ed25519 key that signs manifests, segment records, heads, releases
 *   drive/tree     the root secret of the cryptree
 *   drive/head     seals the heads' payload
 *   drive/catalog  seals the catalogue of where blocks lie
 *   drive/local    seals what the cache keeps on this disk
 *   drive/share    the secret of the keys that readers of shared folders are given
 *   drive/device   the key of a device that was added; context: its peer key
 *   drive/epochs   the secrets of later epochs (epochs.ts)
 */
import type { DeviceRoll } from "../../base/devices.ts";
import { type OwnerId, type PeerId, parseOwnerId } from "../../base/ids.ts";
import type { Random } from "../../base/random.ts";
import type { DeviceCertificate } from "../../base/records.ts";
import { signerOf } from "../ciphers/ed25519.ts";
import { deriveKey } from "../ciphers/keys.ts";
import { publicKeyOfPeer } from "../ciphers/peer-key.ts";
import { type RollKeys, type RollTold, signRoll } from "./device-roll.ts";
import { epochSecretOf } from "./epochs.ts";

export interface DriveKeys {
  readonly owner: OwnerId;
  sign(message: Uint8Array): Buffer;
  /** By which a device without the seed may sign in the owner's stead (added-device.ts). */
  readonly certificate?: DeviceCertificate;
  readonly treeSecret: Buffer;
  readonly headKey: Buffer;
  readonly catalogKey: Buffer;
  readonly localKey: Buffer;
  readonly shareSecret: Buffer;
  /** The secret of a roll's epoch; undefined when the roll does not name this device. */
  secretIn(roll: DeviceRoll): Buffer | undefined;
  /** Only where the seed is. */
  readonly signRoll?: (told: RollTold, random: Random) => DeviceRoll;
}

export function driveKeysOf(seed: Uint8Array): DriveKeys {
  const signer = signerOf(deriveKey(seed, "drive/sign"));
  return {
    owner: parseOwnerId(signer.publicKey.toString("hex")),
    sign: signer.sign,
    treeSecret: deriveKey(seed, "drive/tree"),
    headKey: deriveKey(seed, "drive/head"),
    catalogKey: deriveKey(seed, "drive/catalog"),
    localKey: deriveKey(seed, "drive/local"),
    shareSecret: deriveKey(seed, "drive/share"),
    secretIn: ({ removed }) => epochSecretOf(seed, removed.length),
    signRoll: (told, random) => signRoll(rollKeysOf(seed), told, random),
  };
}

function rollKeysOf(seed: Uint8Array): RollKeys {
  const { owner, sign } = driveKeysOf(seed);
  const secretOf = (epoch: number): Buffer => epochSecretOf(seed, epoch);
  return { owner, sign, secretOf, deviceKeyOf: (peer) => deviceKeyOf(seed, peer) };
}

/** What a device that was added is told of new secrets under. */
export function deviceKeyOf(seed: Uint8Array, peer: PeerId): Buffer {
  return deriveKey(seed, "drive/device", publicKeyOfPeer(peer));
}
