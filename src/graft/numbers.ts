/**
 * Numbers of several trees side by side, for inodes and handles alike: those of the drive's own
 * tree as they are, those of each other tree in a span of its own above them. Pure.
 */
import { assert } from "../base/errors.ts";
import { type Handle, type Ino, parseHandle, parseIno } from "../base/ids.ts";
import { limits } from "../base/limits.ts";

const { firstNumber, span } = limits.graft;
/** From here on a tree's own numbers do not fit beside each other, and stand for larger ones. */
const firstAlias = span / 2;

/** In whose span a number lies; below 0 it is of the drive's own tree. */
export function indexOf(number: number): number {
  return number < firstNumber ? -1 : Math.floor((number - firstNumber) / span);
}

/** One tree's span. */
export class Span {
  readonly #first: number;
  readonly #aliases = new Map<Ino, number>();
  readonly #meant: Ino[] = [];

  constructor(index: number) {
    assert(index >= 0 && index < limits.graft.openMax, "there is a span for each open tree");
    this.#first = firstNumber + index * span;
  }

  /** As everybody sees the tree's own number. */
  outer(own: Ino): Ino {
    return parseIno(this.#first + (own < firstAlias ? own : this.#aliasOf(own)));
  }

  own(outer: Ino): Ino {
    const number = outer - this.#first;
    if (number < firstAlias) return parseIno(number);
    return parseIno(this.#meant[number - firstAlias] ?? NaN);
  }

  outerHandle(own: Handle): Handle {
    return parseHandle(this.#first + own);
  }

  ownHandle(outer: Handle): Handle {
    return parseHandle(outer - this.#first);
  }

  /** Kept as long as the tree is open: a number that was told means the same until then. */
  #aliasOf(own: Ino): number {
    const known = this.#aliases.get(own);
    if (known !== undefined) return known;
    const alias = firstAlias + this.#meant.length;
    this.#aliases.set(own, alias);
    this.#meant.push(own);
    return alias;
  }
}
