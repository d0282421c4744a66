/**
 * What a reader believes of a share's record: pure. The owner's signature was checked when it was
 * parsed; here it must be of the right share, newer than what is known, and open with this reader's
 * key. Whatever a holder sends that is not so is Corrupt or Stale, and changes nothing.
 */
import { HiveError } from "../base/errors.ts";
import type { PersonId } from "../base/ids.ts";
import type { Grant, Share } from "../base/sharing.ts";
import { type PersonKeys, openGrant } from "../crypt/grants.ts";
import { parseShare, unwrapKey } from "../crypt/share-records.ts";
import { type WriteRight, writeRightOf } from "../crypt/write-right.ts";
import { parseRoot } from "../dag/root.ts";
import { type SharePayload, decodeSharePayload, openPayload } from "./payload.ts";
import { personIdOf } from "./person-keys.ts";

/** A grant that is for us, and what it gave us. */
export interface Held {
  readonly grant: Grant;
  readonly person: PersonId;
  readonly readerKey: Uint8Array;
  /** Where it is one to write, too. */
  readonly right?: WriteRight;
}

export interface OpenedShare {
  readonly record: Share;
  readonly payload: SharePayload;
}

/** Denied when it was made for somebody else; Corrupt when it only says that it is for us. */
export function takeGrant(keys: PersonKeys, grant: Grant): Held {
  const person = personIdOf(keys);
  if (grant.to !== person) throw new HiveError("Denied", "sharing.grant", "for somebody else");
  const secret = openGrant(keys, grant.sealed);
  if (!grant.writes) return { grant, person, readerKey: secret };
  const right = writeRightOf(secret);
  return { grant, person, readerKey: right.readerKey, right };
}

/** What it takes to open a share: as a reader of a folder, or as owner of what a guest wrote. */
export interface Opener extends Pick<Held, "person" | "readerKey"> {
  readonly grant: Pick<Grant, "owner" | "share">;
}

export function openShare(held: Opener, bytes: Uint8Array, newestKnown: number): OpenedShare {
  const record = parseShare(bytes);
  const { owner, share } = held.grant;
  if (record.owner !== owner || record.share !== share) {
    throw new HiveError("Corrupt", "sharing.open", "another share");
  }
  const { sequence, sealed } = record;
  if (sequence <= newestKnown) throw new HiveError("Stale", "sharing.open", `${sequence}`);
  const reader = record.readers.find(({ person }) => person === held.person);
  if (reader === undefined) throw new HiveError("Denied", "sharing.open", share);
  const key = unwrapKey(held.readerKey, reader.key, sequence);
  const payload = decodeSharePayload(openPayload(key, sealed, { owner, share, sequence }));
  // What is no root must not get to the tree.
  parseRoot(payload.root);
  return { record, payload };
}
