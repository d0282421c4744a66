/**
 * What happens next, for millions of things of which each has one time at most. What is due in one
 * day lies together in no order, and only what is due today is put in order; a year later the same
 * list serves another day. To set a time is to write a line at the end of a list: what is true no
 * more is seen when its day comes. Times never go back.
 */
import { assert } from "../../src/base/errors.ts";
import { Heap } from "./heap.ts";
import { Slips } from "./slips.ts";

export interface Due {
  readonly thing: number;
  readonly dueMs: number;
}

export class Calendar {
  /** The truth; a line that says otherwise is an old one. */
  readonly #dueMs: Float64Array;
  readonly #lists: Slips;
  readonly #days: number;
  readonly #dayMs: number;
  readonly #today = new Heap();
  /** The day that is looked at, counted from the beginning. */
  #day = 0;
  #size = 0;

  /** Times lie mostly within `horizonMs` of each other. */
  constructor(things: number, { days, horizonMs }: {
    readonly days: number; readonly horizonMs: number;
  }) {
    this.#dueMs = new Float64Array(things).fill(Infinity);
    this.#lists = new Slips(days);
    this.#days = days;
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
    if (this.#dueMs[thing] !== Infinity) this.#size--;
    this.#dueMs[thing] = dueMs;
    if (dueMs === Infinity) return;
    this.#size++;
    const day = this.#dayOf(dueMs);
    assert(day >= this.#day, "nothing is due in the past");
    if (day === this.#day) this.#today.push(thing, dueMs);
    else this.#lists.write(day % this.#days, thing, dueMs);
  }

  /** The next one before that time, which has no time from now on; of equal ones the lesser. */
  pop(beforeMs: number): Due | undefined {
    if (this.#size === 0) return undefined;
    const last = this.#dayOf(beforeMs);
    for (; ; this.#turnPage()) {
      const due = this.#popToday(beforeMs);
      if (due !== undefined) return due;
      if (this.#day >= last || this.#today.size > 0) return undefined;
    }
  }

  #popToday(beforeMs: number): Due | undefined {
    for (;;) {
      const dueMs = this.#today.leastKey;
      if (dueMs >= beforeMs) return undefined;
      const thing = this.#today.first;
      this.#today.dropFirst();
      if (this.#dueMs[thing] !== dueMs) continue;
      this.#dueMs[thing] = Infinity;
      this.#size--;
      return { thing, dueMs };
    }
  }

  #turnPage(): void {
    const day = ++this.#day;
    const list = day % this.#days;
    this.#lists.read(list, (thing, dueMs) => {
      if (this.#dueMs[thing] !== dueMs) return;
      if (this.#dayOf(dueMs) === day) this.#today.push(thing, dueMs);
      else this.#lists.write(list, thing, dueMs);
    });
  }

  #dayOf(ms: number): number {
    return Math.floor(ms / this.#dayMs);
  }
}
