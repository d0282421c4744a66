/**
 * Remembers the inverse for each set of shards that a rebuild started from: after a peer is lost,
 * every segment of its group asks for the same one. Bounded; the least recently used goes first.
 */
import { assert } from "../base/errors.ts";
import { generatorRows, invertMatrix } from "./matrix.ts";

export class Inverses {
  readonly #known = new Map<string, Uint8Array>();
  readonly #countMax: number;

  constructor(countMax: number) {
    assert(countMax >= 1);
    this.#countMax = countMax;
  }

  get count(): number {
    return this.#known.size;
  }

  /** The k x k matrix that turns the shards of these k indices into the data shards. */
  of(k: number, present: readonly number[]): Uint8Array {
    assert(present.length === k, "k indices");
    const key = `${k}:${present.join()}`;
    const inverse = this.#known.get(key) ?? invertMatrix(generatorRows(k, present), k);
    assert(inverse !== undefined, "any k rows of the generator can be inverted");
    this.#remember(key, inverse);
    return inverse;
  }

  /** A Map keeps the order of insertion, so the first key is the least recently used one. */
  #remember(key: string, inverse: Uint8Array): void {
    this.#known.delete(key);
    this.#known.set(key, inverse);
    if (this.#known.size <= this.#countMax) return;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined) this.#known.delete(oldest);
  }
}
