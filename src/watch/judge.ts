/** What has to be done about one name, as both sides have it now: a pure decision. */
import type { BigIntStats } from "node:fs";

export type Verdict =
  | { readonly act: "nothing" }
  /** Neither a file, nor a folder, nor a symlink: it has no content to keep. */
  | { readonly act: "skip" }
  /** The content is there; mode, owner or time are not. */
  | { readonly act: "dress" }
  /** It looks the same and was changed since: its bytes may be others, under the time of before. */
  | { readonly act: "compare" }
  | { readonly act: "copy" }
  /** The copy is of another type: it must leave first. */
  | { readonly act: "replace" };

/** utimes(2) gets its times as floating seconds, which hold a quarter of a microsecond. */
const timeSlackNs = 2000n;
const modeMask = 0o7777n;

export interface Owner {
  /** Only root may give files away. */
  readonly mayGive: boolean;
}

export function judge(
  source: BigIntStats, copy: BigIntStats | undefined, { mayGive }: Owner,
): Verdict {
  if (!source.isFile() && !source.isDirectory() && !source.isSymbolicLink()) return { act: "skip" };
  if (copy === undefined) return { act: "copy" };
  if (typeOf(source) !== typeOf(copy)) return { act: "replace" };
  const isOwned = !mayGive || (source.uid === copy.uid && source.gid === copy.gid);
  const isSameMode = source.isSymbolicLink() || (source.mode & modeMask) === (copy.mode & modeMask);
  // Extended attributes, and bytes that kept their time, leave no other trace than this one.
  const isSince = source.ctimeNs > copy.ctimeNs;
  const isSame = isSameTime(source, copy) && (source.isDirectory() || source.size === copy.size);
  if (!isSame) return { act: source.isDirectory() ? "dress" : "copy" };
  if (isSince && !source.isDirectory()) return { act: source.isFile() ? "compare" : "copy" };
  return { act: isOwned && isSameMode && !isSince ? "nothing" : "dress" };
}

function isSameTime(one: BigIntStats, other: BigIntStats): boolean {
  const apart = one.mtimeNs - other.mtimeNs;
  return apart < timeSlackNs && apart > -timeSlackNs;
}

/** Nothing of the file changed between two looks; a rename over it makes it another one. */
export function isUntouched(before: BigIntStats, after: BigIntStats): boolean {
  return before.ino === after.ino && before.size === after.size &&
    before.mtimeNs === after.mtimeNs && before.ctimeNs === after.ctimeNs;
}

function typeOf(stats: BigIntStats): bigint {
  return stats.mode & 0o170000n;
}
