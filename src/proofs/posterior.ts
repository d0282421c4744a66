/**
 * How likely a silent peer is dead rather than away, from its own past. Pure. What machines do is
 * a mixture of habits; the absences that a peer came back from, and how often they came, tell which
 * is its own. An absence is then weighed twice: as one more of that habit, or as the last of all.
 *
 * A habit's absences are log-logistic: most are near the median, and the tail falls as a power,
 * so that nobody is certainly dead soon. A machine that is off every night has a median of one, and
 * is not condemned at night; a server's first night is something else.
 */
import { limits } from "../base/limits.ts";

/** One way of being away. */
export interface Habit {
  readonly name: string;
  /** Of all peers, the share that has it. */
  readonly share: number;
  readonly medianMs: number;
  /** The tail's power: the share of absences that are x times the median falls as x to this. */
  readonly tail: number;
  /** Between the beginnings of two absences, on the average. */
  readonly everyMs: number;
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Seen in no statistics of ours yet: figures of the kind that studies of home machines report. */
export const habits: readonly Habit[] = [
  { name: "always on", share: 0.3, medianMs: 10 * minuteMs, tail: 1.5, everyMs: 14 * dayMs },
  { name: "off at night", share: 0.42, medianMs: 9 * hourMs, tail: 4, everyMs: dayMs },
  { name: "at the office", share: 0.26, medianMs: 16 * hourMs, tail: 3, everyMs: 1.4 * dayMs },
  { name: "now and then", share: 0.016, medianMs: 2 * dayMs, tail: 2, everyMs: 7 * dayMs },
  { name: "for weeks", share: 0.004, medianMs: 6 * dayMs, tail: 2.5, everyMs: 14 * dayMs },
];

/** How long a peer lives, on the average: what makes a first silence a death at all. */
const lifeMs = 365 * dayMs;

/** What is known of a peer's past. */
export interface Past {
  /** The lengths of the absences that it came back from. */
  readonly absencesMs: readonly number[];
  /** Since it was first asked, the absence under way not counted. */
  readonly watchedMs: number;
}

/** Of each habit how likely it is this peer's own, beside the likeliest. */
export type Beliefs = readonly number[];

/** From 0 to 1, for a peer of these beliefs that has been silent for so long. */
export function deathChance(beliefs: Beliefs, silentMs: number): number {
  let [dead, away] = [0, 0];
  for (const [at, habit] of habits.entries()) {
    const weight = beliefs[at] as number;
    const isLast = habit.everyMs / (habit.everyMs + lifeMs);
    dead += weight * isLast;
    away += weight * (1 - isLast) * longerShare(habit, silentMs);
  }
  return dead / (dead + away);
}

export function beliefsOf({ absencesMs, watchedMs }: Past): Beliefs {
  const traces = habits.map((_, at) => {
    return absencesMs.reduce((sum, ms) => sum + traceOf(at, ms), 0);
  });
  return beliefsFrom(traces, watchedMs - absencesMs.reduce((sum, ms) => sum + ms, 0));
}

/** From what all absences together say of each habit, and the time in which it was there. */
export function beliefsFrom(traces: ArrayLike<number>, presentMs: number): Beliefs {
  const chances = habits.map((habit, at) => {
    const unbroken = Math.max(0, presentMs) / betweenMs(habit);
    return Math.log(habit.share) + (traces[at] as number) - unbroken;
  });
  const most = Math.max(...chances);
  return chances.map((chance) => Math.exp(chance - most));
}

/** The logarithm of how likely a habit, by its number, makes one such absence when it does. */
export function traceOf(at: number, ms: number): number {
  const { tail, medianLog, densityLog } = logs[at] as HabitLogs;
  const timesLog = Math.log(Math.max(ms, limits.proofs.absenceMsMin)) - medianLog;
  return densityLog + (tail - 1) * timesLog - 2 * Math.log1p(Math.exp(tail * timesLog));
}

/** Of the habit's absences, the share that lasts longer than this. */
export function longerShare({ medianMs, tail }: Habit, ms: number): number {
  return 1 / (1 + (Math.max(0, ms) / medianMs) ** tail);
}

interface HabitLogs {
  readonly tail: number;
  readonly medianLog: number;
  /** Of the density at the median, apart from what depends on the length, and of how often. */
  readonly densityLog: number;
}

const logs: readonly HabitLogs[] = habits.map((habit) => {
  const { tail, medianMs } = habit;
  const densityLog = Math.log(tail / medianMs) - Math.log(betweenMs(habit));
  return { tail, medianLog: Math.log(medianMs), densityLog };
});

/** From the end of one absence to the beginning of the next, on the average. */
function betweenMs({ everyMs, medianMs }: Habit): number {
  return Math.max(everyMs - medianMs, minuteMs);
}
