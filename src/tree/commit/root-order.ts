/** Which of two roots a machine committed first. Pure. */
import { treeKeys } from "../../dag/keys.ts";
import { openRoot } from "../../dag/root.ts";

export interface TwoRoots {
  readonly root: Uint8Array;
  readonly other: Uint8Array;
}

export function isOlderRoot({ root, other }: TwoRoots, treeSecret: Uint8Array): boolean {
  const keys = treeKeys(treeSecret);
  return openRoot(keys, root).sequence < openRoot(keys, other).sequence;
}
