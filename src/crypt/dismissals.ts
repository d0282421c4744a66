/**
 * A person's word that a device acts for her no more, though the certificate that she gave it is
 * not over yet: to be told those who keep what others share with her, who know nothing of her
 * drive. It is one more certificate for that device, over as soon as it was issued: of two for one
 * device the later counts, so it ends all before it, and none that follows.
 *
 *   dismissal  a certificate (records.ts) that expires a millisecond after it was issued
 *   told       32-byte owner | 16-byte share | dismissal: of a folder that she may read
 */
import { Reader, Writer } from "../base/bytes.ts";
import { type OwnerId, type PeerId, type ShareId, parseOwnerId, parseShareId }
  from "../base/ids.ts";
import type { DeviceCertificate } from "../base/records.ts";
import { publicKeyBytes } from "./ed25519.ts";
import type { OwnerSigner } from "./certificates.ts";
import { parseDeviceCertificate, signDeviceCertificate } from "./records.ts";

const shareIdBytes = 16;

export function signDismissal(
  person: OwnerSigner,
  { peer, name, atMs: issuedAtMs }: {
    readonly peer: PeerId; readonly name: string; readonly atMs: number;
  },
): DeviceCertificate {
  return signDeviceCertificate(person, { peer, name, issuedAtMs, expiresAtMs: issuedAtMs + 1 });
}

export function isDismissal({ issuedAtMs, expiresAtMs }: DeviceCertificate): boolean {
  return expiresAtMs === issuedAtMs + 1;
}

export interface ToldDismissal {
  readonly owner: OwnerId;
  readonly share: ShareId;
  readonly dismissal: DeviceCertificate;
}

export function encodeDismissal({ owner, share, dismissal }: ToldDismissal): Buffer {
  return new Writer(512).hex(owner).hex(share).raw(dismissal.bytes).finish();
}

export function decodeDismissal(bytes: Uint8Array): ToldDismissal {
  const reader = new Reader(bytes, "share.dismissal");
  const owner = parseOwnerId(reader.hex(publicKeyBytes));
  const share = parseShareId(reader.hex(shareIdBytes));
  const dismissal = parseDeviceCertificate(reader.raw(reader.restBytes));
  if (!isDismissal(dismissal)) throw reader.corrupt("certificate");
  return { owner, share, dismissal };
}
