/**
 * A right to write one folder: all keys that it is made of, from the 32 bytes that its grant gives.
 * The owner makes them from his own secret, so a grant holds nothing else, and whoever may write
 * may read; nothing else of the drive follows from them. What she writes is a drive of its own to
 * whoever keeps it: these keys sign its records, and seal it.
 *
 *   share/writer     label of the right, from the drive's share secret;
 *                    context: share || person || u64 number of the grant, big-endian
 *   share/reader     label of the writer's key as a reader, from the right
 *   share/back       label of the key by which she tells the owner, from the right
 *   drive/...        labels of all others, from the right (drive.ts)
 *
 * She may write on several devices, each by keys of its own, as two would mark different changes
 * alike. The right itself is the one device's that took it up; what follows from it for another
 * one, and for the list of all, is made in the same way of a secret of its own:
 *
 *   share/device     label of a further device's, from the right; context: its node's key (32)
 *   share/roster     label of the list's (sharing/records/roster.ts), from the right
 */
import { type OwnerId, type PeerId, type PersonId, type ShareId, bytesOfId }
  from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { deriveKey } from "../ciphers/keys.ts";
import { publicKeyOfPeer } from "../ciphers/peer-key.ts";
import { sha256 } from "../ciphers/sha256.ts";
import { type DriveKeys, driveKeysOf } from "./drive.ts";

/** What one device writes by. */
export interface WriteRight {
  readonly keys: DriveKeys;
  readonly readerKey: Buffer;
  readonly backKey: Buffer;
  /** Of the device that changes by it are marked with. */
  readonly number: number;
}

/** A right as it is given, and what follows from it. */
export interface FolderRight extends WriteRight {
  /** Of a further device of the same person. */
  of(peer: PeerId): WriteRight;
  /** Signs and seals the list of such devices. */
  roster(): WriteRight;
}

export interface RightPlace {
  readonly share: ShareId;
  readonly person: PersonId;
  /** Grants of one folder are numbered: what was revoked is no part of a later one. */
  readonly number: number;
}

export function writeSecretOf(
  shareSecret: Uint8Array, { share, person, number }: RightPlace,
): Buffer {
  const which = Buffer.alloc(8);
  which.writeBigUInt64BE(BigInt(number));
  const place = Buffer.concat([bytesOfId(share), bytesOfId(person), which]);
  return deriveKey(shareSecret, "share/writer", place);
}

export function writeRightOf(secret: Uint8Array): FolderRight {
  const own = Buffer.from(secret);
  const roster = once(() => rightFrom(deriveKey(own, "share/roster")));
  const of = (peer: PeerId): WriteRight => {
    return rightFrom(deriveKey(own, "share/device", publicKeyOfPeer(peer)));
  };
  return { ...rightFrom(own), of, roster };
}

function rightFrom(secret: Uint8Array): WriteRight {
  const keys = driveKeysOf(secret);
  return {
    keys,
    readerKey: deriveKey(secret, "share/reader"),
    backKey: deriveKey(secret, "share/back"),
    number: deviceOfRight(keys.owner),
  };
}

/** Each device has a right of its own, so its number follows from that. */
function deviceOfRight(writer: OwnerId): number {
  const digest = sha256(Buffer.concat([Buffer.from("hive guest "), bytesOfId(writer)]));
  return 1 + digest.readUInt32BE(0) % limits.devices.deviceMax;
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => made ??= make();
}
