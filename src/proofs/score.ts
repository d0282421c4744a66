/**
 * What a peer's answers say of it. Wrong, late and offline are three different things, kept
 * apart: a liar, a slow line and a closed laptop. Pure; the caller keeps the history.
 */
import { limits } from "../base/limits.ts";
import { type Beliefs, beliefsOf, deathChance } from "./posterior.ts";

export const outcomes = ["right", "wrong", "late", "offline"] as const;
export type Outcome = (typeof outcomes)[number];

/** One question to one peer, and how it ended. */
export interface Observation {
  readonly atMs: number;
  readonly outcome: Outcome;
}

/** What is remembered of one peer, oldest first, and since when it has been silent. */
export interface History {
  readonly recent: readonly Observation[];
  /**
   * When it was first asked: one that never answered is silent since then. It moves on when an
   * absence is forgotten: how often a peer is away is told by what is remembered, and by no more.
   */
  readonly sinceMs: number | undefined;
  /** Its last sign of life, which outlasts what `recent` forgets. */
  readonly answeredAtMs: number | undefined;
  /** The lengths of the last absences that it came back from, oldest first. */
  readonly absencesMs: readonly number[];
  /** Since its last answer in time; undefined when none has come too late since. */
  readonly lateness: Lateness | undefined;
}

/** Answers that came too late, one in `lateEveryMs` counted: a busy evening is one. */
export interface Lateness {
  readonly count: number;
  readonly countedAtMs: number;
}

export interface Score extends Readonly<Record<Outcome, number>> {
  /** Of the answers that came in time, the share that was right; undefined before the first. */
  readonly rightShare: number | undefined;
}

export type Liveness = "alive" | "away" | "dead";

export const noHistory: History = {
  recent: [], sinceMs: undefined, answeredAtMs: undefined, absencesMs: [],
  lateness: undefined,
};

/** The history with one more observation; the oldest beyond the limit is forgotten. */
export function remember(history: History, observation: Observation): History {
  const answered = observation.outcome === "offline" ? undefined : observation.atMs;
  const sinceMs = history.sinceMs ?? observation.atMs;
  const known = history.absencesMs;
  const absencesMs = answered === undefined ? known : absencesUntil(history, answered);
  const isFull = absencesMs !== known && known.length === limits.proofs.absencesMax;
  return {
    recent: [...history.recent, observation].slice(-limits.proofs.historyMax),
    sinceMs: isFull ? Math.round(withoutOldest(sinceMs, observation.atMs)) : sinceMs,
    answeredAtMs: answered ?? history.answeredAtMs,
    absencesMs,
    lateness: latenessAfter(history.lateness, observation),
  };
}

/**
 * With the oldest of all absences its part of the time goes: else a machine that was off in each of
 * a thousand nights would seem to be away once a month, since a month of nights is remembered.
 */
export function withoutOldest(sinceMs: number, nowMs: number): number {
  return sinceMs + Math.max(0, nowMs - sinceMs) / (limits.proofs.absencesMax + 1);
}

/** What one more answer, or none, makes of it. */
export function latenessAfter(
  lateness: Lateness | undefined, { outcome, atMs }: Observation,
): Lateness | undefined {
  if (outcome === "right") return undefined;
  if (outcome !== "late") return lateness;
  const { count, countedAtMs } = lateness ?? { count: 0, countedAtMs: -Infinity };
  const isAnother = Math.abs(atMs - countedAtMs) >= limits.proofs.lateEveryMs;
  return isAnother ? { count: count + 1, countedAtMs: atMs } : lateness;
}

/** For days it has answered, and not once in time: what it proves may lie with others. */
export function isTardy({ lateness }: Pick<History, "lateness">, nowMs: number): boolean {
  if (lateness === undefined || lateness.count < limits.proofs.latesMax) return false;
  return Math.abs(nowMs - lateness.countedAtMs) < limits.proofs.lateForgetMs;
}

/** An absence is over with the first answer after a question that found nobody. */
function absencesUntil(history: History, atMs: number): readonly number[] {
  if (history.recent.at(-1)?.outcome !== "offline") return history.absencesMs;
  const lengthMs = Math.max(0, atMs - silentSinceMs(history, atMs));
  return [...history.absencesMs, Math.round(lengthMs)].slice(-limits.proofs.absencesMax);
}

/** Its last sign of life, or the first question. */
export function silentSinceMs({ answeredAtMs, sinceMs }: History, nowMs: number): number {
  return answeredAtMs ?? sinceMs ?? nowMs;
}

/**
 * The history as if so much time had not passed: nobody was looking, or nobody could be seen.
 * A negative time is a clock that was set back.
 */
export function excuse(history: History, ms: number, nowMs: number): History {
  // Zero stands for never in the books.
  const moved = (atMs: number | undefined): number | undefined => {
    return atMs === undefined ? undefined : Math.max(1, Math.min(Math.round(atMs + ms), nowMs));
  };
  const { sinceMs, answeredAtMs } = history;
  return { ...history, sinceMs: moved(sinceMs), answeredAtMs: moved(answeredAtMs) };
}

export function scoreOf({ recent }: History): Score {
  const score = { right: 0, wrong: 0, late: 0, offline: 0 };
  for (const { outcome } of recent) score[outcome]++;
  const inTime = score.right + score.wrong;
  return { ...score, rightShare: inTime > 0 ? score.right / inTime : undefined };
}

/**
 * Alive: its last answer came, whatever it was worth. Away: the last question found it offline.
 * Dead: by its own past this silence is its last far more likely than not, so that its shards are
 * to be rebuilt elsewhere; or it has lasted for as long as anybody is waited for. An answer brings
 * it back.
 */
export function assess(
  history: History,
  nowMs: number,
  options: { readonly deadAfterMs?: number } = {},
): Liveness {
  const last = history.recent.at(-1);
  if (last === undefined) return "away";
  if (last.outcome !== "offline") return "alive";
  const startMs = silentSinceMs(history, last.atMs);
  const watchedMs = startMs - (history.sinceMs ?? startMs);
  const { absencesMs } = history;
  const isOver = isLast(nowMs - startMs, () => beliefsOf({ absencesMs, watchedMs }), options);
  return isOver ? "dead" : "away";
}

/**
 * A dead peer whose silence is still short. Where a segment has enough without it, it is waited
 * for: a third of all may be away for a day, and what they have is made anew for nothing.
 */
export function isFresh(
  history: History, nowMs: number,
  { deadAfterMs = limits.proofs.deadAfterMs }: { readonly deadAfterMs?: number } = {},
): boolean {
  return nowMs - silentSinceMs(history, nowMs) < Math.min(limits.proofs.freshMs, deadAfterMs);
}

/** Whether so long a silence is taken for a death, by what is believed of the peer's habits. */
export function isLast(
  silentMs: number, beliefs: () => Beliefs,
  { deadAfterMs = limits.proofs.deadAfterMs }: { readonly deadAfterMs?: number } = {},
): boolean {
  if (silentMs >= deadAfterMs) return true;
  if (silentMs < limits.proofs.silenceMsMin) return false;
  return deathChance(beliefs(), silentMs) >= limits.proofs.deadFrom;
}
