/**
 * Which changes of an inode are an edit, and which a move: the two that a merge must know of. What
 * only counts the names below a folder, or looks at a file, is neither.
 */
import type { Ino } from "../../base/ids.ts";
import { type Inode, inodeWith, marksOf } from "../../dag/inodes.ts";
import { type Seen, deviceOf, markOf } from "../../dag/marks.ts";
import type { Change, HomePlace } from "./journal.ts";
import type { Told } from "./layers.ts";
import type { Node } from "./nodes.ts";
import type { State } from "./state.ts";

/** The changes of one record, saying that this device made them. */
export function markedAll(state: State, changes: readonly Change[]): readonly Change[] {
  return changes.map((change) => {
    return change.kind === "inode" ? marked(state, change, changes) : change;
  });
}

type InodeChange = Change & { readonly kind: "inode" };

function marked(state: State, change: InodeChange, record: readonly Change[]): Change {
  const node = state.nodes.find(change.inode.ino);
  if (node === undefined) return { ...change, inode: markedAnew(state, change.inode) };
  if (change.home.kind === "none") {
    countRemoval(state);
    return change;
  }
  const last = marksOf(node.inode);
  const edited = isEdit(node.inode, change.inode) ? markAfter(state, last.edited) : last.edited;
  const isMove = !isAt(node, change.home) || hasOtherNames(node, change.inode, record);
  const moved = isMove ? markAfter(state, last.moved) : last.moved;
  // As a rule it bears them already: a layer needs one for all its changes.
  const borne = marksOf(change.inode);
  if (edited === borne.edited && moved === borne.moved) return change;
  return { ...change, inode: inodeWith(change.inode, { marks: { edited, moved } }) };
}

/** One that is made bears its number; one that comes back, as from a snapshot, is news. */
function markedAnew(state: State, inode: Inode): Inode {
  const mark = markAfter(state, inode.ino);
  if (mark !== inode.ino) return inodeWith(inode, { marks: { edited: mark, moved: mark } });
  if (inode.marks === undefined) return inode;
  return { ...inode, marks: undefined };
}

/** Nobody has seen what the active layer holds: there one mark does for all. */
function markAfter(state: State, last: number): number {
  const isFresh = deviceOf(last) === state.device.number && last >= state.freshFrom;
  return isFresh ? last : state.nextIno++;
}

/** What is gone bears no mark, but whoever has seen this device's next one has seen it go. */
function countRemoval(state: State): void {
  if (state.nextIno === state.freshFrom) state.nextIno++;
}

/** What the tree has of every device, this one among them. */
export function devicesOf({ device: { number, name }, seen, nextIno }: State): Seen {
  if (number === 0) return seen;
  return new Map(seen).set(number, { count: nextIno - 1 - markOf(number, 0), name });
}

/** What the next root says of the drive as a whole. */
export function toldNow(state: State): Told {
  const { nextIno, totals, policies, eras } = state;
  return { nextIno: nextIno as Ino, ...totals, policies, devices: devicesOf(state), eras };
}

const attributeNames = ["mode", "uid", "gid", "rdev", "policy", "xattrs"] as const;

function isEdit(before: Inode, after: Inode): boolean {
  if (attributeNames.some((name) => before[name] !== after[name])) return true;
  if (after.content.kind === "directory") return false;
  // The kernel tells times that it holds again and again, as after a rename.
  return before.content !== after.content || before.sizeBytes !== after.sizeBytes
    || before.mtime.seconds !== after.mtime.seconds
    || before.mtime.nanoseconds !== after.mtime.nanoseconds;
}

function isAt({ home }: Node, place: HomePlace): boolean {
  if (home.kind !== "entry" || place.kind !== "entry") return home.kind === place.kind;
  return home.parent.ino === place.parent && home.name === place.name;
}

/** Of a file with several names, each of which may move; a folder's number counts folders. */
function hasOtherNames(node: Node, after: Inode, record: readonly Change[]): boolean {
  const { home, ino, inode } = node;
  const isNamed = (one: Change): boolean => one.kind === "bind" && one.ino === ino;
  if (home.kind === "table" && record.some(isNamed)) return true;
  return after.content.kind !== "directory" && inode.links !== after.links;
}
