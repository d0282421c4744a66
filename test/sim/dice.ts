/**
 * The simulator's dice: sfc32, a hundred times as quick as the seeded generator of base, which
 * seeds it. Each part of a world throws dice of its own, so that one part more does not change the
 * others.
 */
import type { Random } from "../../src/base/random.ts";
import { seededRandom } from "../../src/base/random.ts";

export class Dice implements Random {
  readonly #seed: string;
  #a: number;
  #b: number;
  #c: number;
  #count = 1;
  /** A normal deviate of the last pair that was not used yet. */
  #spare: number | undefined;

  constructor(seed: string) {
    this.#seed = seed;
    const start = seededRandom(seed).bytes(12);
    this.#a = start.readInt32LE(0);
    this.#b = start.readInt32LE(4);
    this.#c = start.readInt32LE(8);
    for (let warm = 0; warm < 12; warm++) this.#next();
  }

  /** Dice of the same seed for something else. */
  for(what: string): Dice {
    return new Dice(`${this.#seed}/${what}`);
  }

  unit(): number {
    return ((this.#next() >>> 5) * 2 ** 26 + (this.#next() >>> 6)) / 2 ** 53;
  }

  below(bound: number): number {
    return Math.floor(this.unit() * bound);
  }

  bytes(length: number): Buffer {
    return Buffer.from(Uint8Array.from({ length }, () => this.#next() & 0xff));
  }

  exponential(mean: number): number {
    return -Math.log(1 - this.unit()) * mean;
  }

  /** Box and Muller. */
  normal(): number {
    const spare = this.#spare;
    this.#spare = undefined;
    if (spare !== undefined) return spare;
    const radius = Math.sqrt(-2 * Math.log(1 - this.unit()));
    const angle = 2 * Math.PI * this.unit();
    this.#spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  lognormal(median: number, sigma: number): number {
    return median * Math.exp(sigma * this.normal());
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#count) | 0;
    this.#count = (this.#count + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum;
  }
}
