/** Randomness, which comes in through constructors so that a seed replays the world. */
import { createHash, randomFillSync } from "node:crypto";
import { assert } from "./errors.ts";

export interface Random {
  bytes(length: number): Buffer;
  /** An integer from 0 up to, not including, the bound; bound at most 2^48. */
  below(bound: number): number;
  /** A number from 0 up to, not including, 1. */
  unit(): number;
}

/** The operating system's generator: the only one for keys and nonces. */
export const systemRandom: Random = fromBytes(fromPool);

/** A call costs as much for 4 KiB as for a nonce: so it is asked for many nonces at once. */
const pool = Buffer.alloc(4096);
let givenBytes = pool.length;

/** What is given out is not kept: whoever finds the pool finds no key in it. */
function fromPool(length: number): Buffer {
  const given = Buffer.alloc(length);
  if (length > pool.length) return randomFillSync(given);
  if (length > pool.length - givenBytes) {
    randomFillSync(pool);
    givenBytes = 0;
  }
  const end = givenBytes + length;
  pool.copy(given, 0, givenBytes, end);
  pool.fill(0, givenBytes, end);
  givenBytes = end;
  return given;
}

const digestBytes = 32;

/** Repeatable, for tests and simulations only: SHA-256 in counter mode over the seed. */
export function seededRandom(seed: number | string): Random {
  let counter = 0;
  let pool = Buffer.alloc(0);
  return fromBytes((length) => {
    const parts = [pool];
    for (let madeBytes = pool.length; madeBytes < length; madeBytes += digestBytes) {
      parts.push(createHash("sha256").update(`${seed}/${counter++}`).digest());
    }
    const made = parts.length === 1 ? pool : Buffer.concat(parts);
    const left = made.subarray(length);
    // What is left over must not hold on to all that was asked for.
    pool = parts.length === 1 ? left : Buffer.from(left);
    return Buffer.from(made.subarray(0, length));
  });
}

/** A copy in random order (Fisher and Yates). */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const result = [...items];
  for (let last = result.length - 1; last > 0; last--) {
    const other = random.below(last + 1);
    [result[last], result[other]] = [result[other] as T, result[last] as T];
  }
  return result;
}

function fromBytes(bytes: (length: number) => Buffer): Random {
  const unit = (): number => bytes(6).readUIntLE(0, 6) / 2 ** 48;
  return {
    bytes,
    unit,
    below(bound) {
      assert(Number.isSafeInteger(bound) && bound >= 1 && bound <= 2 ** 48, `below ${bound}`);
      return Math.floor(unit() * bound);
    },
  };
}
