/**
 * Who keeps shards for whom in a town of any size: of each giver as many servers as a group has
 * members, and as many clients. Nothing is stored: each turn is a permutation of all givers, which
 * is worked out forwards and backwards when it is asked for.
 */
import type { Dice } from "./dice.ts";

interface Turn {
  readonly factor: number;
  readonly inverse: number;
  readonly shift: number;
}

export class Town {
  /** Givers are numbers below this one, a prime. */
  readonly givers: number;
  readonly #turns: readonly Turn[];

  constructor(dice: Dice, { giversMax, turns }: {
    readonly giversMax: number; readonly turns: number;
  }) {
    const givers = primeUpTo(giversMax);
    this.givers = givers;
    this.#turns = Array.from({ length: turns }, () => {
      const factor = 1 + dice.below(givers - 1);
      return { factor, inverse: power(factor, givers - 2, givers), shift: dice.below(givers) };
    });
  }

  /** Each once, without itself: in a small town fewer than turns. */
  serversOf(giver: number): readonly number[] {
    const found = this.#turns.map(({ factor, shift }) => (factor * giver + shift) % this.givers);
    return [...new Set(found)].filter((one) => one !== giver);
  }

  clientsOf(giver: number): readonly number[] {
    const found = this.#turns.map(({ inverse, shift }) => {
      return (inverse * (giver - shift + this.givers)) % this.givers;
    });
    return [...new Set(found)].filter((one) => one !== giver);
  }
}

/** Products of numbers below a million are exact. */
function power(base: number, exponent: number, modulus: number): number {
  let [result, square] = [1, base % modulus];
  for (let left = exponent; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

function primeUpTo(most: number): number {
  for (let one = most; one > 2; one--) if (isPrime(one)) return one;
  return 2;
}

function isPrime(one: number): boolean {
  for (let factor = 2; factor * factor <= one; factor++) if (one % factor === 0) return false;
  return true;
}
