/**
 * Why a peer stands as it does, in words: from what is remembered of it, and nothing else. Pure.
 */
import { limits } from "../../base/limits.ts";
import type { PeerConduct } from "./conduct.ts";

/** `isLeaving`: it gave notice; then nothing else is of interest. */
export function whyOf(
  conduct: PeerConduct | undefined,
  { nowMs, isLeaving }: { readonly nowMs: number; readonly isLeaving: boolean },
): string {
  if (isLeaving) return "it gave notice: what it has is copied to others";
  if (conduct === undefined) return "never asked: nothing of this drive is with it";
  const { score, liveness } = conduct;
  if (conduct.isRefusing) {
    return "it proves what it keeps and has given none of it back for days: it loses its seats";
  }
  if (conduct.isTardy) return "it has proven nothing in time for days: it loses its seats";
  if (score.wrong >= limits.agent.wrongsMax) {
    return `${score.wrong} of its last ${totalOf(conduct)} answers were wrong: it loses its seats`;
  }
  if (liveness === "alive") return aliveText(conduct, nowMs);
  return `${silentText(conduct, nowMs)}${absencesText(conduct)}${fateText(conduct)}`;
}

function aliveText(conduct: PeerConduct, nowMs: number): string {
  const { score, answeredAtMs } = conduct;
  const last = answeredAtMs === undefined ? "" : `answered ${spanText(nowMs - answeredAtMs)} ago; `;
  const faults = [
    ...(score.wrong > 0 ? [`${score.wrong} wrong`] : []),
    ...(score.late > 0 ? [`${score.late} late`] : []),
    ...(score.offline > 0 ? [`${score.offline} unanswered`] : []),
  ];
  const rest = faults.length === 0 ? "" : `, ${faults.join(", ")}`;
  return `${last}of the last ${totalOf(conduct)} questions ${score.right} right${rest}`;
}

function silentText({ answeredAtMs, sinceMs }: PeerConduct, nowMs: number): string {
  const fromMs = answeredAtMs ?? sinceMs;
  if (fromMs === undefined) return "silent";
  const never = answeredAtMs === undefined ? ", and never answered" : "";
  return `silent for ${spanText(nowMs - fromMs)}${never}`;
}

function absencesText({ absencesMs }: PeerConduct): string {
  if (absencesMs.length === 0) return "";
  const times = absencesMs.length === 1 ? "1 absence" : `${absencesMs.length} absences`;
  return `; it came back from ${times}, the longest of ${spanText(Math.max(...absencesMs))}`;
}

function fateText({ liveness, isFresh, isFrozen }: PeerConduct): string {
  const hours = limits.proofs.freshMs / 3_600_000;
  if (isFresh) return `: more likely dead than away; if few others are left, or after ${hours} h, `
    + "it loses its seats";
  if (liveness === "dead") return ": more likely dead than away, it loses its seats";
  return isFrozen ? "; it is waited for, as others fell silent with it" : "; it is waited for";
}

function totalOf({ score: { right, wrong, late, offline } }: PeerConduct): number {
  return right + wrong + late + offline;
}

function spanText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  const hours = Math.round(seconds / 3600);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}
