/** Bytes cut short and flipped at random, for parsers that must call them Corrupt or read them. */
import { isFault } from "../../src/base/errors.ts";
import type { Random } from "../../src/base/random.ts";

/** What parsing `rounds` damaged copies of these bytes ended with, but for Corrupt and success. */
export function troubleWithDamaged(
  bytes: string, parse: (damaged: Buffer) => unknown,
  { random, rounds }: { readonly random: Random; readonly rounds: number },
): readonly string[] {
  const trouble: string[] = [];
  for (let round = 0; round < rounds; round++) {
    const whole = Buffer.from(bytes, "hex");
    const damaged = whole.subarray(0, whole.length - random.below(4));
    for (let flips = random.below(4); flips >= 0; flips--) {
      damaged[random.below(damaged.length)] = random.below(256);
    }
    try {
      parse(damaged);
    } catch (error) {
      if (!isFault(error, "Corrupt")) trouble.push(String(error));
    }
  }
  return trouble;
}
