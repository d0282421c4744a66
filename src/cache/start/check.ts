/**
 * Looks at every byte of the block files: each block that the index names must lie where the index
 * says, under a header of its own, and hash to its CID. What does not is isolated as a read would
 * isolate it (reading.ts); a block whose header alone is spoilt is written again, or the next
 * rebuilding of the index would miss it. Sequential, with one file's entries in hand at a time.
 */
import { isFault } from "../../base/errors.ts";
import type { Cid } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Reading } from "../blocks/reading.ts";
import type { BlockFile } from "../files/block-file.ts";
import type { BlockLog } from "../files/block-log.ts";
import { type BlockEntry, marks } from "../files/entry.ts";
import { scanFile } from "../files/scan.ts";
import type { Catalog } from "../index/catalog.ts";

export interface BlockCheck {
  readonly blocks: number;
  readonly bytes: number;
  /** Clean blocks that were spoilt, and are forgotten: the peers have them. */
  readonly forgotten: number;
  /** Blocks that were whole under a spoilt header, and were written again. */
  readonly rewritten: number;
  /** Blocks that counted as placed and are not: they count as dirty again. */
  readonly reclaimed: number;
  /** Dirty blocks that are gone or spoilt: only peers or another put can bring them back. */
  readonly spoilt: readonly Cid[];
}

interface Needs {
  readonly catalog: Catalog;
  readonly log: BlockLog;
  readonly reading: Reading;
  /** Makes the index on disk say so. */
  readonly settle: () => Promise<void>;
}

export interface BlockCheckOptions {
  /** Is told the bytes looked at so far, now and then. */
  readonly progress: (bytes: number) => void;
  /** True when peers have the block, for all that is known. */
  readonly isPlaced: (cid: Cid) => Promise<boolean>;
}

/** Of each whether peers have it, for all that is known. */
export type ArePlaced = (cids: readonly Cid[]) => Promise<readonly boolean[]>;

export async function checkBlocks(
  needs: Needs,
  { progress, isPlaced }: BlockCheckOptions,
): Promise<BlockCheck> {
  const { catalog, log } = needs;
  const before = catalog.count;
  let bytes = 0;
  let rewritten = 0;
  for (const file of [...log.files.values()]) {
    await log.written();
    for (const entry of await unconfirmed(file, (offset) => progress(bytes + offset))) {
      if (await rewrite(needs, entry)) rewritten++;
    }
    bytes += file.sizeBytes;
  }
  const spoilt = [...catalog.dirty].filter((entry) => entry.is(marks.broken | marks.unread));
  const forgotten = before - catalog.count;
  const unplaced = await unplacedIn(catalog, (cids) => Promise.all(cids.map(isPlaced)));
  for (const entry of unplaced) catalog.setDirty(entry);
  await needs.settle();
  const cids = spoilt.map(({ cid }) => cid);
  const reclaimed = unplaced.length;
  return { blocks: before, bytes, forgotten, rewritten, reclaimed, spoilt: cids };
}

/** A block must not be evicted for the sake of peers of which nobody knows. */
export async function unplacedIn(
  catalog: Catalog, arePlaced: ArePlaced,
): Promise<readonly BlockEntry[]> {
  const unplaced: BlockEntry[] = [];
  let some: BlockEntry[] = [];
  const decide = async (): Promise<void> => {
    const placed = await arePlaced(some.map(({ cid }) => cid));
    unplaced.push(...some.filter((_, at) => placed[at] === false));
    some = [];
  };
  for (const entry of catalog.values()) {
    if (!entry.is(marks.dirty)) some.push(entry);
    if (some.length >= limits.cache.batchChangesMax) await decide();
  }
  await decide();
  return unplaced.filter((entry) => catalog.get(entry.cid) === entry && !entry.is(marks.dirty));
}

/** Entries of the file for which no whole frame lies in their place. */
async function unconfirmed(
  file: BlockFile,
  progress: (offset: number) => void,
): Promise<readonly BlockEntry[]> {
  const here = file.entries.filter((entry) => entry.file === file);
  const waiting = new Map(here.map((entry) => [entry.offsetBytes, entry]));
  for await (const { frame, offsetBytes } of scanFile(file)) {
    if (waiting.get(offsetBytes)?.cid === frame.cid) waiting.delete(offsetBytes);
    progress(offsetBytes);
  }
  return [...waiting.values()];
}

/** True when the block's own bytes are right: then it gets a whole frame elsewhere. */
async function rewrite({ catalog, log, reading }: Needs, entry: BlockEntry): Promise<boolean> {
  const bytes = await reading.read(entry).catch((error: unknown) => {
    // Counted and isolated by whoever read it.
    if (isFault(error, "Corrupt")) return undefined;
    throw error;
  });
  if (bytes === undefined || catalog.get(entry.cid) !== entry) return false;
  const place = log.append(entry.frame, bytes, entry);
  entry.bytes = bytes;
  catalog.move(entry, place.file, place.offsetBytes);
  return true;
}
