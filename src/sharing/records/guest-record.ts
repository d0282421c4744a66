/**
 * A record that a guest signs, be it of what she wrote or of the devices that she writes on: a
 * share as all others, of the folder that she was given, under a key of her own. Its readers are
 * whoever gave her the right and she herself, on her other devices; both open it by the key that
 * follows from the right. Pure but for its randomness.
 */
import type { Clock } from "../../base/clock.ts";
import type { PersonId, ShareId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Random } from "../../base/random.ts";
import type { Share } from "../../base/sharing.ts";
import { keyBytes } from "../../crypt/ciphers/keys.ts";
import type { WriteRight } from "../../crypt/drive/write-right.ts";
import { signShare, wrapKey } from "../../crypt/records/share-records.ts";
import type { Opener } from "./opened.ts";
import { sealPayload } from "./payload.ts";

export interface GuestTold {
  readonly share: ShareId;
  readonly sequence: number;
  readonly payload: Uint8Array;
  readonly readers: readonly PersonId[];
}

type By = Pick<WriteRight, "keys" | "backKey">;

export function signGuestRecord(
  { keys, backKey }: By, { share, sequence, payload, readers }: GuestTold,
  { random, clock }: { readonly random: Random; readonly clock: Clock },
): Share {
  const key = random.bytes(keyBytes);
  return signShare(keys, {
    share, sequence, publishedAtMs: clock.now(),
    sealed: sealPayload(key, payload, { owner: keys.owner, share, sequence }, random),
    readers: [...new Set(readers)].map((person) => ({
      person, expiresAtMs: limits.records.timeMsMax,
      key: wrapKey(backKey, key, sequence, random),
    })),
  });
}

/** What it takes to open such a record as one of its readers. */
export function openerOf(
  { keys, backKey }: By, { share, person }: { readonly share: ShareId; readonly person: PersonId },
): Opener {
  return { grant: { owner: keys.owner, share }, person, readerKey: backKey };
}
