/**
 * What others wrote in folders of this drive: their records are looked for with those who keep this
 * drive's shards, whether the writers are there or not, checked against the right that each was
 * given, and handed to the tree, whose door lets in what is of the folder. Nobody is followed
 * whose right ended: what she signs from then on is nothing here. She may write on several devices
 * (guest-devices.ts), each of which has records of its own; all of a right are one guest's, and
 * have one turn between them.
 *
 *   e/SHARE/WRITER  the newest record that is part of the drive
 */
import { sharingKeys } from "../../base/book-keys.ts";
import { HiveError } from "../../base/errors.ts";
import type { Cid, PeerId, PersonId, ShareId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { SharedRoots } from "../../base/sharing.ts";
import type { GivenRow } from "../../base/views/sharing.ts";
import type { WriteRight } from "../../crypt/drive/write-right.ts";
import { dueOf } from "../following/follower.ts";
import { GuestHead, fetchFrom } from "../following/guest-head.ts";
import type { FollowingNeeds } from "../following/needs.ts";
import type { GivenGuest } from "../given/given.ts";
import type { OpenedShare } from "../records/opened.ts";
import { personIdOf } from "../records/person-keys.ts";
import type { Roster } from "../records/roster.ts";

export interface GuestHeadsNeeds extends FollowingNeeds {
  readonly roots: Pick<SharedRoots, "written">;
  /** Whoever keeps this drive's shards. */
  readonly members: () => readonly PeerId[];
  /** Those who may write now. */
  readonly guests: () => readonly GivenGuest[];
  /** The further devices that one of them writes on, or wrote on. */
  readonly devicesOf: (guest: GivenGuest) => Roster;
  readonly nameOf: (person: PersonId) => string;
}

/** One device of a guest's. */
interface Following {
  guest: GivenGuest;
  readonly head: GuestHead;
  /** What it signs from now on counts; what it wrote before may have to be read in any case. */
  isOpen: boolean;
}

interface Device {
  readonly right: WriteRight;
  readonly isOpen: boolean;
}

type Wrote = Pick<GivenRow, "wroteAt" | "trouble" | "devices">;

export class GuestHeads {
  readonly #needs: GuestHeadsNeeds;
  #following = new Map<string, Following>();

  constructor(needs: GuestHeadsNeeds) {
    this.#needs = needs;
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    await this.#look();
    const all = [...this.#following.values()].filter(({ isOpen }) => isOpen);
    if (all.length === 0) return "idle";
    const turns = all.map((one) => ({ one, follower: one.head.follower }));
    const due = await dueOf(turns, this.#needs.clock, signal);
    for (const one of oneOfEach(due.map((turn) => turn.one))) {
      const { guest: { ino }, head } = one;
      await head.look({ ino, take: (opened) => this.#take(one, opened) }, signal);
    }
    return "busy";
  }

  /** Somebody may still refer to what this drive does not: one that is silent for long is gone. */
  get areAny(): boolean {
    const since = this.#needs.clock.now() - limits.devices.goneMs;
    const guests = new Set(this.#needs.guests().map(guestKey));
    return [...this.#following.values()].some(({ guest, head: { publishedAtMs = 0 } }) => {
      return guests.has(guestKey(guest)) && publishedAtMs > since;
    });
  }

  wrote(share: ShareId, person: PersonId): Wrote {
    const all = [...this.#following.values()].filter(({ guest }) => {
      return guest.share === share && guest.person === person;
    });
    const open = all.filter(({ isOpen }) => isOpen);
    const newest = Math.max(...all.map(({ head }) => head.publishedAtMs ?? -Infinity));
    const wroteAt = Number.isFinite(newest) ? new Date(newest).toISOString() : null;
    const troubles = open.map(({ head }) => head.follower.trouble);
    const trouble = troubles.find((one) => one !== null) ?? null;
    return { wroteAt, trouble, devices: open.length };
  }

  /** NotFound when none of them names it. */
  async fetch(cid: Cid, options: { readonly signal?: AbortSignal }): Promise<Uint8Array> {
    return await fetchFrom([...this.#following.values()].map(({ head }) => head), cid, options);
  }

  /** Whoever has a right now is followed, on each device that she writes on, and nobody else. */
  async #look(): Promise<void> {
    const known = this.#following;
    const next = new Map<string, Following>();
    for (const guest of this.#needs.guests()) {
      for (const { right, isOpen } of this.#devicesOf(guest)) {
        const key = bookKey(guest, right);
        const following = known.get(key)
          ?? { guest, isOpen, head: await this.#begin(guest, right) };
        next.set(key, Object.assign(following, { guest, isOpen }));
      }
    }
    this.#following = next;
  }

  #devicesOf(guest: GivenGuest): readonly Device[] {
    const further = [...this.#needs.devicesOf(guest)].map(([peer, { isIn }]) => {
      return { right: guest.right.of(peer), isOpen: isIn };
    });
    return [{ right: guest.right, isOpen: true }, ...further];
  }

  async #begin(guest: GivenGuest, right: WriteRight): Promise<GuestHead> {
    const { members: keepers, person } = this.#needs;
    const head = new GuestHead(this.#needs, {
      right, share: guest.share, personId: personIdOf(person), keepers,
      key: bookKey(guest, right),
    });
    await head.restore();
    return head;
  }

  async #take(one: Following, { payload: { root } }: OpenedShare): Promise<boolean> {
    const { guest, head: { right: { number } } } = one;
    // It may have ended while all this was fetched.
    const isStill = this.#needs.guests().some((still) => guestKey(still) === guestKey(guest))
      && this.#devicesOf(guest).some(({ right, isOpen }) => isOpen && right.number === number);
    if (!isStill) throw new HiveError("Denied", "sharing.written", "her right ended");
    const name = this.#needs.nameOf(guest.person);
    const kin = this.#devicesOf(guest).map(({ right }) => right.number);
    const { ino: folder } = guest;
    return await this.#needs.roots.written({ folder, root, number, kin, name });
  }
}

/**
 * The one that waits for the longest: nobody has more turns than others by writing on more devices,
 * and none of these is passed over.
 */
function oneOfEach(due: readonly Following[]): readonly Following[] {
  const first = new Map<string, Following>();
  const waitingSince = ({ head }: Following): number => head.follower.nextAtMs;
  for (const one of due.toSorted((a, b) => waitingSince(a) - waitingSince(b))) {
    const key = guestKey(one.guest);
    if (!first.has(key)) first.set(key, one);
  }
  return [...first.values()];
}

function guestKey({ share, right }: GivenGuest): string {
  return `${share}/${right.keys.owner}`;
}

function bookKey({ share }: GivenGuest, { keys }: WriteRight): string {
  return `${sharingKeys.written}${share}/${keys.owner}`;
}
