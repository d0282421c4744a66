/**
 * The circle that a view draws on, in numbers alone: no names, no policy. Pure but for `setLevel`.
 *
 * Every peer has a place on a circle. A group's seed throws a few points on it. A peer's straw is
 * its distance from the point before it, divided by its weight. The shortest straws lie close
 * behind the points, so that nobody else need be looked at. Shortest first, whoever the bounds
 * still let in takes a seat.
 */
import { hash } from "node:crypto";
import { assert } from "../../src/base/errors.ts";
import { type Bounds, Tally, seedsOf } from "../../src/placement/draws/spread.ts";
import { domainWords } from "../../src/placement/language/policy-words.ts";
import { Heap } from "./heap.ts";

/** One entry a peer in each, in the order of their places. */
export interface CircleParts {
  /** From 0 up to, not including, 1; rising. */
  readonly places: Float64Array;
  /** What each gives, all above 0. */
  readonly shares: Float64Array;
  /** How full each is, from 0 to `levels`; or `noRoom`. */
  readonly levels: Int16Array;
  /** A row of domain numbers for each, as spread.ts gives them. */
  readonly codes: Int32Array;
}

export interface CircleWish {
  readonly seed: string;
  readonly seats: number;
  readonly bounds: Bounds;
  /** Those who have seats of the group already, and count in its spread. */
  readonly sitting?: readonly number[];
  /** Who must not be drawn, beyond those who sit and who have no room. */
  readonly isBarred?: (at: number) => boolean;
}

/** `most` is how many seats were taken at best. */
export interface Seated {
  readonly taken: readonly number[];
  readonly isWide: boolean;
  readonly most: number;
}

/** From a point on, up to the next or to where no straw is short enough. */
interface Arc {
  readonly point: number;
  readonly width: number;
  readonly reach: number;
  readonly median: number;
}

/** Of how full a peer is. */
export const levels = 4096;
export const noRoom = levels + 1;
/** How hard a draw leans away from the fuller peer: e times for a 128th more, ... */
const slope = 128;
/** ... at most so much, since what nobody else can take must still be placed, ... */
const balanceMin = 1 / 1024;
/** ... and towards the emptier one so much, or newcomers would be given everything. */
const balanceMax = 2;
/** Points of the circle for each seat: neighbours seldom meet in one group. */
const pointsPerSeat = 2;
/** Levels that count as one for the median: a peer more or less seldom moves it. */
const levelsOfStep = 16;
/** Straws collected for each seat at first: some find their domain full. */
const strawsPerSeat = 1.6;
/** How much further to look when those were too few; at last, everywhere. */
const widenings = [1, 4, 16, Infinity];

export class Circle {
  readonly #parts: CircleParts;
  /** `#starts[b]` is the first peer at or behind b parts of the circle. */
  readonly #starts: Uint32Array;
  readonly #shareMax: number;
  readonly #shareSum: number;
  /** Of the draw that is under way, by their lengths. */
  readonly #straws = new Heap();
  /** How many peers are so full, by steps of levels. */
  readonly #steps = new Uint32Array(noRoom / levelsOfStep + 1);

  constructor(parts: CircleParts) {
    this.#parts = parts;
    this.#starts = startsOf(parts.places);
    assert(parts.shares.every((share) => share > 0), "whoever has room gives some");
    this.#shareMax = parts.shares.reduce((most, share) => Math.max(most, share), 0);
    this.#shareSum = parts.shares.reduce((sum, share) => sum + share, 0);
    for (const level of parts.levels) this.#count(level, 1);
  }

  get size(): number {
    return this.#parts.places.length;
  }

  /** A peer has more room, or less. */
  setLevel(at: number, level: number): void {
    this.#count(this.#parts.levels[at] as number, -1);
    this.#count(level, 1);
    this.#parts.levels[at] = level;
  }

  /** All seats taken and wide enough; or, after some seeds, fewer. */
  draw(wish: CircleWish): Seated {
    const { seed, seats, bounds } = wish;
    let most = 0;
    for (const one of this.size < seats ? [] : seedsOf(seed, bounds)) {
      const { taken, isWide } = this.#drawSeats({ ...wish, seed: one });
      if (taken.length === seats && isWide) return { taken, isWide, most: seats };
      most = Math.max(most, taken.length);
    }
    return { taken: [], isWide: false, most };
  }

  /** Looks further and further until all seats are taken, or everybody was looked at. */
  #drawSeats(wish: CircleWish): Omit<Seated, "most"> {
    const { seed, seats } = wish;
    const points = pointsOf(seed, seats * pointsPerSeat);
    const fair = (strawsPerSeat * seats) / (points.length * this.#shareSum);
    let seated: Omit<Seated, "most"> = { taken: [], isWide: false };
    for (const wider of widenings) {
      this.#hold(fair * wider, points);
      seated = this.#seat(wish);
      if (seated.taken.length === seats) break;
    }
    return seated;
  }

  /** Shortest straw first, whoever may sit. */
  #seat({ seats, bounds, sitting = [], isBarred }: CircleWish): Omit<Seated, "most"> {
    const tally = new Tally(bounds);
    for (const at of sitting) tally.count(this.#codesAt(at));
    const taken: number[] = [];
    const straws = this.#straws;
    for (; straws.size > 0 && taken.length < seats; straws.dropFirst()) {
      const at = straws.first;
      if (sitting.includes(at) || isBarred?.(at) === true) continue;
      const who = this.#codesAt(at);
      if (!tally.mayTake(who, seats - taken.length)) continue;
      tally.count(who);
      taken.push(at);
    }
    return { taken, isWide: tally.isWide };
  }

  #codesAt(at: number) {
    return { codes: this.#parts.codes, offset: at * domainWords.length };
  }

  /** Holds out the straws up to a length: on each arc from its point on. */
  #hold(reach: number, points: Float64Array): void {
    const widest = reach * this.#shareMax * balanceMax;
    const median = this.#medianLevel();
    this.#straws.clear();
    for (let at = 0; at < points.length; at++) {
      const point = points[at] as number;
      const next = points[at + 1] ?? (points[0] as number) + 1;
      this.#collect({ point, width: Math.min(next - point, widest), reach, median });
    }
  }

  #collect({ point, width, reach, median }: Arc): void {
    const { places, shares, levels: fullness } = this.#parts;
    let at = this.#firstFrom(point);
    for (let lap = 0; lap < 2; lap++, at = 0) {
      for (; at < places.length; at++) {
        const distance = (places[at] as number) + lap - point;
        if (distance >= width) return;
        const level = fullness[at] as number;
        if (level === noRoom) continue;
        const weight = (shares[at] as number) * (balance[median - level + levels] as number);
        const length = distance / weight;
        if (length < reach) this.#straws.push(at, length);
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
    const { places } = this.#parts;
    let at = this.#starts[Math.floor(point * (this.#starts.length - 1))] as number;
    while (at < places.length && (places[at] as number) < point) at++;
    return at;
  }
}

/** How many times as much a peer weighs that is so many levels emptier than the median. */
const balance = Float64Array.from({ length: 2 * levels + 1 }, (_, at) => {
  const leaning = Math.exp((slope * (at - levels)) / levels);
  return Math.min(balanceMax, Math.max(balanceMin, leaning));
});

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
  assert(count > 0, "a group has seats");
  const start = hash("sha256", `hive points 1/${seed}`, "buffer");
  const stride = start.readInt32BE(4) | 1;
  let state = start.readInt32BE(0);
  const points = new Float64Array(count);
  for (let at = 0; at < count; at++) {
    state = (state + stride) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0_aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97);
    points[at] = ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  }
  return points.sort();
}
