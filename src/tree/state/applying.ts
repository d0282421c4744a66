/**
 * What each change makes of the state in memory: the same for what an operation decides now and for
 * what the journal tells after a crash. It tells nobody but the brake, which has to see what a file
 * was: whoever looks further than at one node must see all of a record, or none of it (state.ts).
 */
import type { Ino } from "../../base/ids.ts";
import {
  type Inode, type PageTree, bringsBlock, marksOf, mergedSlot, noTree,
} from "../../dag/inodes.ts";
import { deviceOf } from "../../dag/marks.ts";
import type { Change, HomePlace } from "./journal.ts";
import { type Node, countedBytesOf, notCounted, sameHome } from "./nodes.ts";
import type { State } from "./state.ts";

/** Makes a change so, without a word to the journal. */
export function apply(state: State, change: Change): void {
  const { active } = state;
  switch (change.kind) {
    case "where":
      return;
    case "inode":
      return setInode(state, change.inode, change.home);
    case "bind":
      active.namesOf(change.directory).set(change.key, change);
      return;
    case "unbind":
      active.namesOf(change.directory).set(change.key, null);
      return;
    case "cut":
      return cut(state, change.ino, change.from);
    case "chunk":
      active.chunksOf(change.ino).links.set(change.index, change.link);
      return;
    case "hole":
      active.chunksOf(change.ino).links.set(change.index, null);
      return;
    case "policies":
      return state.havePolicies(change.policies);
    case "graft":
      return graft(state, change.ino, change.tree);
    case "seen":
      return state.haveSeen(change.devices);
    case "eras":
      return state.haveEras(change.eras);
    case "data":
      // The bytes are in the file's dirty chunks already; replay.ts puts them there.
      return;
  }
}

function setInode(state: State, inode: Inode, place: HomePlace): void {
  const home = state.homeOf(place);
  const node = state.nodes.find(inode.ino) ?? state.nodes.add(inode, noTree, home);
  if (state.quiet === 0) state.changing(node, inode);
  const isMoved = !sameHome(node.home, home);
  const isFolder = inode.content.kind === "directory";
  const isGoverned = isMoved || node.inode.policy !== inode.policy;
  if (isGoverned) node.slotAt = -1;
  // What lies below a folder follows it; below a file there is nothing.
  if (isGoverned && isFolder) state.placesChanged++;
  // Its pages stay where they are when attributes come that another device sealed.
  const isMixed = isFolder && bringsBlock(inode, node.inode);
  if (isMixed) node.treeSlot = mergedSlot(node.treeSlot, inode.slot);
  node.inode = inode;
  if (isMoved) {
    if (!state.movedFrom.has(node)) state.movedFrom.set(node, node.home);
    state.nodes.move(node, home);
  }
  if (home.kind === "entry") state.keep(home.parent);
  const published = state.publishedInode(node, inode);
  state.active.keep({ node, inode: published, home: node.home });
  node.anchored = state.active.number;
  count(state, node, published);
  const { edited, moved } = marksOf(inode);
  notAgain(state, inode.ino);
  notAgain(state, edited);
  notAgain(state, moved);
}

/** A mark of this device is made once. */
function notAgain(state: State, mark: number): void {
  if (mark < state.nextIno) return;
  if (deviceOf(mark) === state.device.number) state.nextIno = mark + 1;
}

function graft(state: State, ino: Ino, tree: PageTree): void {
  const node = state.nodes.get(ino);
  node.tree = tree;
  node.treeSlot = node.inode.slot;
  state.active.chunks.delete(ino);
  state.keep(node);
}

function count({ totals }: State, node: Node, inode: Inode): void {
  const before = node.countedBytes;
  const bytes = inode.links > 0 ? countedBytesOf(inode) : notCounted;
  const files = Number(bytes !== notCounted) - Number(before !== notCounted);
  // A tree of a shared folder began without knowing how much there is.
  totals.files = Math.max(0, totals.files + files);
  const more = Math.max(0, bytes) - Math.max(0, before);
  totals.bytes = Math.max(0, totals.bytes + more);
  node.countedBytes = bytes;
}

function cut({ active }: State, ino: Ino, from: number): void {
  const changes = active.chunksOf(ino);
  changes.cutFrom = Math.min(changes.cutFrom, from);
  changes.links.cutFrom(from);
}
