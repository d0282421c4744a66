/**
 * The names under which people see kept roots: the second from which on the drive was so, in UTC,
 * and of those after the first in one second their place in it. They stay whatever else goes. Pure.
 */
import { type Name, parseName } from "../../base/ids.ts";
import type { KeptRoot } from "../../dag/kept.ts";

export function nameOf({ root, place }: Pick<KeptRoot, "root" | "place">): Name {
  const second = new Date(root.committedAtMs).toISOString().replace(/\.\d+Z$/, "Z");
  return parseName(place === 0 ? second : `${second}.${place}`);
}
