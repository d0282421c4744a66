/** What is wrong with the local store now, and what to do about it: for `hive status`. Pure. */
import type { HiveError, Kind } from "../base/errors.ts";

interface Known {
  readonly directory: string;
  /** Why the store cannot make durable what it was given. */
  readonly failure: HiveError | undefined;
  /** The disk has no room left for blocks. */
  readonly isDiskFull: boolean;
  /** Writers were sent away because nothing went to the peers in time. */
  readonly isFullOfDirty: boolean;
}

/** Null when all is well. */
export function troubleOf({ directory, failure, isDiskFull, isFullOfDirty }: Known): string | null {
  if (failure !== undefined) return wordsFor(failure.kind, directory);
  if (isDiskFull) return fullText(directory);
  if (isFullOfDirty) {
    return "the cache is full of data that no peer has yet: delete files, let peers join, or " +
      "raise the limit with hive cache --limit";
  }
  return null;
}

function wordsFor(kind: Kind, directory: string): string {
  switch (kind) {
    case "NoSpace":
      return fullText(directory);
    case "ReadOnly":
    case "Denied":
      return `${directory} cannot be written: make it writable; until then nothing new is kept`;
    case "Stale":
      return `${directory} was deleted: copy away what still reads, then hive unmount and ` +
        "hive mount, which brings back what peers have";
    default:
      return `${directory} fails (the log says how): copy away what still reads, then hive unmount`;
  }
}

function fullText(directory: string): string {
  return `the disk of ${directory} is full: delete files here or there; what was kept is safe`;
}
