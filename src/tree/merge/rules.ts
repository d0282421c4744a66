/**
 * How two states of a drive become one: a function of both alone, the same on every device and in
 * whatever order states arrive. No base is needed, and none is kept: each inode says by two marks
 * (dag/marks.ts) who edited and who moved it last, each side says what it has seen, and so either
 * one side's word is older, or the other's, or neither knew of the other. Pure.
 *
 * Nothing is lost: what only one side has is gone only if the other has seen all of it and does
 * without; of two edits the later stays in place and the other becomes a copy, whose number is the
 * mark of that edit, so that every device makes the same copy. Read tidy.ts next: what the
 * result must be to be a tree.
 */
import { HiveError } from "../../base/errors.ts";
import type { Ino } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { xattrBytes } from "../../dag/inode-bytes.ts";
import { type Xattrs, isOneTree, marksOf, typeMask } from "../../dag/inodes.ts";
import { type Seen, isSeen, seenByBoth } from "../../dag/marks.ts";
import { type Fact, type Merged, type Resolved, type Side, isFolder, isNews, isOtherCopy }
  from "./facts.ts";
import { Governing } from "./governing.ts";
import { type Place, conflictName, hasPlace, samePlace, settledPlace } from "./names.ts";
import { type Policies, preferResealed } from "./resealed.ts";
import { type Crowding, tidy } from "./tidy.ts";

export interface Terms {
  readonly isListed: (folder: Ino) => boolean;
  /** A mark that nobody has seen: of whoever makes copies. */
  readonly fresh: number;
  /** What all lies in: the drive's root, or a folder that others have as well. */
  readonly root: Ino;
  /** Of one edit that both have, their copy takes the place of ours. */
  readonly takesTheirs?: boolean | undefined;
  /** Some of its bytes are in no chunk yet: ours stays, and an edit of theirs becomes the copy. */
  readonly isUnsealed?: ((ino: Ino) => boolean) | undefined;
  /** Where folders have policies. */
  readonly policies?: Policies | undefined;
  /** How many names of one hash theirs may make of ours. */
  readonly crowdMax?: number | undefined;
}

export function resolve(
  ours: Side, theirs: Side,
  { isListed, fresh, root, takesTheirs = false, isUnsealed = none, policies, crowdMax }: Terms,
): Resolved {
  const seen = seenByBoth(ours.seen, theirs.seen);
  const governing = policies && new Governing([ours, theirs], { ...policies, fresh });
  const sides = { ours, theirs, seen, fresh, takesTheirs, isUnsealed, governing };
  const merged: Merged = new Map();
  for (const ino of new Set([...ours.facts.keys(), ...theirs.facts.keys()])) {
    for (const fact of factsOf(ino, sides)) merged.set(fact.inode.ino, fact);
  }
  reviveFolders(merged, sides);
  const crowding = crowdMax === undefined ? undefined : crowdingOf(ours, crowdMax);
  const resolved = tidy(merged, { seen: sides.seen, isListed, root, governing, crowding });
  const { slotOf } = policies ?? {};
  if (resolved.kind === "merged" && slotOf !== undefined) {
    preferResealed(resolved.merged, { ours, theirs, isUnsealed, slotOf });
  }
  return resolved;
}

function none(): boolean {
  return false;
}

function crowdingOf({ facts }: Side, most: number): Crowding {
  return { most, isHere: (ino, place) => hasPlace(facts.get(ino)?.places ?? [], place) };
}

interface Sides {
  readonly ours: Side;
  readonly theirs: Side;
  readonly seen: Seen;
  readonly fresh: number;
  readonly takesTheirs: boolean;
  readonly isUnsealed: (ino: Ino) => boolean;
  readonly governing: Governing | undefined;
}

/** None where it is gone, two where it was edited on both sides. */
function factsOf(ino: Ino, sides: Sides): readonly Fact[] {
  const { ours, theirs, isUnsealed } = sides;
  const our = ours.facts.get(ino);
  const their = theirs.facts.get(ino);
  if (our !== undefined && their !== undefined) return bothOf(our, their, sides);
  if (our !== undefined) return isNews(our, theirs.seen) || isUnsealed(ino) ? [our] : [];
  return their !== undefined && isNews(their, ours.seen) ? [their] : [];
}

function bothOf(our: Fact, their: Fact, sides: Sides): readonly Fact[] {
  checkKind(our, their);
  const { places, moved } = placesOf(our, their, sides);
  const { version, other } = versionsOf(our, their, sides);
  const { edited } = marksOf(version.inode);
  const inode = { ...version.inode, marks: { edited, moved } };
  const merged = { inode, tree: version.tree, places };
  const first = places[0];
  if (other === undefined || first === undefined) return [merged];
  const copy = copyOf(other, first, sides);
  const isThere = [sides.ours, sides.theirs].some(({ facts }) => facts.has(copy.inode.ino));
  return isThere ? [merged] : [merged, copy];
}

/** Nothing becomes a thing of another kind: somebody made that up, and a tree with both is none. */
function checkKind({ inode: one }: Fact, { inode: other }: Fact): void {
  if ((one.mode & typeMask) === (other.mode & typeMask)) return;
  throw new HiveError("Corrupt", "tree.merge", `${one.ino} is of another kind`);
}

interface Versions {
  readonly version: Fact;
  /** Edited as well, and not the same. */
  readonly other?: Fact;
}

function versionsOf(
  our: Fact, their: Fact,
  { ours, theirs, takesTheirs, isUnsealed, governing, fresh }: Sides,
): Versions {
  const stays = isUnsealed(our.inode.ino);
  const ourMark = marksOf(our.inode).edited;
  const theirMark = marksOf(their.inode).edited;
  if (ourMark === theirMark) {
    return { version: takesTheirs && !stays && isOtherCopy(our, their) ? their : our };
  }
  // What is not in a chunk yet nobody has seen, whatever its mark says.
  const isOld = !stays && isKnown(theirs, our, ourMark);
  const isTheirsOld = isKnown(ours, their, theirMark);
  if (isOld !== isTheirsOld) return { version: isOld ? their : our };
  const [version, other] = stays || isLater(our, their) ? [our, their] : [their, our];
  if (isFolder(our)) return { version: joint(version, other, { isOld, governing, fresh }) };
  const needsCopy = !isOld && !sameContent(our, their);
  return needsCopy ? { version, other } : { version };
}

/** A folder is not there twice: what it keeps of the other edit is the policy, and attributes. */
function joint(
  version: Fact, { inode }: Fact,
  { isOld, governing, fresh }:
  { readonly isOld: boolean; readonly governing: Governing | undefined; readonly fresh: number },
): Fact {
  const governed = governing?.withAll(version, [inode.policy]) ?? version;
  return isOld ? governed : withAttributes(governed, inode.xattrs, fresh);
}

/** Those of names that it has not. What is large lies in blocks, which nobody opens here. */
function withAttributes(folder: Fact, others: Xattrs, fresh: number): Fact {
  const { inode } = folder;
  const { xattrs } = inode;
  if (xattrs.kind === "block" || others.kind === "block") return folder;
  // Access lists go with the permissions.
  const isMissing = (name: string): boolean => name.startsWith("user.") && !xattrs.values.has(name);
  const more = [...others.values].filter(([name]) => isMissing(name));
  const values = new Map([...xattrs.values, ...more]);
  if (more.length === 0 || xattrBytes(values) > limits.tree.xattrTotalBytesMax) return folder;
  const marks = { ...marksOf(inode), edited: fresh };
  return { ...folder, inode: { ...inode, xattrs: { kind: "inside", values }, marks } };
}

/** Whoever has an inode knows how it was made. */
function isKnown({ seen }: Side, { inode }: Fact, mark: number): boolean {
  return mark === inode.ino || isSeen(seen, mark);
}

/**
 * The same answer on both sides: by the file's own time, and else by the marks. A folder's time
 * tells of the names in it, and is another on each side.
 */
function isLater({ inode: one }: Fact, { inode: other }: Fact): boolean {
  if (isFolder({ inode: one })) return marksOf(one).edited > marksOf(other).edited;
  if (one.mtime.seconds !== other.mtime.seconds) return one.mtime.seconds > other.mtime.seconds;
  const apart = one.mtime.nanoseconds - other.mtime.nanoseconds;
  return apart === 0 ? marksOf(one).edited > marksOf(other).edited : apart > 0;
}

/** Nothing of the other one would be lost; of larger files that both wrote nobody looks so far. */
function sameContent(our: Fact, their: Fact): boolean {
  const [one, other] = [our.inode, their.inode];
  if (one.sizeBytes !== other.sizeBytes || !sameXattrs(one.xattrs, other.xattrs)) return false;
  if (one.content.kind === "inline" && other.content.kind === "inline") {
    return one.content.bytes.equals(other.content.bytes);
  }
  if (one.content.kind === "symlink" && other.content.kind === "symlink") {
    return one.content.target.equals(other.content.target);
  }
  return one.content.kind === other.content.kind && isOneTree(our.tree, their.tree);
}

function sameXattrs(one: Xattrs, other: Xattrs): boolean {
  if (one.kind === "block") return other.kind === "block" && one.link.cid === other.link.cid;
  if (other.kind === "block" || one.values.size !== other.values.size) return false;
  return [...one.values].every(([name, value]) => other.values.get(name)?.equals(value) === true);
}

/**
 * A file of its own, whose number is the mark of the edit that it keeps. Others have seen that one
 * and have no such file; what they have not seen is that it has a name now.
 */
function copyOf({ inode, tree }: Fact, beside: Place, { seen, fresh }: Sides): Fact {
  const { edited } = marksOf(inode);
  const name = conflictName(beside.name, { mark: edited, inode, seen }, { more: false });
  const marks = { edited, moved: fresh };
  const copy = { ...inode, ino: edited as Ino, links: 1, policy: 0, marks };
  return { inode: copy, tree, places: [{ parent: beside.parent, name }] };
}

interface Places {
  readonly places: readonly Place[];
  readonly moved: number;
}

function placesOf(our: Fact, their: Fact, sides: Sides): Places {
  const ourMark = marksOf(our.inode).moved;
  const theirMark = marksOf(their.inode).moved;
  const isSingle = hasOneName(our) && hasOneName(their);
  if (ourMark === theirMark) {
    return { places: (isSingle ? settled : allPlaces)(our, their), moved: ourMark };
  }
  const isOld = isKnown(sides.theirs, our, ourMark);
  const isTheirsOld = isKnown(sides.ours, their, theirMark);
  const moved = Math.max(ourMark, theirMark);
  const takesOurs = isOld === isTheirsOld ? ourMark === moved : isTheirsOld;
  if (isSingle || isOld !== isTheirsOld) {
    return takesOurs
      ? { places: our.places, moved: ourMark } : { places: their.places, moved: theirMark };
  }
  return { places: allPlaces(our, their), moved };
}

function allPlaces(our: Fact, their: Fact): readonly Place[] {
  return [...our.places, ...their.places.filter((place) => !hasPlace(our.places, place))];
}

function hasOneName(fact: Fact): boolean {
  return isFolder(fact) || (fact.inode.links === 1 && fact.places.length === 1);
}

function settled(our: Fact, their: Fact): readonly Place[] {
  const [one] = our.places;
  const [other] = their.places;
  if (one === undefined) return their.places;
  if (other === undefined) return our.places;
  return samePlace(one, other) ? our.places : [settledPlace(one, other)];
}

/** A folder that one side removed is there again for the sake of what the other put into it. */
function reviveFolders(merged: Merged, { ours, theirs }: Sides): void {
  const queue = [...merged.values()];
  for (let fact = queue.pop(); fact !== undefined; fact = queue.pop()) {
    for (const { parent } of fact.places) {
      const folder = ours.facts.get(parent) ?? theirs.facts.get(parent);
      if (folder === undefined || merged.has(parent)) continue;
      merged.set(parent, folder);
      queue.push(folder);
    }
  }
}
