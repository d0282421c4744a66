/** What a commit reads out of a frozen layer: the names to be changed, and in which order. Pure. */
import { assert } from "../../base/errors.ts";
import type { Ino } from "../../base/ids.ts";
import { encodeLink } from "../../dag/chunks.ts";
import type { Changes } from "../../dag/rewrite.ts";
import { InoMap } from "./ino-map.ts";
import type { Binding, ChunkChanges, Layer, Snapshot } from "./layers.ts";

/** A directory's changed names; null where one was taken away. */
export type Plan = Map<number, Binding | null>;

export function planFor(plans: InoMap<Plan>, ino: Ino): Plan {
  const plan = plans.get(ino) ?? new Map<number, Binding | null>();
  plans.set(ino, plan);
  return plan;
}

/** The deepest first. */
export function byDepth(layer: Layer, directories: readonly Ino[]): Ino[] {
  const depths = new InoMap<number>();
  const depthOf = (ino: Ino): number => {
    const known = depths.get(ino);
    if (known !== undefined) return known;
    const { home } = snapshotOf(layer, ino);
    const depth = home.kind === "entry" ? depthOf(home.parent.ino) + 1 : 0;
    depths.set(ino, depth);
    return depth;
  };
  return [...directories].sort((a, b) => depthOf(b) - depthOf(a));
}

export function snapshotOf(layer: Layer, ino: Ino): Snapshot {
  const snapshot = layer.inodes.get(ino);
  assert(snapshot !== undefined, "a layer holds every directory above what it holds");
  return snapshot;
}

/** The table may have it, and is not to: it is gone, or lives in a folder again. */
export function hasLeftTable({ node, home }: Snapshot): boolean {
  return home.kind === "none" || (home.kind === "entry" && node.wasLinked);
}

export function linkChanges({ cutFrom, links }: ChunkChanges): Changes {
  const keys: number[] = [];
  const values: (Buffer | undefined)[] = [];
  for (const [index, link] of links) {
    keys.push(index);
    values.push(link === null ? undefined : encodeLink(link));
  }
  return { cutFrom, keys, values };
}
