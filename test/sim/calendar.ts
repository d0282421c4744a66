/**
 * What happens next, for millions of things of which each has one time at most: a calendar queue.
 * A day of it is a list of those who are due in it, through two arrays; a year later the same list
 * serves another day. To find the next one costs a look at those of one day, few if there are about
 * as many days as things. Times never go back.
 */
import { assert } from "../../src/base/errors.ts";

const none = -1;

export interface Due {
  readonly thing: number;
  readonly dueMs: number;
}

export class Calendar {
  readonly #dueMs: Float64Array;
  readonly #next: Int32Array;
  readonly #before: Int32Array;
  readonly #days: Int32Array;
  readonly #dayMs: number;
  /** The day that is looked at, counted from the beginning. */
  #day = 0;
  #size = 0;

  /** Times lie mostly within `horizonMs` of each other. */
  constructor(things: number, { days, horizonMs }: {
    readonly days: number; readonly horizonMs: number;
  }) {
    this.#dueMs = new Float64Array(things).fill(Infinity);
    this.#next = new Int32Array(things).fill(none);
    this.#before = new Int32Array(things).fill(none);
    this.#days = new Int32Array(days).fill(none);
    this.#dayMs = horizonMs / days;
  }

  get size(): number {
    return this.#size;
  }

  dueMs(thing: number): number {
    return this.#dueMs[thing] as number;
  }

  /** In the place of the time that it had; Infinity is never. */
  set(thing: number, dueMs: number): void {
    if (this.#dueMs[thing] !== Infinity) this.#take(thing);
    this.#dueMs[thing] = dueMs;
    if (dueMs === Infinity) return;
    assert(this.#dayOf(dueMs) >= this.#day, "nothing is due in the past");
    const list = this.#dayOf(dueMs) % this.#days.length;
    const first = this.#days[list] as number;
    this.#next[thing] = first;
    this.#before[thing] = none;
    if (first !== none) this.#before[first] = thing;
    this.#days[list] = thing;
    this.#size++;
  }

  /** The next one before that time, which has no time from now on; of equal ones the lesser. */
  pop(beforeMs: number): Due | undefined {
    if (this.#size === 0) return undefined;
    const last = this.#dayOf(beforeMs);
    for (; this.#day <= last; this.#day++) {
      const thing = this.#firstOfDay();
      if (thing === none) continue;
      const dueMs = this.dueMs(thing);
      if (dueMs >= beforeMs) return undefined;
      this.#take(thing);
      return { thing, dueMs };
    }
    // Some of the last day may still be set.
    this.#day = last;
    return undefined;
  }

  #firstOfDay(): number {
    let first = none;
    let thing = this.#days[this.#day % this.#days.length] as number;
    for (; thing !== none; thing = this.#next[thing] as number) {
      const dueMs = this.dueMs(thing);
      if (this.#dayOf(dueMs) !== this.#day) continue;
      const firstMs = first === none ? Infinity : this.dueMs(first);
      if (dueMs < firstMs || (dueMs === firstMs && thing < first)) first = thing;
    }
    return first;
  }

  #take(thing: number): void {
    const [before, next] = [this.#before[thing] as number, this.#next[thing] as number];
    if (before !== none) this.#next[before] = next;
    else this.#days[this.#dayOf(this.dueMs(thing)) % this.#days.length] = next;
    if (next !== none) this.#before[next] = before;
    this.#dueMs[thing] = Infinity;
    this.#size--;
  }

  #dayOf(ms: number): number {
    return Math.floor(ms / this.#dayMs);
  }
}
