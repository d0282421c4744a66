/**
 * The tree's part among the drive's devices: it takes in what others made, and tells what this one
 * did. While one of them listens, what changes here is committed at once (prompt.ts).
 */
import type { Loan, OwnNews } from "../base/devices.ts";
import type { PeerId } from "../base/ids.ts";
import { openRoot } from "../dag/root.ts";
import type { Commits } from "./commit/commit.ts";
import { Prompt } from "./commit/prompt.ts";
import type { Merger, StaleListener } from "./merge/merge.ts";
import type { Brake } from "./past/brake.ts";
import type { State } from "./state/state.ts";

export interface DevicePart {
  /**
   * Takes in another device's root; answers whether it changed anything. With a loan, that device
   * told it directly, and some of its blocks may be there alone.
   */
  merge(root: Uint8Array, tell: StaleListener, loan?: Loan): Promise<boolean>;
  /** What they call themselves; null of whom nothing is known here. */
  namesOf(peers: readonly PeerId[]): readonly (string | null)[];
  /** The newest root that others may hear of. */
  news(): OwnNews | undefined;
  /** Whether another device is there to hear of changes at once. */
  listen(isHeard: boolean): void;
}

export function devicePart(
  state: State,
  { commits, brake, merger }: {
    readonly commits: Commits; readonly brake: Brake; readonly merger: Merger;
  },
): DevicePart {
  const committer = commits.step();
  const never = new AbortController().signal;
  const prompt = new Prompt(state, () => committer.step(never));
  const news = newsOf(state);
  return {
    merge: async (root, tell, loan) => {
      await commits.ties.meet(openRoot(state.keys, root), loan);
      return merger.merge(root, tell, loan);
    },
    namesOf: (peers) => merger.namesOf(peers),
    // A loss that somebody is asked about is not told before he has answered.
    news: () => (brake.isOn ? undefined : news()),
    listen: (isHeard) => prompt.listen(isHeard),
  };
}

/** Opened once for each root. */
function newsOf({ needs: { store }, keys, device: { number } }: State): () => OwnNews | undefined {
  let known: OwnNews | undefined;
  return () => {
    const root = store.root();
    if (root === undefined || number === 0) return undefined;
    if (root === known?.root) return known;
    known = { root, count: openRoot(keys, root).devices.get(number)?.count ?? 0 };
    return known;
  };
}
