/** Times of things, of which the first is always at hand; of equal ones the lesser thing's. */

export class Heap {
  #dueMs = new Float64Array(64);
  #things = new Int32Array(64);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Infinity where there is none. */
  get firstMs(): number {
    return this.#size === 0 ? Infinity : this.#dueMs[0] as number;
  }

  get firstThing(): number {
    return this.#things[0] as number;
  }

  push(thing: number, dueMs: number): void {
    if (this.#size === this.#things.length) this.#grow();
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(dueMs, thing, parent)) break;
      this.#put(at, this.#things[parent] as number, this.#dueMs[parent] as number);
      at = parent;
    }
    this.#put(at, thing, dueMs);
  }

  dropFirst(): void {
    const size = --this.#size;
    const [thing, dueMs] = [this.#things[size] as number, this.#dueMs[size] as number];
    let at = 0;
    for (;;) {
      const child = this.#lesserChild(at, size);
      if (child >= size || this.#isBefore(dueMs, thing, child)) break;
      this.#put(at, this.#things[child] as number, this.#dueMs[child] as number);
      at = child;
    }
    this.#put(at, thing, dueMs);
  }

  #lesserChild(at: number, size: number): number {
    const left = 2 * at + 1;
    const right = left + 1;
    if (right >= size) return left;
    const [dueMs, thing] = [this.#dueMs[right] as number, this.#things[right] as number];
    return this.#isBefore(dueMs, thing, left) ? right : left;
  }

  #isBefore(dueMs: number, thing: number, at: number): boolean {
    const otherMs = this.#dueMs[at] as number;
    return dueMs < otherMs || (dueMs === otherMs && thing < (this.#things[at] as number));
  }

  #put(at: number, thing: number, dueMs: number): void {
    this.#things[at] = thing;
    this.#dueMs[at] = dueMs;
  }

  #grow(): void {
    const [things, dueMs] = [this.#things, this.#dueMs];
    this.#things = new Int32Array(2 * things.length);
    this.#dueMs = new Float64Array(2 * dueMs.length);
    this.#things.set(things);
    this.#dueMs.set(dueMs);
  }
}
