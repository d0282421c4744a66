/**
 * What may follow on what in one pair's chain, seen from either end. Pure: it decides, and the
 * caller writes down and answers. The server signs a place once; a client whose books are behind
 * is shown the newest entry, and goes on from there.
 */
import { HiveError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type Admission, type Counts, type Entry, type Fraud } from "./entry.ts";
import { beforeFirst, countNames, fraudOf, hashOf, isDouble, noCounts } from "./entry.ts";

/** What to say to an admission that a client proposes. */
export type Reply =
  /** It is the next one: sign it, and write it down before it is answered. */
  | { readonly do: "accept" }
  /** It is the newest already, or it is old: show the newest. */
  | { readonly do: "show" }
  /** It says something else at a place that has an entry. */
  | { readonly do: "expose"; readonly fraud: Fraud };

/** The server's part. Denied for what is not the client's to write. */
export function replyTo(
  proposed: Admission, newest: Entry | undefined,
  { self, from, nowMs }: {
    readonly self: PeerId; readonly from: PeerId; readonly nowMs: number;
  },
): Reply {
  if (proposed.server !== self || proposed.client !== from) throw denied("another pair's");
  if (proposed.atMs > nowMs + limits.ledger.aheadMsMax) throw denied("from the future");
  if (newest !== undefined && isDouble(newest.admission, proposed)) {
    return { do: "expose", fraud: fraudOf(newest.admission, proposed) };
  }
  if (newest !== undefined && proposed.number <= newest.number) return { do: "show" };
  if (!follows(proposed, newest)) return { do: "show" };
  if (!grows(proposed, newest)) throw denied("a count that shrinks");
  return { do: "accept" };
}

/** Of two entries of one pair the one that says more; the later position, then the larger count. */
export function newerOf(known: Entry | undefined, other: Entry): Entry {
  if (known === undefined) return other;
  if (other.number !== known.number) return other.number > known.number ? other : known;
  return other.kept > known.kept ? other : known;
}

/** What the client writes next, given what it has seen since the newest entry. */
export function nextOf(
  { server, newest, book, nowMs }: {
    readonly server: PeerId; readonly newest: Entry | undefined; readonly book: string;
    readonly nowMs: number;
  },
  seen: Counts,
): Omit<Admission, "client" | "bytes"> {
  const before = newest ?? noCounts;
  const sum = (name: keyof Counts): number =>
    Math.min(before[name] + Math.floor(seen[name]), limits.ledger.countMax);
  return {
    server, book,
    number: (newest?.number ?? 0) + 1,
    last: newest === undefined ? beforeFirst : hashOf(newest.admission),
    // A clock that was set back must not make an entry that nobody takes.
    atMs: Math.max(nowMs, newest?.atMs ?? 0),
    kept: sum("kept"), watched: sum("watched"), repaired: sum("repaired"), sent: sum("sent"),
  };
}

function follows(proposed: Admission, newest: Entry | undefined): boolean {
  if (newest === undefined) return proposed.number === 1 && proposed.last === beforeFirst;
  const isNext = proposed.number === newest.number + 1 && proposed.atMs >= newest.atMs;
  return isNext && proposed.last === hashOf(newest.admission);
}

function grows(proposed: Admission, newest: Entry | undefined): boolean {
  return newest === undefined || countNames.every((name) => proposed[name] >= newest[name]);
}

function denied(why: string): HiveError {
  return new HiveError("Denied", "ledger.reply", why);
}
