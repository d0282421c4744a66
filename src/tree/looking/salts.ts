/**
 * With which salt a file's chunks are sealed. Whoever was given a folder sees the names of its
 * blocks, and in the catalogue since when each has been there; whoever writes it chooses their
 * bytes. So that nobody can tell by this whether the same bytes lie elsewhere in the drive, what is
 * sealed in such a folder has keys of its own, and so has what is taken over from each who writes
 * it, who may never have seen what was there before. All devices of the drive make the same, as
 * does a flush after a crash. Looking is a walk up the nodes in memory. It never waits.
 */
import { markOf } from "../../dag/marks.ts";
import type { Ground, Salt } from "../../dag/keys.ts";
import type { Node } from "../state/nodes.ts";
import type { State } from "../state/state.ts";
import { slotOf } from "./slots.ts";

export function groundOf(state: State, node: Node): Ground {
  return { slot: slotOf(state, node), salt: saltOf(state, node) };
}

/** Of the nearest folder, itself included, that others were given. */
export function saltOf({ given }: Pick<State, "given">, node: Node): Salt {
  if (given.size === 0) return 0;
  for (let at = node; ; at = at.home.parent) {
    if (given.has(at.ino)) return at.ino;
    if (at.home.kind !== "entry") return 0;
  }
}

/** No file bears the first mark of a device. */
export function saltOfGuest(number: number): Salt {
  return markOf(number, 0);
}
