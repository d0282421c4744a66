/**
 * The groups of a simulated world: drawn by the product's placement, repaired as its planner says.
 * It knows what is left of each, and nothing of time.
 *
 * A group has one segment here, which stands for all that it has: they share its fate. Where one is
 * lost, a full one takes its place.
 */
import { assert } from "../../src/base/errors.ts";
import type { ErasureClass } from "../../src/base/records.ts";
import { thinFrom } from "../../src/placement/draws/classes.ts";
import { type Bounds, boundsOf, usualBounds } from "../../src/placement/draws/spread.ts";
import type { Policy } from "../../src/placement/language/policy.ts";
import { Mender } from "./mending.ts";
import type { Peers } from "./peers.ts";
import { type Places, levelOf } from "./places.ts";
import { Seats, nobody } from "./seats.ts";
import type { Tally } from "./tally.ts";

export interface GroupsPlan {
  readonly groups: number;
  readonly class: ErasureClass;
  readonly policy: Policy;
  readonly isPatient: boolean;
}

/** After a repair: nothing is missing, or something that cannot be made now. */
export type Mended = "whole" | "wanting";

export class Groups {
  readonly class: ErasureClass;
  readonly seats: Seats;
  /** Of each group: shards that exist, whether their peers are there or not. */
  readonly living: Uint8Array;
  /** Members that are not taken for dead, and with those besides whose death is fresh. */
  readonly fit: Uint8Array;
  readonly hoped: Uint8Array;
  readonly #peers: Peers;
  readonly #places: Places;
  readonly #isPatient: boolean;
  readonly #thinFrom: number;
  /** What the policy and the owner's manner of drawing ask, and the policy alone. */
  readonly #bounds: readonly Bounds[];
  readonly #mender: Mender;
  #draws = 0;

  constructor(needs: { readonly peers: Peers; readonly places: Places }, plan: GroupsPlan) {
    const { peers, places } = needs;
    const { groups, class: { n } } = plan;
    const seats = new Seats({ groups, width: n, peers: peers.capacity });
    const sight = {
      isUnfit: (peer: number) => peers.isCondemned(peer),
      isFresh: (peer: number) => peers.isFresh(peer),
      isOnline: (peer: number) => peers.isOnline(peer),
    };
    this.seats = seats;
    this.#peers = peers;
    this.#places = places;
    this.class = plan.class;
    this.#isPatient = plan.isPatient;
    this.#thinFrom = thinFrom(plan.class);
    const bounds = boundsOf(plan.policy, plan.class);
    this.#bounds = [together(bounds, usualBounds(plan.policy, plan.class)), bounds];
    this.#mender = new Mender({ seats, sight }, plan);
    this.living = new Uint8Array(groups);
    this.fit = new Uint8Array(groups);
    this.hoped = new Uint8Array(groups);
  }

  get count(): number {
    return this.seats.groups;
  }

  /** A new group of so many living members; the other seats are nobody's. */
  found(group: number, living: number): void {
    const drawn = this.#draw(group, this.class.n, []);
    assert(drawn.length === this.class.n, "too few peers for a group");
    for (const [seat, peer] of drawn.entries()) {
      const isEmpty = seat >= living;
      this.#give(this.#seat(group, seat), isEmpty ? nobody : peer);
      this.seats.setShard(this.#seat(group, seat), !isEmpty);
    }
    this.living[group] = living;
    this.fit[group] = living;
    this.hoped[group] = living;
  }

  /** All that it had is gone; told is each group of which too little is left. */
  lose(peer: number, tell: (group: number) => void): void {
    const lost: number[] = [];
    this.seats.forEachSeat(peer, (seat) => {
      if (!this.seats.hasShard(seat)) return;
      const group = this.#groupOf(seat);
      const left = (this.living[group] as number) - 1;
      this.living[group] = left;
      if (left < this.class.k) lost.push(group);
    });
    // After the walk: whoever is told may found them anew.
    for (const group of new Set(lost)) tell(group);
  }

  /** It counts as a member no more, or again; told is each group that may need repair. */
  recount(
    peer: number, more: { readonly fit: number; readonly hoped: number },
    tell: (group: number) => void,
  ): void {
    this.seats.forEachSeat(peer, (seat) => {
      const group = this.#groupOf(seat);
      this.#raise(group, more);
      if (this.isDue(group)) tell(group);
    });
  }

  #raise(group: number, more: { readonly fit: number; readonly hoped: number }): void {
    this.fit[group] = (this.fit[group] as number) + more.fit;
    this.hoped[group] = (this.hoped[group] as number) + more.hoped;
  }

  isDue(group: number): boolean {
    const [fit, hoped] = [this.fit[group] as number, this.hoped[group] as number];
    if (!this.#isPatient) return fit < this.class.n;
    return (fit <= this.#thinFrom ? fit : hoped) <= this.class.r;
  }

  /** Does what the planner says, now; `freed` is told of peers that have no seat any more. */
  repair(group: number, tally: Tally, freed: (peer: number) => void): Mended {
    const { lost } = this.#mender.plan(group);
    this.#replace(group, lost, tally, freed);
    const { mends } = this.#mender.plan(group);
    for (const at of mends) {
      this.seats.setShard(this.#seat(group, at), true);
      this.living[group] = (this.living[group] as number) + 1;
    }
    const { k } = this.class;
    if (mends.length > 0) {
      tally.repairs++;
      tally.moved += k + mends.length;
      tally.movedEach += (k + 1) * mends.length;
    }
    return this.isDue(group) || this.#isWanting(group) ? "wanting" : "whole";
  }

  #replace(
    group: number, lost: readonly number[], tally: Tally, freed: (peer: number) => void,
  ): void {
    if (lost.length === 0) return;
    const gone = new Set(lost);
    const staying = [...this.seats.peersOf(group)].filter((_, at) => !gone.has(at));
    const drawn = this.#draw(group, lost.length, staying);
    for (const [index, peer] of drawn.entries()) {
      const seat = this.#seat(group, lost[index] as number);
      const before = this.seats.peerOf(seat);
      const isAlive = before !== nobody && this.#peers.isAlive(before);
      // What a living peer was wrongly replaced for is surplus, and counts no more.
      if (isAlive && this.seats.hasShard(seat)) {
        this.living[group] = (this.living[group] as number) - 1;
      }
      tally.replaced++;
      tally.replacedInVain += Number(isAlive);
      this.#give(seat, peer);
      const wasHoped = before !== nobody && this.#peers.isFresh(before);
      this.#raise(group, { fit: 1, hoped: wasHoped ? 0 : 1 });
      if (before !== nobody && !isAlive && this.seats.countOf(before) === 0) freed(before);
    }
  }

  /** A fit member has not got its shard. */
  #isWanting(group: number): boolean {
    return this.seats.peersOf(group).some((peer, at) => {
      const isFit = peer !== nobody && !this.#peers.isCondemned(peer);
      return isFit && !this.seats.hasShard(this.#seat(group, at));
    });
  }

  /** Peers that are there, beside those who sit already. */
  #draw(group: number, seats: number, sitting: readonly number[]): readonly number[] {
    const { occupants, placeOf } = this.#peers;
    const seed = `${group}/${this.#draws++}`;
    for (const bounds of this.#bounds) {
      const { taken } = this.#places.circle.draw({
        seed, seats, bounds,
        sitting: sitting.filter((peer) => peer !== nobody).map((peer) => placeOf[peer] as number),
        isBarred: (place) => !this.#peers.isOnline(occupants[place] as number),
      });
      if (taken.length > 0) return taken.map((place) => occupants[place] as number);
    }
    return [];
  }

  #give(seat: number, peer: number): void {
    const before = this.seats.peerOf(seat);
    this.seats.give(seat, peer);
    for (const one of [before, peer]) if (one !== nobody) this.weigh(one);
  }

  /** Placement sees how full somebody is, as who has just moved in where another had many seats. */
  weigh(peer: number): void {
    const place = this.#peers.placeOf[peer] as number;
    if (this.#peers.occupants[place] !== peer) return;
    this.#places.circle.setLevel(place, levelOf(this.#places, place, this.seats.countOf(peer)));
  }

  #seat(group: number, at: number): number {
    return group * this.class.n + at;
  }

  #groupOf(seat: number): number {
    return Math.floor(seat / this.class.n);
  }
}

function together(one: Bounds, other: Bounds): Bounds {
  return {
    clauses: [...one.clauses, ...other.clauses],
    caps: [...one.caps, ...other.caps], floors: [...one.floors, ...other.floors],
    counted: [...new Set([...one.counted, ...other.counted])],
  };
}
