/**
 * Names that two devices gave at once, told apart the same way on each: in the order that they come
 * in, which is that of their keys, the first has its name and the next ones a number. Pure.
 */
import { beginningOf } from "../../base/bytes.ts";
import { nameBytesMax } from "../../base/ids.ts";

export interface Named<T> {
  readonly name: string;
  readonly of: T;
}

export function apart<T>(all: readonly Named<T>[]): readonly Named<T>[] {
  const taken = new Set(all.map(({ name }) => name));
  const used = new Set<string>();
  return all.map(({ name, of }) => {
    let [chosen, number] = [name, 1];
    while (used.has(chosen) || (chosen !== name && taken.has(chosen))) {
      chosen = numbered(name, ++number);
    }
    used.add(chosen);
    return { name: chosen, of };
  });
}

/** Of a long name the beginning: all are to be names of folders. */
function numbered(name: string, number: number): string {
  const added = ` (${number})`;
  return beginningOf(name, nameBytesMax - added.length) + added;
}
