/**
 * Arithmetic in GF(2^8) with the polynomial 0x11d (x^8 + x^4 + x^3 + x^2 + 1), in which 2 is a
 * generator. Addition is exclusive or. This is the meaning that every engine must match.
 */
import { assert } from "../base/errors.ts";

const order = 255;
const exp = new Uint8Array(2 * order);
const log = new Uint8Array(256);

for (let power = 0, value = 1; power < order; power++) {
  exp[power] = value;
  exp[power + order] = value;
  log[value] = power;
  value = value < 128 ? value * 2 : (value * 2) ^ 0x11d;
}

export function product(a: number, b: number): number {
  if (a === 0 || b === 0) return 0;
  return exp[at(log, a) + at(log, b)] as number;
}

export function inverse(a: number): number {
  assert(a !== 0, "zero has no inverse");
  return exp[order - at(log, a)] as number;
}

function at(table: Uint8Array, index: number): number {
  return table[index] as number;
}
