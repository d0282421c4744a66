/** What a check of a drive tells a person or a script: plain data, ready for JSON. */

/** What a check can find wrong. */
const damages = [
  "index", // LevelDB's own files, or records in it
  "journal", // changes that were acknowledged and cannot be made again
  "block", // bytes in the local store
  "catalogue", // the books of what lies where among the peers
  "root", // where everything begins
  "data-lost", // a range of a file
  "attributes-lost", // a file's extended attributes
  "names-lost", // a part of a directory
  "name-to-nothing",
  "nameless", // an inode that no name leads to
  "order", // a name or a page where no search would find it
  "inode-twice",
  "links", // a count of names
  "snapshots", // something of what the drive was
  "sharing", // contacts and shares
  "size", // a size, or a count of entries or of space
] as const;

export interface FsckProblem {
  readonly what: (typeof damages)[number];
  /** From the drive's root; null when it concerns the store as a whole. */
  readonly path: string | null;
  /** What it is and what it means. */
  readonly words: string;
  /** All is well with it again; of a check without repair: it would be. */
  readonly mended: boolean;
  /** Something that was written is gone for good. */
  readonly loss: boolean;
}

export interface FsckReport {
  readonly repaired: boolean;
  readonly blocks: number;
  readonly blockBytes: number;
  readonly files: number;
  readonly directories: number;
  /** Files with ranges that an earlier repair gave up: they read as errors, as they should. */
  readonly givenUp: number;
  /** Pages of names or chunk links that only peers have: what they lead to was not checked. */
  readonly elsewhere: number;
  /** How many of the problems cost data, are mended, or stay as they are. */
  readonly problems: number;
  readonly losses: number;
  readonly left: number;
}
