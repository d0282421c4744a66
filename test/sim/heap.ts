/**
 * Numbers with a key each, of which the one with the least is always at hand; of equal keys the
 * lesser number. Two arrays that are used again and again: nothing is made anew.
 */
export class Heap {
  #keys = new Float64Array(64);
  #numbers = new Int32Array(64);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Infinity where there is none. */
  get leastKey(): number {
    return this.#size === 0 ? Infinity : this.#keys[0] as number;
  }

  /** Of the least key. */
  get first(): number {
    return this.#numbers[0] as number;
  }

  clear(): void {
    this.#size = 0;
  }

  push(number: number, key: number): void {
    if (this.#size === this.#numbers.length) this.#grow();
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(key, number, parent)) break;
      this.#put(at, this.#numbers[parent] as number, this.#keys[parent] as number);
      at = parent;
    }
    this.#put(at, number, key);
  }

  dropFirst(): void {
    const size = --this.#size;
    const [number, key] = [this.#numbers[size] as number, this.#keys[size] as number];
    let at = 0;
    for (;;) {
      const child = this.#lesserChild(at, size);
      if (child >= size || this.#isBefore(key, number, child)) break;
      this.#put(at, this.#numbers[child] as number, this.#keys[child] as number);
      at = child;
    }
    this.#put(at, number, key);
  }

  #lesserChild(at: number, size: number): number {
    const left = 2 * at + 1;
    const right = left + 1;
    if (right >= size) return left;
    const [key, number] = [this.#keys[right] as number, this.#numbers[right] as number];
    return this.#isBefore(key, number, left) ? right : left;
  }

  #isBefore(key: number, number: number, at: number): boolean {
    const other = this.#keys[at] as number;
    return key < other || (key === other && number < (this.#numbers[at] as number));
  }

  #put(at: number, number: number, key: number): void {
    this.#numbers[at] = number;
    this.#keys[at] = key;
  }

  #grow(): void {
    const [numbers, keys] = [this.#numbers, this.#keys];
    this.#numbers = new Int32Array(2 * numbers.length);
    this.#keys = new Float64Array(2 * keys.length);
    this.#numbers.set(numbers);
    this.#keys.set(keys);
  }
}
