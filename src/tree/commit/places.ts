/**
 * The place of a kept root in its second, which is the end of its name: no two of one second have
 * the same, or one would be seen under the other's name. Whoever opens a drive does not know how
 * many roots were made in the second of the newest, and a wall clock that was set back lives
 * through a second twice: so the list itself is looked at. Pure.
 */
import { type KeptRoot, placeMax } from "../../dag/kept.ts";
import type { RootRecord } from "../../dag/root.ts";

export function secondOf({ committedAtMs }: RootRecord): number {
  return Math.floor(committedAtMs / 1000);
}

/** The same root, at the next place that none of the others in its second has. */
export function besideOthers(others: readonly KeptRoot[], one: KeptRoot): KeptRoot {
  const second = secondOf(one.root);
  const taken = new Set(others.filter(({ root }) => secondOf(root) === second).map(placeOf));
  if (!taken.has(one.place)) return one;
  const places = Array.from({ length: placeMax }, (_, at) => (one.place + 1 + at) % (placeMax + 1));
  // Fewer than that are asked for, and a rule keeps a few of a second at most.
  return { ...one, place: places.find((place) => !taken.has(place)) ?? one.place };
}

/** A list in which older versions may have given one place twice: the older root keeps it. */
export function allApart(kept: readonly KeptRoot[]): readonly KeptRoot[] {
  const apart: KeptRoot[] = [];
  for (const one of kept) apart.push(besideOthers(apart, one));
  return apart;
}

function placeOf({ place }: KeptRoot): number {
  return place;
}
