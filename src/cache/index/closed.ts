/**
 * What the cache was when it was closed, in a small file beside LevelDB: LevelDB may lose the end
 * of its log and open as if that had never been. It is there between a close and the next open.
 */
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, isFault } from "../../base/errors.ts";
import { diskFault, notOfIndex } from "../disk/faults.ts";
import {
  type Books, type CommitRecord, booksKey, checkedValue, encodeBooks, parseBooks, withCheck,
} from "./records.ts";

export async function writeClosed(directory: string, books: Books): Promise<void> {
  await writeFile(fileIn(directory), withCheck(booksKey, encodeBooks(books)), { mode: 0o600 });
}

/** What the last close left; undefined after a crash, or when it is damaged itself. */
export async function readClosed(directory: string): Promise<Books | undefined> {
  try {
    const value = checkedValue(booksKey, await readFile(fileIn(directory)));
    return value === undefined ? undefined : parseBooks(value);
  } catch (error) {
    const fault = diskFault(error, "cache.open", directory);
    // On a bad disk there is no such word either.
    if (codeOf(error) === "ENOENT" || isFault(fault, "Corrupt")) return undefined;
    throw fault;
  }
}

/** From here on the cache is another one. */
export async function removeClosed(directory: string): Promise<void> {
  await rm(fileIn(directory), { force: true }).catch((cause: unknown) => {
    throw notOfIndex(cause, "cache.open", directory);
  });
}

/** How what is there compares with what was: nobody wrote in between. */
export function compareClosed(
  closed: Books | undefined,
  found: { readonly books: Books | undefined; readonly committed: CommitRecord | undefined },
): { readonly indexStale: boolean; readonly changesLost: boolean } {
  if (closed === undefined) return { indexStale: false, changesLost: false };
  const { commit = 0, journalLast = 0, blockSequence = 0 } = found.books ?? {};
  const isOld = commit < closed.commit || journalLast < closed.journalLast;
  const indexStale = isOld || blockSequence < (closed.blockSequence ?? 0);
  // Records that are missing are the journal's to tell.
  const changesLost = (found.committed?.number ?? 0) < closed.commit;
  return { indexStale, changesLost };
}

function fileIn(directory: string): string {
  return join(directory, "closed");
}
