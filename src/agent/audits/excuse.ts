/**
 * Whether a holder that has not got its shard is to blame. That it let go of it is the truth of
 * two: of who had told the owner for a week that he owes for it, and of who gave up its seat. The
 * shard of the first is never young, and of the second a log or a notice tells; whoever says so of
 * what it took a few days ago, and has its seat still, lies. Nothing is written down here.
 */
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { SegmentRecord } from "../../base/records.ts";
import type { Notices } from "../../guard/notices.ts";
import { isProven } from "../../transfer/books.ts";
import type { Health } from "../../transfer/health.ts";
import type { Answer } from "../asking/ask.ts";
import type { Conduct } from "../conduct/conduct.ts";

export interface ExcuseNeeds {
  readonly health: Health;
  readonly conduct: Conduct;
  /** Who gives up seats; without them nobody does. */
  readonly notices?: Notices | undefined;
}

interface Said {
  readonly peer: PeerId;
  readonly record: SegmentRecord;
  readonly answer: Answer;
}

/** Half of what an honest holder waits for: its clock may be days off. */
const youngMs = limits.ledger.tellMs / 2;

/** Whether it is no lie that this shard is not there; of any other answer false. */
export async function isExcused(
  needs: ExcuseNeeds, { peer, record, answer }: Said, signal: AbortSignal,
): Promise<boolean> {
  if (answer === "absent") return !isOwed(needs, record);
  return answer === "gone" && await mayBeGone(needs, { peer, record }, signal);
}

/** It was proven, or may only be presumed there; another device may have moved it since. */
function isOwed({ health }: ExcuseNeeds, { segment }: SegmentRecord): boolean {
  const state = health.segment(segment);
  return state !== undefined && isProven(state) && !health.areOthers();
}

async function mayBeGone(
  { health, conduct, notices }: ExcuseNeeds, { peer, record }: Omit<Said, "answer">,
  signal: AbortSignal,
): Promise<boolean> {
  const { group, createdAtMs } = record;
  if (health.areOthers() || !conduct.isYounger(createdAtMs, youngMs)) return true;
  // Of who is condemned already nobody needs to be asked.
  if (conduct.isUnfit(peer) || notices?.has(peer, group) === true) return true;
  return !await health.isSeated(group, peer, { dead: conduct.dead(), signal });
}
