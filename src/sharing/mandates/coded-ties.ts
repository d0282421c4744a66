/**
 * What devices with the drive's words leave in its ties for coded ones: those that were let in by a
 * code, have not the words, and so none of their person's keys. It is two things, and with both of
 * them such a device reads what its person was given, and does nothing else as her:
 *
 * - A mandate: her certificate for the device's own key, for half a day. Holders take it as they
 *   take that of any device of hers, and so do those of older versions, since it is nothing new.
 * - For each folder a reading: the key that its records open with for her. Never a right to write;
 *   nor the key of an inbox, which holds such rights; nor what opens things sealed to her.
 *
 * Both are signed by her: any device may write ties, and none but those with the words makes these.
 *
 * Ties are sealed as all of the drive, under secrets of its epoch: a device that was removed finds
 * no later mandate there, and no key of a folder that was given later. Holders may know nothing of
 * this drive: they are told (dismissals.ts), or refuse it as soon as its last mandate is over. What
 * stays: a folder's key is the same until its owner shares it anew, so with the help of a holder
 * that breaks the rules such a device opens later states of what it could read. That is his to end,
 * by `hive revoke`.
 *
 *   d/PEER         a certificate (crypt/records/records.ts) for this peer, signed by the person;
 *                  or her dismissal of it (crypt/devices/dismissals.ts)
 *   k/OWNER/SHARE  a reading (crypt/records/readings.ts) of that folder, signed by her
 */
import { tieKeys } from "../../base/book-keys.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import type { OwnerId, PeerId, PersonId, ShareId } from "../../base/ids.ts";
import type { DeviceCertificate } from "../../base/records.ts";
import { type Reading, parseReading } from "../../crypt/records/readings.ts";
import { parseDeviceCertificate } from "../../crypt/records/records.ts";
import type { Tied } from "../ties/tied.ts";

export function mandateKey(peer: PeerId): string {
  return tieKeys.mandate + peer;
}

export function readingKey(
  { owner, share }: { readonly owner: OwnerId; readonly share: ShareId },
): string {
  return `${tieKeys.reading}${owner}/${share}`;
}

type Listed = Pick<Tied, "list">;
/** Is told of what is not as it should be; it is passed over. */
type Bad = (key: string, why: unknown) => void;

/** By whomever signed: a coded device knows its person by its mandate. */
export function mandatesIn(tied: Listed, bad: Bad): ReadonlyMap<string, DeviceCertificate> {
  return readAll(tied, tieKeys.mandate, bad, (key, value) => {
    const mandate = parseDeviceCertificate(value);
    if (mandateKey(mandate.peer) === key) return mandate;
    throw new HiveError("Denied", "sharing.mandate", "another device's");
  });
}

export function readingsIn(
  tied: Listed, person: PersonId, bad: Bad,
): ReadonlyMap<string, Reading> {
  return readAll(tied, tieKeys.reading, bad, (key, value) => {
    const reading = parseReading(value);
    if (reading.person === person && readingKey(reading) === key) return reading;
    throw new HiveError("Denied", "sharing.reading", "somebody else's, or another folder's");
  });
}

function readAll<T>(
  tied: Listed, prefix: string, bad: Bad, read: (key: string, value: Buffer) => T,
): ReadonlyMap<string, T> {
  const found = new Map<string, T>();
  for (const [rest, value] of tied.list(prefix)) {
    const key = prefix + rest;
    try {
      found.set(key, read(key, value));
    } catch (error) {
      if (!isFault(error)) throw error;
      bad(key, error);
    }
  }
  return found;
}
