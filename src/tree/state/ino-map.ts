/**
 * A map by inode number. A number bears its device, so that most are larger than what V8 keeps as
 * an integer, and a Map of such keys takes ten times as long to find one. Here a number is a group,
 * of which a device has a few, and a small number within it. Pure; it is walked group by group.
 */
import type { Ino } from "../../base/ids.ts";

/** Within a group: V8's integers have 31 bits and a sign. */
const groupSpan = 2 ** 31;

export class InoMap<V> {
  readonly #groups = new Map<number, Map<number, V>>();
  /** The group asked for last, which nearly always is the next one too. */
  #number = -1;
  #group = new Map<number, V>();

  get size(): number {
    let size = 0;
    for (const group of this.#groups.values()) size += group.size;
    return size;
  }

  get(ino: Ino): V | undefined {
    return this.#find(ino)?.get(within(ino));
  }

  has(ino: Ino): boolean {
    return this.#find(ino)?.has(within(ino)) === true;
  }

  set(ino: Ino, value: V): this {
    const known = this.#find(ino);
    if (known === undefined) this.#groups.set(groupOf(ino), new Map([[within(ino), value]]));
    else known.set(within(ino), value);
    return this;
  }

  delete(ino: Ino): boolean {
    return this.#find(ino)?.delete(within(ino)) === true;
  }

  *keys(): Generator<Ino> {
    for (const [ino] of this) yield ino;
  }

  *values(): Generator<V> {
    for (const group of this.#groups.values()) yield* group.values();
  }

  *[Symbol.iterator](): Generator<readonly [Ino, V]> {
    for (const [number, group] of this.#groups) {
      for (const [low, value] of group) yield [(number * groupSpan + low) as Ino, value];
    }
  }

  #find(ino: Ino): Map<number, V> | undefined {
    const number = groupOf(ino);
    if (number === this.#number) return this.#group;
    const group = this.#groups.get(number);
    if (group === undefined) return undefined;
    this.#number = number;
    this.#group = group;
    return group;
  }
}

function groupOf(ino: Ino): number {
  return Math.floor(ino / groupSpan);
}

/** An integer to V8 as well, which the remainder of a division would not be. */
function within(ino: Ino): number {
  return (ino - groupOf(ino) * groupSpan) | 0;
}
