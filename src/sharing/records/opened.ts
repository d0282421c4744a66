/**
 * What a reader believes of a share's record: pure. The owner's signature was checked when it was
 * parsed; here it must be of the right share, newer than what is known, and open with this reader's
 * key. Whatever a holder sends that is not so is Corrupt or Stale, and changes nothing.
 */
import { HiveError } from "../../base/errors.ts";
import type { GroupId, PersonId } from "../../base/ids.ts";
import type { Grant, Share } from "../../base/sharing.ts";
import { type FolderRight, writeRightOf } from "../../crypt/drive/write-right.ts";
import { type PersonKeys, openGrant } from "../../crypt/records/grants.ts";
import { parseShare, unwrapKey } from "../../crypt/records/share-records.ts";
import { parseRoot } from "../../dag/root.ts";
import { type InboxEntry, decodeInbox } from "./inbox-payload.ts";
import { type SharePayload, decodeSharePayload, openPayload } from "./payload.ts";
import { personIdOf } from "./person-keys.ts";
import { type Roster, decodeRoster } from "./roster.ts";
import { decodeTold } from "./told.ts";
import { decodeForVerifiers } from "./verifiers-payload.ts";

/** Whose folder it is, who gave it, and where to look for it first. */
export type Source = Pick<Grant, "owner" | "share" | "from" | "peers">;

/** What we were given, by a grant of its own or through an inbox. */
export interface Held {
  readonly grant: Source;
  readonly person: PersonId;
  readonly readerKey: Uint8Array;
  /** Where it is one to write, too. */
  readonly right?: FolderRight;
  /** The right itself is another device's: this one writes by what follows from it, if at all. */
  readonly isFurther?: boolean;
}

export interface OpenedShare {
  readonly record: Share;
  readonly payload: SharePayload;
}

export interface OpenedInbox {
  readonly record: Share;
  readonly entries: readonly InboxEntry[];
}

export interface OpenedLetter {
  readonly record: Share;
  readonly groups: ReadonlySet<GroupId>;
}

export interface OpenedRoster {
  readonly record: Share;
  readonly roster: Roster;
}

/** Denied when it was made for somebody else; Corrupt when it only says that it is for us. */
export function takeGrant(keys: PersonKeys, grant: Grant): Held {
  const person = personIdOf(keys);
  if (grant.to !== person) throw new HiveError("Denied", "sharing.grant", "for somebody else");
  const secret = openGrant(keys, grant.sealed);
  return heldBy(grant, { person, secret, writes: grant.gives === "write" });
}

/** A folder that came into this person's inbox. */
export function takeEntry(inbox: Held, { share, secret, writes }: InboxEntry): Held {
  return heldBy({ ...inbox.grant, share }, { person: inbox.person, secret, writes });
}

interface Secret {
  readonly person: PersonId;
  readonly secret: Uint8Array;
  readonly writes: boolean;
}

function heldBy(grant: Source, { person, secret, writes }: Secret): Held {
  if (!writes) return { grant, person, readerKey: secret };
  const right = writeRightOf(secret);
  return { grant, person, readerKey: right.readerKey, right };
}

/** What it takes to open a share: as a reader of a folder, or as owner of what a guest wrote. */
export interface Opener extends Pick<Held, "person" | "readerKey"> {
  readonly grant: Pick<Grant, "owner" | "share">;
}

export function openShare(held: Opener, bytes: Uint8Array, newestKnown: number): OpenedShare {
  const { record, opened } = openRecordOf(held, bytes, newestKnown);
  const payload = decodeSharePayload(opened);
  // What is no root must not get to the tree.
  parseRoot(payload.root);
  return { record, payload };
}

export function openInbox(held: Opener, bytes: Uint8Array, newestKnown: number): OpenedInbox {
  const { record, opened } = openRecordOf(held, bytes, newestKnown);
  return { record, entries: decodeInbox(opened) };
}

/** The groups that keep what one may verify. */
export function openForVerifier(
  held: Opener, bytes: Uint8Array, newestKnown: number,
): OpenedLetter {
  const { record, opened } = openRecordOf(held, bytes, newestKnown);
  return { record, groups: decodeForVerifiers(opened) };
}

/** On which devices somebody writes by a right. */
export function openRoster(opener: Opener, bytes: Uint8Array, newestKnown: number): OpenedRoster {
  const { record, opened } = openRecordOf(opener, bytes, newestKnown);
  return { record, roster: decodeRoster(opened) };
}

function openRecordOf(
  { grant: { owner, share }, person, readerKey }: Opener, bytes: Uint8Array, newestKnown: number,
): { readonly record: Share; readonly opened: Buffer } {
  const record = parseShare(bytes);
  if (record.owner !== owner || record.share !== share) {
    throw new HiveError("Corrupt", "sharing.open", "another share");
  }
  const { sequence, sealed } = record;
  if (sequence <= newestKnown) throw new HiveError("Stale", "sharing.open", `${sequence}`);
  const reader = record.readers.find((one) => one.person === person);
  if (reader === undefined) throw new HiveError("Denied", "sharing.open", share);
  const key = unwrapKey(readerKey, reader.key, sequence);
  const { payload } = decodeTold(openPayload(key, sealed, { owner, share, sequence }));
  return { record, opened: payload };
}
