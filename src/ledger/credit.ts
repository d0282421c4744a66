/**
 * What an entry is worth today: how many KiB a peer kept on average while somebody looked. Sums
 * over watched time decay, so that old merits pass and a client's holidays cost its holders
 * nothing; a short history counts as a longer one, so that an hour of plenty buys nothing. Pure.
 */
import { limits } from "../base/limits.ts";
import type { Entry } from "./entry.ts";

/** Of one pair, as of its newest entry: KiB hours and hours, decayed alike. */
export interface Credit {
  readonly entry: Entry;
  readonly kept: number;
  readonly watched: number;
}

const hourMs = 3_600_000;
const secondsPerHour = 3600;
const halfLifeHours = limits.ledger.halfLifeMs / hourMs;
const watchedHoursMin = limits.ledger.watchedMsMin / hourMs;

/** The credit with a newer entry; of a pair that is new, as if it had always been so. */
export function credited(before: Credit | undefined, entry: Entry): Credit {
  const known = before?.entry;
  const hours = Math.max(0, entry.watched - (known?.watched ?? 0)) / secondsPerHour;
  const kept = Math.max(0, entry.kept - (known?.kept ?? 0));
  // What came evenly over that time has decayed by this much since, on average.
  const late = hours === 0 ? 1 : (1 - halved(hours)) / (hours / halfLifeHours * Math.LN2);
  return {
    entry,
    kept: (before?.kept ?? 0) * halved(hours) + kept * late,
    watched: (before?.watched ?? 0) * halved(hours) + hours * late,
  };
}

/** KiB that the server keeps for the client, as far as that is still to be believed. */
export function keptKiB({ entry, kept, watched }: Credit, nowMs: number): number {
  const ageMs = Math.max(0, nowMs - entry.atMs);
  if (ageMs > limits.ledger.entryAgeMsMax) return 0;
  const isAhead = entry.atMs > nowMs + limits.ledger.aheadMsMax;
  if (isAhead) return 0;
  return kept / Math.max(watched, watchedHoursMin) * 2 ** (-ageMs / limits.ledger.staleMs);
}

function halved(hours: number): number {
  return 2 ** (-hours / halfLifeHours);
}
