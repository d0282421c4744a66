/**
 * A large network as one policy sees it, for drawing many groups: built once from all offers, then
 * a group costs some hundred looks, not one at every peer. Pure but for `refresh`: the same offers,
 * policy and seed draw the same peers on every machine.
 *
 * Every peer has a place on a circle, by the hash of its id. A group's seed throws a few points on
 * it. A peer's straw is its distance from the point before it, divided by its weight. The shortest
 * straws lie close behind the points, so that nobody else need be looked at. Shortest first,
 * whoever the policy's spread still lets in takes a seat.
 *
 * A straw depends on no other peer but through one figure, the median of how full they are: weights
 * fall above it. So one change moves its own peer's seats and no others, unless it moves the median
 * by a step, which in a network that was filled evenly hardly ever happens.
 */
import { createHash } from "node:crypto";
import { GiB } from "../base/bytes.ts";
import { assert } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { ErasureClass, Offer } from "../base/records.ts";
import { type Choice, type ClauseCount, eligible } from "./eligible.ts";
import type { Draw } from "./group.ts";
import { type Seen, favourOf } from "./judge.ts";
import { domainWords } from "./policy-words.ts";
import type { Policy } from "./policy.ts";
import { type Bounds, DomainNumbers, Tally, boundsOf, seedsOf } from "./spread.ts";
import { fullnessOf } from "./straw.ts";

export interface ViewWish {
  readonly class: ErasureClass;
  readonly seed: string;
}

interface Seated {
  readonly taken: readonly PeerId[];
  readonly isWide: boolean;
}

const nobody: Seated = { taken: [], isWide: false };

/** From a point on, up to the next or to where no straw is short enough. */
interface Arc {
  readonly point: number;
  readonly end: number;
  readonly reach: number;
  readonly median: number;
}

interface Straw {
  readonly at: number;
  readonly length: number;
}

/** Of how full a peer is. */
const levels = 4096;
const noRoom = levels + 1;
/** Levels that count as one for the median: a peer more or less seldom moves it. */
const levelsOfStep = 16;
/** Straws collected for each seat at first: some find their domain full. */
const strawsPerSeat = 1.6;
/** How much further to look when those were too few; at last, everywhere. */
const widenings = [1, 4, 16, Infinity];

export class PeerView {
  readonly #policy: Policy;
  readonly #clauses: readonly ClauseCount[];
  /** One entry a peer in each, in the order of their places on the circle. */
  readonly #peers: readonly PeerId[];
  readonly #places: Float64Array;
  readonly #shares: Float64Array;
  readonly #levels: Int16Array;
  /** A row of domain numbers for each peer. */
  readonly #codes: Int32Array;
  readonly #indexOf: ReadonlyMap<PeerId, number>;
  /** `#starts[b]` is the first peer at or behind b parts of the circle. */
  readonly #starts: Uint32Array;
  readonly #shareMax: number;
  readonly #shareSum: number;
  /** How many peers are so full, by steps of levels. */
  readonly #steps = new Uint32Array(noRoom / levelsOfStep + 1);

  constructor(choice: Choice) {
    const { left, clauses } = eligible(choice);
    const placed = left
      .map((seen) => ({ seen, place: placeOf(seen.facts.offer.peer) }))
      // Those of one place stay in the order of their names.
      .sort((a, b) => a.place - b.place);
    const numbers = new DomainNumbers();
    this.#policy = choice.policy;
    this.#clauses = clauses;
    this.#peers = placed.map(({ seen }) => seen.facts.offer.peer);
    this.#places = Float64Array.from(placed, ({ place }) => place);
    this.#shares = Float64Array.from(placed, ({ seen }) => shareOf(seen, choice.policy));
    this.#levels = Int16Array.from(placed, ({ seen }) => levelOf(seen.facts.offer));
    this.#codes = new Int32Array(placed.length * domainWords.length);
    for (const [at, { seen }] of placed.entries()) {
      this.#codes.set(numbers.codesOf(seen.facts, seen.evidence), at * domainWords.length);
    }
    this.#indexOf = new Map(this.#peers.map((peer, at) => [peer, at]));
    this.#starts = startsOf(this.#places);
    assert(this.#shares.every((share) => share > 0), "whoever has room gives some");
    this.#shareMax = this.#shares.reduce((most, share) => Math.max(most, share), 0);
    this.#shareSum = this.#shares.reduce((sum, share) => sum + share, 0);
    for (const level of this.#levels) this.#count(level, 1);
  }

  /** Peers that the policy lets through. */
  get size(): number {
    return this.#peers.length;
  }

  /** A known peer has more room, or less; whoever is not in the view stays outside. */
  refresh(offer: Offer): void {
    const at = this.#indexOf.get(offer.peer);
    if (at === undefined) return;
    const level = levelOf(offer);
    this.#count(this.#levels[at] as number, -1);
    this.#count(level, 1);
    this.#levels[at] = level;
  }

  /** The peers for a new group, `peers[i]` for seat i. */
  draw(wish: ViewWish): Draw<{ readonly state: "drawn"; readonly peers: readonly PeerId[] }> {
    const { n } = wish.class;
    const bounds = boundsOf(this.#policy, wish.class);
    let most = 0;
    for (const seed of this.size < n ? [] : seedsOf(wish.seed, bounds)) {
      const { taken, isWide } = this.#drawSeats({ seed, seats: n, bounds });
      if (taken.length === n && isWide) return { state: "drawn", peers: taken };
      most = Math.max(most, taken.length);
    }
    const spread = { clause: bounds.clauses.join(" and "), left: most };
    return { state: "impossible", needed: n, clauses: [...this.#clauses, spread] };
  }

  /** Looks further and further until all seats are taken, or everybody was looked at. */
  #drawSeats({ seed, seats, bounds }: {
    readonly seed: string; readonly seats: number; readonly bounds: Bounds;
  }): Seated {
    const points = pointsOf(seed, seats * limits.placement.pointsPerSeat);
    const fair = (strawsPerSeat * seats) / (points.length * this.#shareSum);
    let seated = nobody;
    for (const wider of widenings) {
      const straws = this.#strawsWithin(fair * wider, points);
      seated = this.#seat(straws, seats, new Tally(bounds));
      if (seated.taken.length === seats) break;
    }
    return seated;
  }

  #seat(straws: readonly Straw[], seats: number, tally: Tally): Seated {
    const taken: PeerId[] = [];
    for (const { at } of straws) {
      const who = { codes: this.#codes, offset: at * domainWords.length };
      if (!tally.mayTake(who, seats - taken.length)) continue;
      tally.count(who);
      taken.push(this.#peers[at] as PeerId);
      if (taken.length === seats) break;
    }
    return { taken, isWide: tally.isWide };
  }

  /** The straws up to a length, shortest first: on each arc from its point on. */
  #strawsWithin(reach: number, points: Float64Array): readonly Straw[] {
    const straws: Straw[] = [];
    const widest = reach * this.#shareMax * limits.placement.balanceMax;
    const median = this.#medianLevel();
    for (const [at, point] of points.entries()) {
      const next = points[at + 1] ?? (points[0] as number) + 1;
      this.#collect({ point, end: Math.min(next, point + widest), reach, median }, straws);
    }
    return straws.sort((a, b) => a.length - b.length || a.at - b.at);
  }

  #collect({ point, end, reach, median }: Arc, straws: Straw[]): void {
    const places = this.#places;
    let at = this.#firstFrom(point);
    for (let lap = 0; lap < 2; lap++, at = 0) {
      for (; at < places.length; at++) {
        const distance = (places[at] as number) + lap - point;
        if (distance >= end - point) return;
        const level = this.#levels[at] as number;
        if (level === noRoom) continue;
        const weight = (this.#shares[at] as number) * (balance[median - level + levels] as number);
        const length = distance / weight;
        if (length < reach) straws.push({ at, length });
      }
    }
  }

  #count(level: number, more: 1 | -1): void {
    const step = Math.floor(level / levelsOfStep);
    this.#steps[step] = (this.#steps[step] as number) + more;
  }

  /** The level that half of the peers are below, by steps. */
  #medianLevel(): number {
    let below = 0;
    for (let step = 0; step < this.#steps.length; step++) {
      below += this.#steps[step] as number;
      if (2 * below >= this.size) return Math.min(levels, (step + 0.5) * levelsOfStep);
    }
    return levels;
  }

  #firstFrom(point: number): number {
    let at = this.#starts[Math.floor(point * (this.#starts.length - 1))] as number;
    while (at < this.#places.length && (this.#places[at] as number) < point) at++;
    return at;
  }
}

/** How many times as much a peer weighs that is so many levels emptier than the median. */
const balance = Float64Array.from({ length: 2 * levels + 1 }, (_, at) => {
  const { balance: slope, balanceMin, balanceMax } = limits.placement;
  const leaning = Math.exp((slope * (at - levels)) / levels);
  return Math.min(balanceMax, Math.max(balanceMin, leaning));
});

/** From 0 up to, not including, 1. */
function placeOf(peer: PeerId): number {
  const hash = createHash("sha256").update(`hive circle 1/${peer}`).digest();
  return hash.readUIntBE(0, 6) / 2 ** 48;
}

/** The GiB that it gives. A claim costs nothing: beyond a limit more of it weighs no more. */
function shareOf(seen: Seen, policy: Policy): number {
  const { quotaBytes } = seen.facts.offer;
  const bytes = Math.min(quotaBytes, limits.placement.weightBytesMax);
  return (bytes / GiB) * favourOf(policy, seen);
}

function levelOf(offer: Offer): number {
  if (offer.freeBytes < limits.placement.freeBytesMin) return noRoom;
  return Math.round(fullnessOf(offer) * levels);
}

function startsOf(places: Float64Array): Uint32Array {
  const parts = Math.max(1, places.length);
  const starts = new Uint32Array(parts + 1);
  for (let part = 0, at = 0; part <= parts; part++) {
    while (at < places.length && (places[at] as number) * parts < part) at++;
    starts[part] = at;
  }
  return starts;
}

/** Points on the circle, in order: SplitMix32, its start and its stride from the seed's hash. */
function pointsOf(seed: string, count: number): Float64Array {
  const hash = createHash("sha256").update(`hive points 1/${seed}`).digest();
  let state = hash.readInt32BE(0);
  const stride = hash.readInt32BE(4) | 1;
  const points = Float64Array.from({ length: count }, () => {
    state = (state + stride) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0_aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  });
  assert(points.length > 0, "a group has seats");
  return points.sort();
}
