/** A few of many in a step: of each list the next ones, so that all of them have their turn. */
export class Rota {
  readonly #count: number;
  #next = 0;

  constructor(count: number) {
    this.#count = count;
  }

  turn<T>(...lists: readonly (readonly T[])[]): readonly T[] {
    const chosen = new Set(lists.flatMap((list) => this.#few(list)));
    this.#next += this.#count;
    return [...chosen];
  }

  #few<T>(list: readonly T[]): readonly T[] {
    const count = Math.min(this.#count, list.length);
    return Array.from({ length: count }, (_, at) => list[(this.#next + at) % list.length] as T);
  }
}
