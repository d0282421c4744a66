/**
 * Whoever looks on from above while the members of a group decide, and stops at the first thing
 * that must never be. It knows every vote that was ever cast, whether or not anybody hears of it.
 */
import type { Replacement } from "../../src/base/guard.ts";
import type { EntryId, PeerId } from "../../src/base/ids.ts";
import type { Offer } from "../../src/base/records.ts";
import { type Standing, seatsOf } from "../../src/guard/log.ts";

/** What must never be; the message says where it was. */
export class Violation extends Error {}

export interface GuardWitnessNeeds {
  readonly quorum: number;
  readonly offerOf: (peer: PeerId) => Offer;
  /** Whether the policy forbids it. */
  readonly isBarred: (offer: Offer) => boolean;
}

export class GuardWitness {
  readonly #needs: GuardWitnessNeeds;
  /** Who voted for what, by entry and term; what each voted for; what was accepted, by place. */
  readonly #cast = new Map<string, Set<PeerId>>();
  readonly #sworn = new Map<string, EntryId>();
  readonly #chosen = new Map<string, EntryId>();
  /** What each entry was drafted upon. */
  readonly #standings = new Map<EntryId, Standing>();

  constructor(needs: GuardWitnessNeeds) {
    this.#needs = needs;
  }

  /** How many entries were accepted. */
  get accepted(): number {
    return this.#chosen.size;
  }

  drafted(entry: Replacement, standing: Standing): void {
    this.#standings.set(entry.id, standing);
  }

  swear(voter: PeerId, entry: Replacement, term: number): void {
    const oath = `${entry.base}/${entry.position}/${term}/${voter}`;
    const before = this.#sworn.get(oath);
    if (before !== undefined && before !== entry.id) throw new Violation(`${voter} votes twice`);
    this.#sworn.set(oath, entry.id);
    const ballots = `${entry.id}/${term}`;
    const voters = this.#cast.get(ballots) ?? new Set<PeerId>();
    this.#cast.set(ballots, voters.add(voter));
    if (voters.size >= this.#needs.quorum) this.#accept(entry);
  }

  /** Somebody goes by this log. */
  believed({ log }: Standing): void {
    for (const { entry } of log) {
      const place = placeOf(entry);
      if (this.#chosen.get(place) !== entry.id) throw new Violation(`nobody accepted ${place}`);
    }
  }

  #accept(entry: Replacement): void {
    const place = placeOf(entry);
    const before = this.#chosen.get(place);
    if (before === entry.id) return;
    if (before !== undefined) throw new Violation(`two entries at ${place}`);
    this.#chosen.set(place, entry.id);
    const { offerOf, isBarred } = this.#needs;
    const standing = this.#standings.get(entry.id) as Standing;
    const others = seatsOf(standing).filter((peer) => peer !== entry.lost);
    const offer = offerOf(entry.peer);
    if (others.includes(entry.peer)) throw new Violation("a peer sits twice");
    const homes = others.map((peer) => offerOf(peer).household);
    if (homes.includes(offer.household)) throw new Violation(`two members of ${offer.household}`);
    if (isBarred(offer)) throw new Violation(`${entry.peer} is in a country that the policy forbids`);
  }
}

function placeOf({ base, position }: Replacement): string {
  return `${base}/${position}`;
}
