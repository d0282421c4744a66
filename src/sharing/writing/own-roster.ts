/**
 * The devices on which this machine's person writes in a folder of somebody else's, as this one
 * knows of them: it says that it came, hears who else did, and says of those that its drive let go
 * of that they went. The list stands with the owner's holders under a key that all these devices
 * have; whichever finds there less than it knows writes it anew. Keys of the KeyValue:
 *
 *   o/WRITER/roster  all that was heard (roster.ts)
 */
import type { KeyValue } from "../../base/blocks.ts";
import { guestKeys } from "../../base/book-keys.ts";
import { HiveError } from "../../base/errors.ts";
import type { PeerId, PersonId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { PeerNetwork } from "../../base/network.ts";
import type { ShareNetwork } from "../../base/sharing.ts";
import type { FolderRight } from "../../crypt/drive/write-right.ts";
import { encodeShareWrite } from "../../crypt/records/share-records.ts";
import { Follower, type FollowerNeeds, askAnyNewer } from "../following/follower.ts";
import { openerOf, signGuestRecord } from "../records/guest-record.ts";
import { type Source, openRoster } from "../records/opened.ts";
import { type Roster, type RosterWord, decodeRoster, devicesIn, encodeRoster, furtherMax,
  joinRosters, noRoster } from "../records/roster.ts";
import { Telling } from "../telling/telling.ts";
import { Numbering, writtenPrefix } from "./numbering.ts";

export interface OwnRosterNeeds extends FollowerNeeds {
  readonly books: KeyValue;
  readonly network: PeerNetwork & ShareNetwork;
  readonly right: FolderRight;
  readonly grant: Source;
  /** Whose devices these are. */
  readonly personId: PersonId;
  readonly self: PeerId;
  /** Whoever keeps the owner's shards. */
  readonly owners: () => readonly PeerId[];
  /** This drive let go of that device, or shut it out. */
  readonly isGone: (device: PeerId) => boolean;
}

const { rosterLookMs, devicesMax } = limits.writers;

export class OwnRoster {
  readonly #needs: OwnRosterNeeds;
  readonly #numbering: Numbering;
  readonly #follower: Follower;
  readonly #telling: Telling;
  #isOpen = false;
  #roster: Roster = noRoster;
  /** The newest record that was seen in this life. */
  #seen = 0;
  /** Holders may know less than this device. */
  #isNews = false;

  constructor(needs: OwnRosterNeeds) {
    this.#needs = needs;
    this.#numbering = new Numbering({ ...needs, right: needs.right.roster() });
    this.#telling = new Telling(needs);
    this.#follower = new Follower(needs, {
      members: needs.owners, first: needs.grant.peers, everyMs: rosterLookMs,
    });
  }

  async open(): Promise<void> {
    if (this.#isOpen) return;
    const value = await this.#needs.books.get(this.#key);
    if (value !== undefined) this.#roster = decodeRoster(value);
    this.#isOpen = true;
  }

  /** What was said of this device last. */
  get standing(): "in" | "out" | "new" {
    const word = this.#roster.get(this.#needs.self);
    return word === undefined ? "new" : word.isIn ? "in" : "out";
  }

  /** The others that write, and those that did. */
  get others(): Roster {
    return new Map([...this.#roster].filter(([peer]) => peer !== this.#needs.self));
  }

  /** There is something to be said by its key. */
  get speaks(): boolean {
    return this.#isNews || this.#needs.owners().some((peer) => this.#telling.isMissedBy(peer));
  }

  /**
   * From now on this device is one of them. Unavailable while none of the holders can tell who
   * else is, Quota while they are as many as may be.
   */
  async enter(signal?: AbortSignal): Promise<void> {
    await this.#look(signal ?? new AbortController().signal);
    const { trouble } = this.#follower;
    if (trouble !== null) throw new HiveError("Unavailable", "sharing.roster", trouble);
    if (this.standing === "in") return;
    if (devicesIn(this.others).length >= furtherMax) {
      throw new HiveError("Quota", "sharing.roster", `${devicesMax} devices write by this right`);
    }
    await this.#say(this.#needs.self, true);
  }

  async step(signal: AbortSignal): Promise<void> {
    const { clock, isGone } = this.#needs;
    if (this.#follower.nextAtMs <= clock.monotonicMs()) await this.#look(signal);
    for (const peer of devicesIn(this.others)) if (isGone(peer)) await this.#say(peer, false);
    if (this.#isNews) await this.#make();
    await this.#tell(signal);
  }

  async #look(signal: AbortSignal): Promise<void> {
    await this.#follower.look((peer) => this.#ask(peer, signal));
  }

  async #ask(peer: PeerId, signal: AbortSignal): Promise<void> {
    const { network, right, grant: { share }, personId: person } = this.#needs;
    const opener = openerOf(right.roster(), { share, person });
    const known = this.#seen;
    const answer = await askAnyNewer(network, { grant: opener.grant, known, peer }, signal);
    if (answer === undefined) {
      this.#isNews ||= known === 0 && this.#roster.size > 0;
      return;
    }
    const { record, roster } = openRoster(opener, answer, known);
    const joined = joinRosters(this.#roster, roster);
    this.#isNews ||= !encodeRoster(joined).equals(encodeRoster(roster));
    this.#seen = record.sequence;
    await this.#keep(joined);
  }

  async #say(peer: PeerId, isIn: boolean): Promise<void> {
    const before = this.#roster.get(peer)?.atMs ?? 0;
    const word: RosterWord = { atMs: Math.max(this.#needs.clock.now(), before + 1), isIn };
    this.#isNews = true;
    await this.#keep(joinRosters(this.#roster, new Map([[peer, word]])));
  }

  async #make(): Promise<void> {
    const { right, grant: { share, from }, personId } = this.#needs;
    const sequence = await this.#numbering.next(this.#seen);
    const payload = encodeRoster(this.#roster);
    this.#isNews = false;
    const told = { share, sequence, payload, readers: [from, personId] };
    this.#telling.begin(signGuestRecord(right.roster(), told, this.#needs).bytes);
    this.#seen = sequence;
  }

  async #tell(signal: AbortSignal): Promise<void> {
    const { network, owners, grant: { owner } } = this.#needs;
    await this.#telling.tell(owners(), (peer, record) => {
      return network.share(peer, "write", encodeShareWrite({ owner, record }), { signal });
    }, signal);
  }

  /** At once, so that of two who change it neither goes on from what was before. */
  async #keep(roster: Roster): Promise<void> {
    this.#roster = roster;
    await this.#needs.books.put(this.#key, encodeRoster(roster));
  }

  get #key(): string {
    return `${writtenPrefix(this.#needs.right)}${guestKeys.roster}`;
  }
}
