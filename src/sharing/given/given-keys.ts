/** What each reader of a folder is given, from the drive's secret for shares: pure. */
import type { PersonId, ShareId } from "../../base/ids.ts";
import { type FolderRight, type RightPlace, writeRightOf, writeSecretOf }
  from "../../crypt/drive/write-right.ts";
import { readerKeyOf, verifiersIdOf } from "../../crypt/records/share-records.ts";

export interface ReaderPlace {
  readonly share: ShareId;
  readonly person: PersonId;
  /** Of the right to write (crypt/drive/write-right.ts); 0 for one who only reads. */
  readonly right: number;
}

/** What a grant gives: of one to write the key to read follows. */
export function secretFor(shareSecret: Uint8Array, { share, person, right }: ReaderPlace): Buffer {
  if (right === 0) return readerKeyOf(shareSecret, share, person);
  return writeSecretOf(shareSecret, { share, person, number: right });
}

export function readerKeyFor(shareSecret: Uint8Array, place: ReaderPlace): Buffer {
  const secret = secretFor(shareSecret, place);
  return place.right > 0 ? writeRightOf(secret).readerKey : secret;
}

export function rightFor(shareSecret: Uint8Array, place: RightPlace): FolderRight {
  return writeRightOf(writeSecretOf(shareSecret, place));
}

/** What one who verifies is given: the key to what tells her where to look, and no more. */
export function grantedToVerifier(
  shareSecret: Uint8Array, { share, person }: Omit<ReaderPlace, "right">,
): { readonly share: ShareId; readonly secret: Buffer } {
  const letter = verifiersIdOf(shareSecret, share);
  return { share: letter, secret: readerKeyOf(shareSecret, letter, person) };
}
