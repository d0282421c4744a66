/** Who reads a folder now, and which of them write it, by all ways together: pure. */
import { limits } from "../../base/limits.ts";
import type { GivenTie } from "./given-ties.ts";
import { type MembersOf, type Reach, reachOf } from "./ways.ts";

const { readersMax } = limits.sharing;

/** Somebody who reads a folder now. */
export interface GivenReader extends Reach {
  /** Of the right to write (crypt/drive/write-right.ts); 0 for one who only reads. */
  readonly right: number;
}

/** Two devices may have let in more between them than there may be. */
export function readersBy(
  { ways, rights }: Pick<GivenTie, "ways" | "rights">, membersOf: MembersOf,
): readonly GivenReader[] {
  return reachOf(ways, membersOf).slice(0, readersMax).map((reach) => {
    return { ...reach, right: reach.writesUntilMs > 0 ? rights.get(reach.person) ?? 0 : 0 };
  });
}

export function writersIn(
  readers: readonly GivenReader[], nowMs: number,
): readonly GivenReader[] {
  return readers.filter(({ right, writesUntilMs }) => right > 0 && writesUntilMs > nowMs);
}
