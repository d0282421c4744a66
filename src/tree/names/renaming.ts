/**
 * rename(2) in all its cases. What it will do is decided in full before anything changes; then one
 * journal record does it.
 */
import { HiveError } from "../../base/errors.ts";
import type { Place, RenameKind } from "../../base/filesystem.ts";
import { type Name, parseName } from "../../base/ids.ts";
import { Wanted } from "../attempt.ts";
import { isPublished, publish } from "../content/flush.ts";
import { type Found, directoryOf, entriesOf, findName, freeKey } from "../looking/names.ts";
import { isDirectory, livingDirectory, nodeOf } from "../looking/names.ts";
import type { Change, HomePlace } from "../state/journal.ts";
import type { Node, NodeName } from "../state/nodes.ts";
import { inodeChange, record } from "../state/recording.ts";
import type { State } from "../state/state.ts";
import { checkLinks, parentChange } from "./making.ts";
import { following, inodeAfterMove } from "./moving.ts";
import { mayLiveIn } from "./one-name.ts";
import { afterLoss, nameLost } from "./removing.ts";

interface Side {
  readonly parent: Node;
  readonly name: Name;
  readonly found: Found | undefined;
  readonly node: Node | undefined;
}

export function rename(state: State, from: Place, to: Place, kind: RenameKind): void {
  state.mayChange();
  const source = sideOf(state, directoryOf(state, from.parent), from.name);
  const target = sideOf(state, livingDirectory(state, to.parent), parseName(to.name));
  if (source.node === undefined) throw new HiveError("NotFound", "tree.rename", from.name);
  if (kind === "exchange") return exchange(state, source, target);
  if (kind === "noreplace" && target.node !== undefined) {
    throw new HiveError("Exists", "tree.rename", to.name);
  }
  refuseLoop(source.node, target.parent);
  // Two names of one file: POSIX says that nothing happens.
  if (source.node === target.node) return;
  if (target.node !== undefined) checkReplace(source.node, target.node);
  move(state, source, target);
}

function sideOf(state: State, parent: Node, name: Name): Side {
  const found = findName(state, parent, name);
  const node = found && nodeOf(state, parent, found);
  return { parent, name, found, node };
}

function move(state: State, source: Side, target: Side): void {
  const { node, found } = source;
  if (node === undefined || found === undefined) return;
  if (target.node !== undefined) dataFirst(state, node);
  const climbs = isDirectory(node) && source.parent !== target.parent;
  if (climbs && target.node === undefined) checkLinks(target.parent);
  const key = target.found?.key ?? freeKey(state, target.parent, target.name);
  const lost = target.node === undefined
    ? [] : nameLost(state, target.node, { parent: target.parent.ino, key });
  const follows = following(state, node, target.parent);
  record(state, [
    ...lost,
    { kind: "unbind", directory: source.parent.ino, key: found.key },
    bound(target, key, node),
    rehomed(state, node, target, key),
    ...moveParents(state, source, target),
    ...follows.changes,
  ]);
  follows.begin();
  if (target.node !== undefined) afterLoss(state, target.node);
}

/** A program that writes anew and renames over the old expects one or the other after a crash. */
function dataFirst(state: State, node: Node): void {
  if (!isPublished(state, node)) throw new Wanted(() => publish(state, [node]));
}

/** Names and sub-directories that each parent gains and loses. */
function moveParents(state: State, source: Side, target: Side): readonly Change[] {
  const directories = Number(source.node !== undefined && isDirectory(source.node));
  const replaced = Number(target.node !== undefined);
  const replacedDirectories = Number(target.node !== undefined && isDirectory(target.node));
  if (source.parent === target.parent) {
    const lost = { entries: -replaced, links: -replacedDirectories };
    return [parentChange(state, source.parent, lost)];
  }
  const gained = { entries: 1 - replaced, links: directories - replacedDirectories };
  return [
    parentChange(state, source.parent, { entries: -1, links: -directories }),
    parentChange(state, target.parent, gained),
  ];
}

function exchange(state: State, source: Side, target: Side): void {
  const { node, found } = source;
  const other = target.node;
  if (node === undefined || found === undefined) return;
  if (other === undefined || target.found === undefined) {
    throw new HiveError("NotFound", "tree.rename", target.name);
  }
  refuseLoop(node, target.parent);
  refuseLoop(other, source.parent);
  if (node === other) return;
  dataFirst(state, node);
  dataFirst(state, other);
  const shift = Number(isDirectory(other)) - Number(isDirectory(node));
  const apart = source.parent !== target.parent;
  const follows = [following(state, node, target.parent), following(state, other, source.parent)];
  record(state, [
    bound(source, found.key, other),
    bound(target, target.found.key, node),
    rehomed(state, node, target, target.found.key),
    rehomed(state, other, source, found.key),
    parentChange(state, source.parent, { entries: 0, links: apart ? shift : 0 }),
    ...(apart ? [parentChange(state, target.parent, { entries: 0, links: -shift })] : []),
    ...follows.flatMap(({ changes }) => changes),
  ]);
  for (const { begin } of follows) begin();
}

function bound(side: Side, key: number, node: Node): Change {
  return { kind: "bind", directory: side.parent.ino, key, name: side.name, ino: node.ino };
}

function rehomed(state: State, node: Node, side: Side, key: number): Change {
  const moved = inodeAfterMove(state, node, side.parent);
  const place = { parent: side.parent.ino, key, name: side.name };
  // It may have this name alone one day.
  if (node.home.kind === "table") node.met(place);
  const isHome = node.home.kind === "entry" || hasOneName(state, node, place);
  // Where it lives in a folder it goes by that.
  const own = isHome && node.home.kind === "table" ? { policy: 0 } : {};
  const change = inodeChange(state, node, { ...moved, ...own, ctime: state.now() });
  if (!isHome || change.kind !== "inode") return change;
  const home: HomePlace = { kind: "entry", ...place };
  return { ...change, home };
}

/** A file that had several, and lies in the table yet. */
function hasOneName(state: State, node: Node, place: NodeName): boolean {
  return node.home.kind === "table" && node.inode.links === 1 && mayLiveIn(state, node, place);
}

/** A directory cannot move into itself or below. */
function refuseLoop(node: Node, into: Node): void {
  for (let at = into; ; at = at.home.parent) {
    if (at === node) throw new HiveError("Invalid", "tree.rename", "into itself");
    if (at.home.kind !== "entry") return;
  }
}

function checkReplace(node: Node, target: Node): void {
  const subject = String(target.ino);
  if (isDirectory(node) && !isDirectory(target)) {
    throw new HiveError("NotDirectory", "tree.rename", subject);
  }
  if (!isDirectory(node) && isDirectory(target)) {
    throw new HiveError("IsDirectory", "tree.rename", subject);
  }
  if (isDirectory(target) && entriesOf(target) > 0) {
    throw new HiveError("NotEmpty", "tree.rename", subject);
  }
}
