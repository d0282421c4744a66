/**
 * Makes a tree of what both sides together say: no folder lies inside itself, and no two things of
 * a folder have one name. Each step only leads to a folder of a smaller number or to a longer name,
 * so devices that take them in another order come to the same end (names.ts). Pure.
 */
import { HiveError } from "../../base/errors.ts";
import type { Ino } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { nameKey, slotsPerHash } from "../../dag/entries.ts";
import { type Inode, marksOf } from "../../dag/inodes.ts";
import type { Seen } from "../../dag/marks.ts";
import { type Fact, type Merged, type Resolved, isFolder } from "./facts.ts";
import type { Governing } from "./governing.ts";
import { type Place, conflictName, samePlace } from "./names.ts";

/** How many names of one hash a folder is to have, and which of them come first. */
export interface Crowding {
  readonly most: number;
  /** It keeps its name, however many there are. */
  readonly isHere: (ino: Ino, place: Place) => boolean;
}

/** A folder has room for so many, and each side may have brought as many. */
const full: Crowding = { most: slotsPerHash, isHere: () => false };

export function tidy(
  merged: Merged,
  { seen, isListed, root, governing, crowding = full }: {
    readonly seen: Seen; readonly isListed: (folder: Ino) => boolean; readonly root: Ino;
    readonly governing?: Governing | undefined; readonly crowding?: Crowding | undefined;
  },
): Resolved {
  for (let round = 0; round < limits.devices.mergeRoundsMax; round++) {
    breakCircles(merged, root, governing);
    const names = namesOf(merged);
    const twins = twinsIn(names, merged);
    const folders = twins.flat().filter((ino) => !isListed(ino));
    if (folders.length > 0) return { kind: "unlisted", folders };
    if (twins.length === 0) {
      renameTwins(merged, names, seen);
      thinCrowds(merged, { names, seen, crowding });
      return { kind: "merged", merged };
    }
    for (const [kept, ...others] of twins) {
      govern(merged, kept as Ino, others, governing);
      joinFolders(merged, kept as Ino, new Set(others));
    }
  }
  throw new HiveError("Busy", "tree.merge", "folders of one name without end");
}

/**
 * Two folders that were moved into each other: the smaller mark's comes to the root, with a policy
 * of its own if it had gone by one above it on either side.
 */
function breakCircles(merged: Merged, root: Ino, governing: Governing | undefined): void {
  const fine = new Set<Ino>([root]);
  for (const ino of merged.keys()) {
    for (let circle = circleAbove(merged, ino, fine); circle.length > 0;) {
      const moved = (at: Ino): number => marksOf((merged.get(at) as Fact).inode).moved;
      const first = circle.reduce((one, other) => moved(one) < moved(other) ? one : other);
      const fact = merged.get(first) as Fact;
      const places = fact.places.map(({ name }) => ({ parent: root, name }));
      const freed = { ...fact, places };
      const isGoverned = freed.inode.policy > 0;
      const around = isGoverned ? [] : governing?.around(first) ?? [];
      merged.set(first, governing?.withAll(freed, around) ?? freed);
      circle = circleAbove(merged, ino, fine);
    }
  }
}

/** The folders of the circle that one meets on the way up; else all on the way are fine. */
function circleAbove(merged: Merged, from: Ino, fine: Set<Ino>): readonly Ino[] {
  const way = new Set<Ino>();
  for (let at: Ino | undefined = from; at !== undefined && !fine.has(at);) {
    if (way.has(at)) return [...way].slice([...way].indexOf(at));
    way.add(at);
    const fact = merged.get(at);
    at = fact !== undefined && isFolder(fact) ? fact.places[0]?.parent : undefined;
  }
  for (const ino of way) fine.add(ino);
  return [];
}

type Names = Map<string, { readonly place: Place; readonly inos: Ino[] }>;

function namesOf(merged: Merged): Names {
  const names: Names = new Map();
  for (const [ino, { places }] of merged) {
    for (const place of places) {
      const key = keyOf(place);
      const there = names.get(key)?.inos;
      if (there === undefined) names.set(key, { place, inos: [ino] });
      else if (!there.includes(ino)) there.push(ino);
    }
  }
  return names;
}

function keyOf({ parent, name }: Place): string {
  return `${parent}/${name}`;
}

/** Folders of one name: the smallest number first, which is the one that stays. */
function twinsIn(names: Names, merged: Merged): readonly (readonly Ino[])[] {
  const crowded = [...names.values()].filter(({ inos }) => inos.length > 1);
  return crowded.flatMap(({ inos }) => {
    const folders = inos.filter((ino) => isFolder(merged.get(ino) as Fact));
    return folders.length > 1 ? [folders.sort((a, b) => a - b)] : [];
  });
}

function govern(
  merged: Merged, kept: Ino, others: readonly Ino[], governing: Governing | undefined,
): void {
  const slots = others.map((ino) => merged.get(ino)?.inode.policy ?? 0);
  const fact = merged.get(kept) as Fact;
  merged.set(kept, governing?.withAll(fact, slots) ?? fact);
}

function joinFolders(merged: Merged, kept: Ino, others: ReadonlySet<Ino>): void {
  for (const ino of others) merged.delete(ino);
  for (const [ino, fact] of merged) {
    if (!fact.places.some(({ parent }) => others.has(parent))) continue;
    const places = fact.places.map(({ parent, name }) => {
      return { parent: others.has(parent) ? kept : parent, name };
    });
    merged.set(ino, { ...fact, places: distinct(places) });
  }
}

function distinct(places: readonly Place[]): readonly Place[] {
  return places.filter((place, at) => places.findIndex((one) => samePlace(one, place)) === at);
}

/** The folder keeps its name, or else the smallest number: what was there longest, as a rule. */
function renameTwins(merged: Merged, names: Names, seen: Seen): void {
  const crowded = [...names.values()].filter(({ inos }) => inos.length > 1);
  for (const { place, inos } of crowded) {
    const rank = (ino: Ino): number => isFolder(merged.get(ino) as Fact) ? 0 : 1;
    const [, ...others] = inos.sort((a, b) => rank(a) - rank(b) || a - b);
    for (const ino of others) renameOne(merged, ino, { place, names, seen });
  }
}

function thinCrowds(
  merged: Merged,
  { names, seen, crowding: { most, isHere } }:
  { readonly names: Names; readonly seen: Seen; readonly crowding: Crowding },
): void {
  const crowds = new Map<string, { readonly place: Place; readonly ino: Ino }[]>();
  for (const { place, inos: [ino] } of names.values()) {
    const key = `${place.parent}/${nameKey(place.name)}`;
    const crowd = crowds.get(key);
    if (crowd === undefined) crowds.set(key, [{ place, ino: ino as Ino }]);
    else crowd.push({ place, ino: ino as Ino });
  }
  for (const crowd of crowds.values()) {
    if (crowd.length <= most) continue;
    const here = crowd.filter(({ place, ino }) => isHere(ino, place));
    const brought = crowd.filter((one) => !here.includes(one)).sort((a, b) => a.ino - b.ino);
    const others = brought.slice(Math.max(0, most - here.length));
    for (const { place, ino } of others) renameOne(merged, ino, { place, names, seen });
  }
}

function renameOne(
  merged: Merged, ino: Ino,
  { place, names, seen }: { readonly place: Place; readonly names: Names; readonly seen: Seen },
): void {
  const fact = merged.get(ino) as Fact;
  const free = freePlace(ino, fact.inode, { place, names, seen });
  names.set(keyOf(free), { place: free, inos: [ino] });
  const places = fact.places.map((one) => samePlace(one, place) ? free : one);
  // A file of several names may have had that one from an earlier merge.
  merged.set(ino, { ...fact, places: distinct(places) });
}

function freePlace(
  ino: Ino, inode: Inode,
  { place: { parent, name }, names, seen }:
  { readonly place: Place; readonly names: Names; readonly seen: Seen },
): Place {
  const author = { mark: marksOf(inode).moved, inode, seen };
  const short = { parent, name: conflictName(name, author, { more: false }) };
  if (!names.has(keyOf(short))) return short;
  // Its own number tells it from all others, but for what somebody called so himself.
  const isOthers = (at: Place): boolean =>
    names.get(keyOf(at))?.inos.some((other) => other !== ino) === true;
  let long = { parent, name };
  // A name that grows no more is counted.
  let again = 0;
  do {
    const longer = conflictName(long.name, { ...author, mark: ino }, { more: true, again });
    if (longer.length <= long.name.length) again++;
    long = { parent, name: longer };
  } while (isOthers(long));
  return long;
}
