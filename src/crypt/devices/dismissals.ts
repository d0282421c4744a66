/**
 * A person's word that a device acts for her no more, though the certificate that she gave it is
 * not over yet: to be told those who keep what others share with her, who know nothing of her
 * drive. It is one more certificate for that device, over as soon as it was issued: of two for one
 * device the later counts, so it ends all before it, and none that follows.
 *
 *   dismissal  a certificate (records.ts) that expires a millisecond after it was issued
 *   told       as a `write` (share-records.ts): 32-byte owner of what she reads | dismissal
 *
 * Older versions know no other such record than that of a folder, and answer that this is none; an
 * act of its own would end their stream.
 */
import { isFault } from "../../base/errors.ts";
import type { OwnerId, PeerId } from "../../base/ids.ts";
import type { DeviceCertificate } from "../../base/records.ts";
import type { OwnerSigner } from "../records/certificates.ts";
import { parseDeviceCertificate, signDeviceCertificate } from "../records/records.ts";
import { decodeShareWrite, encodeShareWrite } from "../records/share-records.ts";

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
  readonly dismissal: DeviceCertificate;
}

export function encodeDismissal({ owner, dismissal }: ToldDismissal): Buffer {
  return encodeShareWrite({ owner, record: dismissal.bytes });
}

/** Undefined when it is of something else. */
export function dismissalIn(written: Uint8Array): ToldDismissal | undefined {
  const { owner, record } = decodeShareWrite(written);
  const dismissal = certificateIn(record);
  return dismissal !== undefined && isDismissal(dismissal) ? { owner, dismissal } : undefined;
}

function certificateIn(record: Uint8Array): DeviceCertificate | undefined {
  try {
    return parseDeviceCertificate(record);
  } catch (error) {
    if (!isFault(error, "Corrupt")) throw error;
    return undefined;
  }
}
