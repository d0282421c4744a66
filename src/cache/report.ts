/** What went wrong with the disk, and what the cache did: counts that `hive status` shows. */
import type { Mending } from "./index/level.ts";

export interface Report {
  /** Blocks whose bytes were not what they must be, found by a read, a move or a check. */
  corruptBlocks: number;
  /** Dirty blocks whose file is gone or too short, found at the start: they are lost. */
  lostBlocks: number;
  /** Index entries and journal records that failed their check. */
  corruptRecords: number;
  /** Journal records that were durable and are gone, or lie behind such a one: they are lost. */
  cutOffRecords: number;
  /** Blocks found again by reading the block files. */
  rebuiltBlocks: number;
  /** LevelDB is older than it was when the cache was closed: its newest records are gone. */
  indexStale: boolean;
  /** ... and not all of what they told was found elsewhere. */
  changesLost: boolean;
  /** There was a root here once, and it is nowhere to be found: only the peers' head has it. */
  rootLost: boolean;
  /** What had to be done to LevelDB's files. */
  mending: Mending;
  /** Bytes of blocks that came in, from the tree and from the peers. */
  storedBytes: number;
  /** Bytes of blocks written once more, to give the space around them back. */
  copiedBytes: number;
  /** Bytes of clean blocks that made room for others. */
  evictedBytes: number;
}

export function newReport(): Report {
  return {
    corruptBlocks: 0, lostBlocks: 0, corruptRecords: 0, cutOffRecords: 0, rebuiltBlocks: 0,
    indexStale: false, changesLost: false, rootLost: false,
    mending: "none", storedBytes: 0, copiedBytes: 0, evictedBytes: 0,
  };
}
