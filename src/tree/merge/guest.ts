/**
 * The door of a folder that somebody else writes too: what of his state may come in, and as what.
 * He may say anything about that folder and about nothing else, so a number that is not in the
 * folder is never believed to be what it says: it may be a file of this drive that he never saw.
 * What he made himself keeps its number, as his marks are his alone; all else gets a new one. What
 * cannot have come about by writing in the folder is Corrupt, and nothing of it comes in. He may
 * write on several devices, and what one of them says of another is his word all the same. Pure.
 */
import type { PolicySlot } from "../../base/blocks.ts";
import { HiveError } from "../../base/errors.ts";
import { pastNames } from "../../base/grafts.ts";
import type { Ino } from "../../base/ids.ts";
import { type Inode, type Marks, fileType, marksOf, noTree, typeMask } from "../../dag/inodes.ts";
import { type Seen, countOf, deviceOf, isSeen } from "../../dag/marks.ts";
import { type Fact, type Side, isFolder, isNews } from "./facts.ts";

export interface Guest {
  /** Of the device that this is the state of, and what he is called here. */
  readonly number: number;
  readonly name: string;
  /** Of all devices that he writes on, this one among them. */
  readonly numbers: ReadonlySet<number>;
  /** The folder here that his root is. */
  readonly folder: Ino;
  /** A number that this drive has not used yet, and uses for nothing else. */
  readonly fresh: () => number;
}

/** Whatever had such a name would hide what the folder was. */
const drivesNames: ReadonlySet<string> = new Set(Object.values(pastNames));

type His = Pick<Guest, "number" | "name" | "numbers">;

/** What his heads say of himself, which is all that they are believed about. */
export function guestSeen(devices: Seen, { number, name, numbers }: His): Seen {
  const told = [...numbers].filter((one) => one === number || devices.has(one));
  return new Map(told.map((one) => [one, { count: devices.get(one)?.count ?? 0, name }]));
}

/** His side as it may be laid beside ours. Stale when it is older than what was taken in before. */
export function admitted(ours: Side, theirs: Side, guest: Guest): Side {
  const { number, folder } = guest;
  const told = theirs.seen.get(number)?.count ?? 0;
  const before = ours.seen.get(number)?.count ?? 0;
  if (told < before) throw new HiveError("Stale", "tree.guest", `${told} of ${before}`);
  const seen = believed(theirs.seen, ours.seen, guest);
  const isNew = newOf(guest, ours.seen);
  const numbers = numbersOf(theirs, { ours, guest, isNew });
  const facts = new Map<Ino, Fact>();
  // What the folder itself is called, or may do, is its owner's business.
  const own = ours.facts.get(folder);
  if (own !== undefined) facts.set(folder, own);
  for (const [ino, fact] of theirs.facts) {
    if (ino === folder) continue;
    checkFact(fact, { seen, ours, guest });
    const number = numbers.get(ino);
    if (number === undefined) continue;
    if (facts.has(number)) throw corrupt(`${number} is there twice`);
    const { policy = 0 } = ours.facts.get(number)?.inode ?? {};
    const one = isNew(marksOf(fact.inode).edited) ? fact : asHere(fact, ours);
    facts.set(number, renumbered(one, { number, policy, numbers, guest }));
  }
  // Files of several names do not come with a folder: he has never seen them.
  for (const [ino, fact] of ours.facts) if (isLinked(fact)) facts.set(ino, fact);
  return { facts, seen };
}

/** He has seen of others what was told to him by this drive, and no more. */
function believed(theirs: Seen, ours: Seen, guest: Guest): Seen {
  const seen = new Map([...ours].flatMap(([device, known]) => {
    const count = Math.min(known.count, theirs.get(device)?.count ?? 0);
    return [[device, { ...known, count }] as const];
  }));
  for (const [device, own] of guestSeen(theirs, guest)) seen.set(device, own);
  return seen;
}

interface Judged {
  readonly seen: Seen;
  readonly ours: Side;
  readonly guest: Guest;
}

function checkFact({ inode, places }: Fact, { seen, ours, guest }: Judged): void {
  const { edited, moved } = marksOf(inode);
  const known = (mark: number): boolean =>
    isSeen(guest.numbers.has(deviceOf(mark)) ? seen : ours.seen, mark);
  const isHis = [inode.ino, edited, moved].every(known);
  if (!isHis) throw corrupt(`${inode.ino} bears a mark that is not his`);
  const [place] = places;
  if (place === undefined || places.length > 1) {
    throw corrupt(`${inode.ino} has ${places.length} places`);
  }
  const our = ours.facts.get(inode.ino);
  const hides = drivesNames.has(place.name) && our?.places[0]?.name !== place.name;
  if (hides) throw new HiveError("Exists", "tree.guest", `${place.name} is the drive's own name`);
}

/** What he made since his last state came in. */
type IsNew = (mark: number) => boolean;

function newOf({ numbers }: Guest, seen: Seen): IsNew {
  return (mark) => {
    const device = deviceOf(mark);
    return numbers.has(device) && countOf(mark) > (seen.get(device)?.count ?? 0);
  };
}

/**
 * What he edits he marks anew. All else he was given, or told before: whatever he says that it is,
 * ours is that or newer.
 */
function asHere(fact: Fact, { facts }: Side): Fact {
  const our = facts.get(fact.inode.ino);
  if (our === undefined || isLinked(our)) return fact;
  const { edited } = marksOf(our.inode);
  const { moved } = marksOf(fact.inode);
  return { ...fact, inode: { ...our.inode, marks: { edited, moved } }, tree: our.tree };
}

/** Under which number each comes in; without one it does not. */
function numbersOf(
  theirs: Side,
  { ours, guest, isNew }: {
    readonly ours: Side; readonly guest: Guest; readonly isNew: IsNew;
  },
): ReadonlyMap<Ino, Ino> {
  const numbers = new Map<Ino, Ino>([[guest.folder, guest.folder]]);
  for (const [ino, fact] of theirs.facts) {
    const our = ours.facts.get(ino);
    const isHere = our !== undefined && !isLinked(our);
    if (isHere || isNew(ino)) {
      if (mayCome(fact.inode)) numbers.set(ino, ino);
      continue;
    }
    // A folder may be needed for the sake of what is in it; whether it is, the rules say.
    const comes = isFolder(fact) || (isNews(fact, ours.seen) && mayCome(fact.inode));
    if (!comes) continue;
    const { edited } = marksOf(fact.inode);
    const isEdit = !isFolder(fact) && isNew(edited) && !theirs.facts.has(edited as Ino);
    numbers.set(ino, (isEdit ? edited : guest.fresh()) as Ino);
  }
  return numbers;
}

/** No device of this machine is anybody's to give. */
function mayCome(inode: Inode): boolean {
  const type = inode.mode & typeMask;
  return type !== fileType.character && type !== fileType.block;
}

/** What this drive gave a number, or another folder, this drive has moved: he is to follow. */
function renumbered(
  fact: Fact,
  { number, policy, numbers, guest }: {
    readonly number: Ino; readonly policy: PolicySlot; readonly numbers: ReadonlyMap<Ino, Ino>;
    readonly guest: Guest;
  },
): Fact {
  const { inode } = fact;
  const places = fact.places.map(({ parent, name }) => {
    return { parent: numbers.get(parent) ?? guest.folder, name };
  });
  const isElsewhere = places.some(({ parent }, at) => parent !== fact.places[at]?.parent);
  const tree = inode.content.kind === "chunks" || isFolder(fact) ? fact.tree : noTree;
  const marks = marksFor(inode, { number, isElsewhere, fresh: guest.fresh });
  return { inode: { ...inode, ino: number, policy, marks }, tree, places };
}

function marksFor(
  inode: Inode,
  { number, isElsewhere, fresh }: {
    readonly number: Ino; readonly isElsewhere: boolean; readonly fresh: () => number;
  },
): Marks {
  const { edited, moved } = marksOf(inode);
  if (number === inode.ino) return { edited, moved: isElsewhere ? fresh() : moved };
  return { edited: number, moved: fresh() };
}

function isLinked({ inode, places }: Fact): boolean {
  return !isFolder({ inode }) && (inode.links > 1 || places.length > 1);
}

function corrupt(why: string): HiveError {
  return new HiveError("Corrupt", "tree.guest", why);
}
