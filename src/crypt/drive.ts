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
 */
import { type OwnerId, parseOwnerId } from "../base/ids.ts";
import type { DeviceCertificate } from "../base/records.ts";
import { signerOf } from "./ed25519.ts";
import { deriveKey } from "./keys.ts";

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
  };
}
