/** How full the store is of what no peer has, as the tree goes by it. */
import { limits } from "../../base/limits.ts";
import type { State } from "./state.ts";

/**
 * True when the store fills faster than it goes up. Only what is committed goes up, and only what
 * has gone up makes room: so commits come often, and take what has found room already.
 */
export function isFilling({ needs }: State): boolean {
  const { dirtyBytes, dirtyBytesMax } = needs.store.usage();
  return dirtyBytes > dirtyBytesMax / 2;
}

/** Of what no peer has: whatever is not needed has to go. */
export function isNearlyFull({ needs, blocks }: State): boolean {
  const { dirtyBytes, dirtyBytesMax } = needs.store.usage();
  return blocks.isStuck || dirtyBytes > dirtyBytesMax * limits.tree.garbageShare;
}
