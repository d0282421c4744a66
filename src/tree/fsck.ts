/**
 * What a check does to a tree, in order: the journal is made so, the tree is walked and mended, and
 * after a mending it is walked once more, to be sure. Damage that the journal stumbles over is
 * mended first, and costs the changes that need what is lost, and no others.
 */
import { isFault } from "../base/errors.ts";
import { type Log, describe } from "../base/log.ts";
import { treeKeys } from "../dag/keys.ts";
import { openRoot } from "../dag/root.ts";
import { type CheckNeeds, type CheckOptions, type TreeReport, checkTree } from "./check/check.ts";
import { openTree } from "./tree.ts";

export interface FsckNeeds extends CheckNeeds {
  readonly log: Log;
}

const nothing = { files: 0, directories: 0, givenUp: 0, elsewhere: 0, unknown: 0, changed: false };

/** The store is left as it should be; a drive that was never mounted has nothing to check. */
export async function fsckTree(needs: FsckNeeds, options: CheckOptions): Promise<TreeReport> {
  const root = needs.store.root();
  if (root === undefined || !opens(needs, options, root)) return nothing;
  if (!(await replayed(needs, options))) return nothing;
  const found = await checkTree(needs, options);
  if (!found.changed) return found;
  const { report } = needs;
  // What could not be mended was told the first time.
  const again = (problem: Problem): void => {
    if (problem.mended) report({ ...problem, mended: false });
  };
  return { ...(await checkTree({ ...needs, report: again }, options)), changed: true };
}

function opens(needs: FsckNeeds, { treeSecret }: CheckOptions, root: Uint8Array): boolean {
  try {
    openRoot(treeKeys(treeSecret), root);
    return true;
  } catch (error) {
    if (!isFault(error, "Corrupt", "Denied")) throw error;
    const words = "the drive's root does not open: it is damaged, or of another drive";
    needs.report({ what: "root", path: null, words, mended: false, loss: true });
    return false;
  }
}

type Problem = Parameters<CheckNeeds["report"]>[0];

/** False when it cannot be told yet what the newest state is. */
async function replayed(needs: FsckNeeds, options: CheckOptions): Promise<boolean> {
  try {
    await replayOnce(needs, options, undefined);
    return true;
  } catch (error) {
    if (isFault(error, "Unavailable")) {
      const words = "the newest changes need pages that only peers have: mount the drive once";
      tell(needs, words, false);
      return false;
    }
    if (!isFault(error, "Corrupt")) throw error;
    needs.log.warn("fsck.replay", { why: describe(error) });
  }
  const { unknown } = await checkTree(needs, options);
  if (unknown > 0) {
    tell(needs, "the newest changes need what is neither here nor in the books", false);
    return false;
  }
  let lost = 0;
  await replayOnce(needs, options, () => void lost++);
  if (lost > 0) tell(needs, `${lost} of the newest changes need what is lost, and are lost`, true);
  return true;
}

async function replayOnce(
  needs: FsckNeeds,
  { treeSecret, isFolder = false }: CheckOptions,
  lostChange: (() => void) | undefined,
): Promise<void> {
  const lenient = lostChange === undefined ? {} : { lostChange };
  const tree = await openTree(needs, { treeSecret, isFolder, ...lenient });
  await tree.close();
}

/** A loss is as well as it can be; what must wait stays as it is. */
function tell(needs: FsckNeeds, words: string, isLoss: boolean): void {
  needs.report({ what: "journal", path: null, words, mended: isLoss, loss: isLoss });
}
