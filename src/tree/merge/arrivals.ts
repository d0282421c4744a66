/**
 * What came into a folder with a folder above it. Where two sides have all of a drive, whoever has
 * seen a mark has seen the thing itself; where they have one folder of it alone, a thing may have
 * been made long before it came here, and without this it would be taken for one that the other
 * side has seen and taken away. So of the owner's side a move of a folder is news of all below.
 * Pure.
 */
import type { Ino } from "../../base/ids.ts";
import { marksOf } from "../../dag/inodes.ts";
import { type Arrival, type Fact, type Side, isFolder } from "./facts.ts";

/** Facts come with the folders above them first, as whoever lists folders finds them. */
export function withArrivals({ facts, seen }: Side, root: Ino): Side {
  const below = new Map<Ino, Arrival | undefined>();
  const told = new Map<Ino, Fact>();
  for (const [ino, fact] of facts) {
    const arrived = below.get(fact.places[0]?.parent ?? root);
    told.set(ino, { ...fact, arrived });
    if (ino === root || !isFolder(fact)) continue;
    // One link for each folder, however deep: somebody else says how deep they are.
    below.set(ino, { mark: marksOf(fact.inode).moved, above: arrived });
  }
  return { facts: told, seen };
}
