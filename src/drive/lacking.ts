/**
 * What was written over parts of what only peers have, in the drive and in folders of others: it
 * waits for them, and nothing else does for its sake.
 */
import type { HiveError } from "../base/errors.ts";
import { sharedName } from "../base/grafts.ts";
import { limits } from "../base/limits.ts";
import type { LackingFiles } from "../base/views/drive.ts";
import type { SharedFolders } from "../shared/folders.ts";
import type { Tree } from "../tree/tree.ts";

type Written = Pick<Tree | SharedFolders, "commitMost" | "lackingFiles">;

export interface AllWritten {
  readonly tree: Written;
  readonly shared: Written;
}

export function lackingFilesOf({ tree, shared }: AllWritten): LackingFiles | null {
  const inShared = shared.lackingFiles().map((file) => {
    return { ...file, path: `/${sharedName}${file.path}` };
  });
  const files = [...tree.lackingFiles(), ...inShared];
  if (files.length === 0) return null;
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return { count: files.length, bytes, some: files.slice(0, limits.tree.lackingToldMax) };
}

/** Answers with the fault of what peers do not give; all else is committed. */
export async function commitMost({ tree, shared }: AllWritten): Promise<HiveError | undefined> {
  const [own, others] = await Promise.all([tree.commitMost(), shared.commitMost()]);
  return own ?? others;
}
