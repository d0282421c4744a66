/** What changed between two moments, path by path. What both have in common is not looked at. */
import { HiveError, isFault } from "../../base/errors.ts";
import type { Attributes } from "../../base/filesystem.ts";
import { type Name, nameToText } from "../../base/ids.ts";
import type { Difference } from "../../base/snapshots.ts";
import { isFolderMode } from "../../dag/inodes.ts";
import { nodeAt } from "../looking/walking.ts";
import { isSame, isSameTree, namesIn } from "./comparing.ts";
import type { Moment } from "./moment.ts";

type Side = { readonly moment: Moment; readonly attributes: Attributes | undefined };

/** Folders before what is in them, names in order. */
export async function* differences(
  before: Moment, after: Moment, path: readonly string[],
): AsyncGenerator<Difference> {
  const [old, now] = [await sideOf(before, path), await sideOf(after, path)];
  const words = path.map((name) => nameToText(name as Name)).join("/");
  if (old.attributes === undefined && now.attributes === undefined) {
    throw new HiveError("NotFound", "tree.diff", `${words}: neither there then nor now`);
  }
  yield* between(old, now, words);
}

async function sideOf(moment: Moment, path: readonly string[]): Promise<Side> {
  try {
    const node = await nodeAt(moment.state, path);
    node.lookups++;
    return { moment, attributes: node.attributes() };
  } catch (error) {
    if (isFault(error, "NotFound", "NotDirectory")) return { moment, attributes: undefined };
    throw error;
  }
}

/** Lets go of both sides. */
async function* between(old: Side, now: Side, path: string): AsyncGenerator<Difference> {
  const [a, b] = [old.attributes, now.attributes];
  try {
    const isFolder = b !== undefined && isFolderMode(b.mode);
    const isOneKind = a !== undefined && b !== undefined && isFolderMode(a.mode) === isFolder;
    if (isOneKind && isFolder) yield* betweenFolders(old, now, path);
    else if (isOneKind) yield* betweenFiles(old, now, path);
    else {
      if (a !== undefined) yield* allBelow(old, path, "gone");
      if (b !== undefined) yield* allBelow(now, path, "made");
    }
  } finally {
    for (const { moment, attributes } of [old, now]) {
      if (attributes !== undefined) moment.files.forget(attributes.ino, 1);
    }
  }
}

async function* betweenFiles(old: Side, now: Side, path: string): AsyncGenerator<Difference> {
  const one = { moment: old.moment, ino: (old.attributes as Attributes).ino };
  const other = { moment: now.moment, ino: (now.attributes as Attributes).ino };
  if (!(await isSame(one, other))) yield { kind: "changed", path };
}

async function* betweenFolders(old: Side, now: Side, path: string): AsyncGenerator<Difference> {
  const [a, b] = [old, now].map(({ moment, attributes }) => {
    return moment.state.nodes.get((attributes as Attributes).ino);
  });
  if (a === undefined || b === undefined || isSameTree(a.tree, b.tree)) return;
  const before = await namesIn(old.moment.files, a.ino);
  const after = await namesIn(now.moment.files, b.ino);
  for (const name of [...new Set([...before.keys(), ...after.keys()])].sort()) {
    const one = { moment: old.moment, attributes: before.get(name) };
    const other = { moment: now.moment, attributes: after.get(name) };
    yield* between(one, other, below(path, name));
  }
}

async function* allBelow(
  { moment, attributes }: Side, path: string, kind: "made" | "gone",
): AsyncGenerator<Difference> {
  if (attributes === undefined) return;
  if (!isFolderMode(attributes.mode)) return yield { kind, path };
  yield { kind, path: `${path}/` };
  for (const [name, child] of [...(await namesIn(moment.files, attributes.ino))].sort(byName)) {
    yield* allBelow({ moment, attributes: child }, below(path, name), kind);
    moment.files.forget(child.ino, 1);
  }
}

function byName([a]: readonly [Name, Attributes], [b]: readonly [Name, Attributes]): number {
  return a < b ? -1 : 1;
}

function below(path: string, name: Name): string {
  return path === "" ? nameToText(name) : `${path}/${nameToText(name)}`;
}
