/**
 * On which devices guests write in folders of this drive. Each guest keeps a list with this drive's
 * holders, signed and sealed by what follows from her right; it is looked for here, and those who
 * are admitted stand in the drive's ties: from then on the folder's record names a key for each of
 * them, and holders take what it signs. She names her devices herself, and with them the number
 * that their changes are marked with; so none is admitted whose number is somebody else's, or it
 * would pass for him.
 *
 *   e/SHARE/PERSON  u8 version 1 | varint number of the right | roster (roster.ts), as admitted
 */
import { tieKeys } from "../../base/book-keys.ts";
import { Reader, Writer } from "../../base/bytes.ts";
import { isFault } from "../../base/errors.ts";
import type { PeerId, ShareId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { describe } from "../../base/log.ts";
import type { RightPlace, WriteRight } from "../../crypt/drive/write-right.ts";
import { type Seen, numbersOfPeer } from "../../dag/marks.ts";
import { Follower, askAnyNewer, dueOf } from "../following/follower.ts";
import type { FollowingNeeds } from "../following/needs.ts";
import type { GivenGuest } from "../given/given.ts";
import { openerOf } from "../records/guest-record.ts";
import { openRoster } from "../records/opened.ts";
import { personIdOf } from "../records/person-keys.ts";
import { type Roster, admit, encodeRoster, noRoster, readRoster } from "../records/roster.ts";
import type { Tied } from "../ties/tied.ts";

type Reading = "books" | "coder" | "read" | "mayReadAhead" | "holdsReads";

export interface GuestDevicesNeeds extends Omit<FollowingNeeds, Reading> {
  readonly tied: Pick<Tied, "get" | "put">;
  /** Whoever keeps this drive's shards. */
  readonly members: () => readonly PeerId[];
  /** Those who may write now. */
  readonly guests: () => readonly GivenGuest[];
  /** By which the drive's changes are marked, or may be once. */
  readonly numbers: () => Promise<ReadonlySet<number>>;
  /** Is told of a folder for which others may write from now on. */
  readonly changed: (share: ShareId) => Promise<void>;
}

/** A guest's list, followed. */
interface Following {
  readonly guest: GivenGuest;
  readonly follower: Follower;
  sequence: number;
  /** What it said last: of two devices of this drive that admit somebody at once one is undone. */
  told: Roster;
}

const { rosterLookMs } = limits.writers;
const version = 1;

export class GuestDevices {
  readonly #needs: GuestDevicesNeeds;
  #following = new Map<string, Following>();

  constructor(needs: GuestDevicesNeeds) {
    this.#needs = needs;
  }

  /** The further devices of one who may write, and those that were; none of another right. */
  of(place: RightPlace): Roster {
    const value = this.#needs.tied.get(tieKey(place));
    if (value === undefined) return noRoster;
    try {
      const { number, roster } = decodeAdmitted(value);
      return number === place.number ? roster : noRoster;
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#needs.log.warn("sharing.guest-tie", { why: describe(error) });
      return noRoster;
    }
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    this.#look();
    const all = [...this.#following.values()];
    if (all.length === 0) return "idle";
    for (const one of await dueOf(all, this.#needs.clock, signal)) {
      await this.#admit(one.guest, one.told);
      await one.follower.look((peer) => this.#ask(one, peer, signal));
    }
    return "busy";
  }

  #look(): void {
    const known = this.#following;
    this.#following = new Map(this.#needs.guests().map((guest) => {
      const key = `${tieKey(guest)}/${guest.number}`;
      return [key, known.get(key) ?? this.#begin(guest)];
    }));
  }

  #begin(guest: GivenGuest): Following {
    const { members } = this.#needs;
    const keepers = { members, first: [], everyMs: rosterLookMs };
    return { guest, follower: new Follower(this.#needs, keepers), sequence: 0, told: noRoster };
  }

  async #ask(following: Following, peer: PeerId, signal: AbortSignal): Promise<void> {
    const { guest, sequence: known } = following;
    const person = personIdOf(this.#needs.person);
    const opener = openerOf(guest.right.roster(), { share: guest.share, person });
    const { network } = this.#needs;
    const answer = await askAnyNewer(network, { grant: opener.grant, known, peer }, signal);
    if (answer === undefined) return;
    const { record, roster } = openRoster(opener, answer, known);
    await this.#admit(guest, roster);
    Object.assign(following, { sequence: record.sequence, told: roster });
  }

  async #admit(guest: GivenGuest, told: Roster): Promise<void> {
    const known = this.of(guest);
    const isNews = encodeRoster(admit(known, told, () => true)).compare(encodeRoster(known)) !== 0;
    if (!isNews) return;
    const others = await this.numbers();
    const mayCome = (peer: PeerId): boolean => !others.has(guest.right.of(peer).number);
    const value = encodeAdmitted(guest.number, admit(known, told, mayCome));
    if (value.equals(encodeAdmitted(guest.number, known))) return;
    await this.#needs.tied.put([[tieKey(guest), value]]);
    await this.#needs.changed(guest.share);
  }

  /** Of everybody who marks changes in this drive, or may. */
  async numbers(): Promise<ReadonlySet<number>> {
    const writers = this.#needs.guests().flatMap((guest): readonly WriteRight[] => {
      return [guest.right, ...[...this.of(guest).keys()].map((peer) => guest.right.of(peer))];
    });
    const numbers = await this.#needs.numbers();
    return new Set([...numbers, ...writers.map(({ number }) => number)]);
  }
}

/** Of whoever has made changes, and of the drive's own devices, which take others as they go on. */
export function numbersOfDrive(seen: Seen, devices: readonly PeerId[]): ReadonlySet<number> {
  return new Set([...seen.keys(), ...devices.flatMap(numbersOfPeer)]);
}

function tieKey({ share, person }: Pick<RightPlace, "share" | "person">): string {
  return `${tieKeys.guestDevices}${share}/${person}`;
}

export function encodeAdmitted(number: number, roster: Roster): Buffer {
  return new Writer(64).u8(version).varint(number).raw(encodeRoster(roster)).finish();
}

export function decodeAdmitted(
  value: Uint8Array,
): { readonly number: number; readonly roster: Roster } {
  const reader = new Reader(value, "sharing.guest-tie");
  if (reader.u8() !== version) throw reader.corrupt("version");
  const number = reader.varint();
  const roster = readRoster(reader);
  reader.end();
  return { number, roster };
}
