/**
 * The check of all that a machine keeps of a drive's user: the drive, and each folder of others
 * that is written here, which has a store of its own. One after another, told as one report.
 */
import { existsSync } from "node:fs";
import type { FsckProblem, FsckReport } from "../base/damages.ts";
import { type DriveCheckNeeds, type DriveCheckOptions, checkDrive } from "./check.ts";

type How = Pick<DriveCheckOptions, "repair" | "giveUp">;
type Store = Omit<DriveCheckOptions, keyof How>;

export interface FolderStore extends Store {
  /** What the folder is called below Shared. */
  readonly name: string;
}

export async function checkAll(
  needs: DriveCheckNeeds,
  { drive, folders }: { readonly drive: Store; readonly folders: readonly FolderStore[] },
  how: How,
): Promise<FsckReport> {
  let found = await checkDrive(needs, { ...drive, ...how });
  // One that was accepted and never opened has no store.
  const there = folders.filter(({ cacheDirectory }) => existsSync(cacheDirectory));
  for (const { name, ...store } of there) {
    const report = (problem: FsckProblem): void => needs.report(placed(problem, `/Shared/${name}`));
    const more = await checkDrive({ ...needs, report }, { ...store, ...how, isFolder: true });
    found = together(found, more);
  }
  return found;
}

function placed(problem: FsckProblem, folder: string): FsckProblem {
  return { ...problem, path: problem.path === null ? folder : `${folder}${problem.path}` };
}

function together(one: FsckReport, other: FsckReport): FsckReport {
  return {
    repaired: one.repaired,
    blocks: one.blocks + other.blocks, blockBytes: one.blockBytes + other.blockBytes,
    files: one.files + other.files, directories: one.directories + other.directories,
    givenUp: one.givenUp + other.givenUp, elsewhere: one.elsewhere + other.elsewhere,
    problems: one.problems + other.problems, losses: one.losses + other.losses,
    left: one.left + other.left,
  };
}
