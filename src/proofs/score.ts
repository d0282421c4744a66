/**
 * What a peer's answers say of it. Wrong, late and offline are three different things, kept
 * apart: a liar, a slow line and a closed laptop. Pure; the caller keeps the history.
 */
import { limits } from "../base/limits.ts";

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
  /** When it was first asked: one that never answered is silent since then. */
  readonly sinceMs: number | undefined;
  /** Its last sign of life, which outlasts what `recent` forgets. */
  readonly answeredAtMs: number | undefined;
}

export interface Score extends Readonly<Record<Outcome, number>> {
  /** Of the answers that came in time, the share that was right; undefined before the first. */
  readonly rightShare: number | undefined;
}

export type Liveness = "alive" | "away" | "dead";

export const noHistory: History = { recent: [], sinceMs: undefined, answeredAtMs: undefined };

/** The history with one more observation; the oldest beyond the limit is forgotten. */
export function remember(history: History, observation: Observation): History {
  const answered = observation.outcome === "offline" ? undefined : observation.atMs;
  return {
    recent: [...history.recent, observation].slice(-limits.proofs.historyMax),
    sinceMs: history.sinceMs ?? observation.atMs,
    answeredAtMs: answered ?? history.answeredAtMs,
  };
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
  const { recent, sinceMs, answeredAtMs } = history;
  return { recent, sinceMs: moved(sinceMs), answeredAtMs: moved(answeredAtMs) };
}

export function scoreOf({ recent }: History): Score {
  const score = { right: 0, wrong: 0, late: 0, offline: 0 };
  for (const { outcome } of recent) score[outcome]++;
  const inTime = score.right + score.wrong;
  return { ...score, rightShare: inTime > 0 ? score.right / inTime : undefined };
}

/**
 * Alive: its last answer came, whatever it was worth. Away: the last question found it offline.
 * Dead: it has been silent for so long that its shards are to be rebuilt elsewhere; an answer
 * brings it back. A posterior from the peer's own history shall take this time-out's place.
 */
export function assess(
  history: History,
  nowMs: number,
  options: { readonly deadAfterMs?: number } = {},
): Liveness {
  const last = history.recent.at(-1);
  if (last === undefined) return "away";
  if (last.outcome !== "offline") return "alive";
  const silentSinceMs = history.answeredAtMs ?? history.sinceMs ?? last.atMs;
  const silentMs = nowMs - silentSinceMs;
  return silentMs >= (options.deadAfterMs ?? limits.proofs.deadAfterMs) ? "dead" : "away";
}
