/**
 * The end of the block files, behind the last block that the index knows. What was synced since the
 * index was settled lies there, and every whole block of it may have been promised. A commit
 * leaves its root there too; so when LevelDB has lost the newest of its own log without a word, the
 * state that was committed last can still be taken up. A commit that was just under way is taken up
 * only if all from the index's end up to its root is whole: torn, it is worse than the one before
 * with its journal.
 */
import type { BlockFile } from "../files/block-file.ts";
import type { BlockEntry } from "../files/entry.ts";
import { type Frame, headerBytes } from "../files/frame.ts";
import { scanFile } from "../files/scan.ts";
import { type CommitRecord, parseCommit } from "../index/records.ts";

export interface TailBlock {
  readonly frame: Frame;
  readonly file: BlockFile;
  readonly offsetBytes: number;
}

export interface Tail {
  /** The newest commit that can be taken up, if it is newer than the index's. */
  readonly commit: CommitRecord;
  /** Blocks that the index does not know, up to that commit. */
  readonly blocks: readonly TailBlock[];
  /** The index has lost what it was told, rather than not having been told yet. */
  readonly isStale: boolean;
}

export interface TailFindings {
  /** All that lies there, oldest first. */
  readonly blocks: readonly TailBlock[];
  readonly tail: Tail | undefined;
  /** The highest number of any commit that left its root there, be it taken up or not. */
  readonly numberSeen: number;
}

/** `number` is that of the commit which the index tells. */
export async function readTail(
  files: ReadonlyMap<number, BlockFile>,
  number: number,
): Promise<TailFindings> {
  const blocks: TailBlock[] = [];
  let whole: Tail | undefined;
  let newest: Tail | undefined;
  let isWhole = true;
  for (const { file, from } of tailOf(files)) {
    let expected = from;
    for await (const { frame, offsetBytes, body } of scanFile(file, from)) {
      isWhole &&= offsetBytes === expected;
      expected = offsetBytes + headerBytes + frame.lengthBytes;
      if (frame.kind === "block") blocks.push({ frame, file, offsetBytes });
      else newest = newer(parseCommit(body), newest, { number, blocks });
      if (isWhole) whole = newest;
    }
    isWhole &&= expected === file.sizeBytes;
  }
  const numberSeen = newest?.commit.number ?? number;
  // Only the last commit can have been on its way: a later one was told to the index, and is gone.
  if (numberSeen <= number + 1) return { blocks, tail: whole, numberSeen };
  return { blocks, tail: newest && { ...newest, isStale: true }, numberSeen };
}

function newer(
  commit: CommitRecord,
  found: Tail | undefined,
  { number, blocks }: { readonly number: number; readonly blocks: readonly TailBlock[] },
): Tail | undefined {
  const before = found?.commit.number ?? number;
  return commit.number > before ? { commit, blocks: [...blocks], isStale: false } : found;
}

/** From the end of the newest block that the index knows, to the end of the newest file. */
function tailOf(
  files: ReadonlyMap<number, BlockFile>,
): { readonly file: BlockFile; readonly from: number }[] {
  const all = [...files.values()].sort((a, b) => a.number - b.number);
  const last = all.findLastIndex((file) => file.entries.length > 0);
  if (last < 0) return all.map((file) => ({ file, from: 0 }));
  return all.slice(last).map((file) => {
    return { file, from: file.entries.reduce((end, entry) => Math.max(end, endOf(entry)), 0) };
  });
}

function endOf(entry: BlockEntry): number {
  return entry.offsetBytes + entry.frameBytes;
}
