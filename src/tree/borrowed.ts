/**
 * A tree to read from a root that somebody else made: a folder of his drive, as it was at one
 * moment. It has no keys but those that lie below the root, keeps nothing and commits nothing. What
 * has several names lies in the table of its own drive, which does not come along: it is not shown.
 */
import { treeKeys } from "../dag/keys.ts";
import { parseRoot } from "../dag/root.ts";
import { noTieLinks } from "../dag/ties.ts";
import { Renewer } from "./anew/renewing.ts";
import { Resealer } from "./anew/resealing.ts";
import { Commits } from "./commit/commit.ts";
import { KeptRoots } from "./commit/kept-roots.ts";
import { Brake } from "./past/brake.ts";
import { State, type TreeNeeds } from "./state/state.ts";
import { TiesPart } from "./ties.ts";
import { type Tree, treeOf } from "./tree.ts";

const secretBytes = 32;
/** It makes nothing. */
const nobody = { number: 0, name: "" };

/** `root` is a root record that is not sealed; Corrupt when it is none. */
export function openBorrowedTree(needs: TreeNeeds, root: Uint8Array): Tree {
  // Nothing is ever sealed here.
  const keys = treeKeys(needs.random.bytes(secretBytes));
  const state = new State(needs, keys, parseRoot(root), { readOnly: true, device: nobody });
  state.showsLinked = false;
  const kept = new KeptRoots(state, undefined, undefined);
  const commits = new Commits(state, kept, new TiesPart(state, noTieLinks));
  const brake = new Brake(state, commits, undefined);
  const [resealer, renewer] = [new Resealer(state), new Renewer(state, commits)];
  return treeOf(state, { commits, resealer, renewer, pinner: undefined, brake });
}
