/**
 * The eras of a drive: one ends when somebody is shut out of a folder. Chunks that are sealed in an
 * era have keys that follow from a secret of that era alone (keys.ts), so whoever was given keys of
 * an earlier one has none of what is written since. And which folders are still owed something: all
 * below them that was sealed earlier is to be sealed anew. No I/O.
 *
 *   eras  varint era that it is | varint folders | each: varint ino | varint era
 *
 * A drive of which nobody was ever shut out is in era 0, and has none of this written down.
 */
import type { Reader, Writer } from "../base/bytes.ts";
import { type Ino, parseIno, rootIno } from "../base/ids.ts";
import { limits } from "../base/limits.ts";

export type Era = number;

export interface Eras {
  readonly now: Era;
  /** What was sealed below this folder before this era is to be sealed anew. */
  readonly owed: ReadonlyMap<Ino, Era>;
}

export const firstEra: Eras = { now: 0, owed: new Map() };
const { erasMax, owedMax } = limits.eras;

/** Another era begins, and this folder is owed it. */
export function nextEra({ now, owed }: Eras, folder: Ino): Eras {
  return { now: now + 1, owed: bounded(new Map(owed).set(folder, now + 1)) };
}

/** What either device knows: the later era, and all that is owed by one of them. */
export function erasOfBoth(one: Eras, other: Eras): Eras {
  const owed = new Map(one.owed);
  for (const [folder, era] of other.owed) owed.set(folder, Math.max(era, owed.get(folder) ?? 0));
  return { now: Math.max(one.now, other.now), owed: bounded(owed) };
}

/** Too many folders are one: the whole drive. */
function bounded(owed: ReadonlyMap<Ino, Era>): ReadonlyMap<Ino, Era> {
  if (owed.size <= owedMax) return owed;
  return new Map([[rootIno, Math.max(...owed.values())]]);
}

export function writeEras(writer: Writer, { now, owed }: Eras): void {
  writer.varint(now).varint(owed.size);
  for (const [folder, era] of [...owed].sort(([a], [b]) => a - b)) {
    writer.varint(folder).varint(era);
  }
}

export function readEras(reader: Reader): Eras {
  const now = reader.varint();
  if (now > erasMax) throw reader.corrupt(`era ${now}`);
  const count = reader.varint();
  if (count > owedMax) throw reader.corrupt(`${count} folders owed`);
  const owed = new Map<Ino, Era>();
  let before = 0;
  for (let index = 0; index < count; index++) {
    const folder = parseIno(reader.varint());
    const era = reader.varint();
    if (folder <= before || era < 1 || era > now) throw reader.corrupt("a folder owed");
    owed.set(folder, era);
    before = folder;
  }
  return { now, owed };
}
