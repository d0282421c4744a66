/**
 * How much of what a holder keeps it is asked for, and when. Pure. All audits together may take so
 * much of a holder's line for so much that it keeps; of that an owner has the share that its shards
 * are of all that lies there. Where that is enough, every shard is asked for in every interval; of
 * who keeps much, random leaves of all that it keeps.
 *
 * What right leaves say is statistics: whoever lacks a tenth of its shards gets through a whole
 * sample (limits.proofs.samples) in one of a hundred cases. Only a sample that came whole and right
 * counts as a proof, and as one of the time when it began.
 */
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { answerBytesMax } from "../../proofs/answer.ts";
import type { Outcome } from "../../proofs/score.ts";
import type { SegmentState } from "../../transfer/books.ts";

/** What a drive keeps with one holder. */
export interface Load {
  readonly shards: number;
  readonly bytes: number;
}

/** So many leaves at a time, and how long from one time to the next. */
export interface Pace {
  readonly leaves: number;
  readonly everyMs: number;
}

/** What is remembered of a holder's samples. */
export interface Sampled {
  /** When it was last asked, whatever came of it. */
  readonly askedAtMs: number;
  /** Right leaves in a row, and since when. */
  readonly leaves: number;
  readonly sinceMs: number;
  /** When the last sample began that was right as a whole; 0 before the first. */
  readonly provenAtMs: number;
}

export const neverSampled: Sampled = { askedAtMs: 0, leaves: 0, sinceMs: 0, provenAtMs: 0 };

export function loadsOf(segments: readonly SegmentState[]): ReadonlyMap<PeerId, Load> {
  const loads = new Map<PeerId, { shards: number; bytes: number }>();
  for (const { holders, shardBytes } of segments) {
    for (const peer of holders) {
      if (peer === undefined) continue;
      const load = loads.get(peer) ?? { shards: 0, bytes: 0 };
      load.shards++;
      load.bytes += shardBytes;
      loads.set(peer, load);
    }
  }
  return loads;
}

/**
 * Undefined for a holder that can be asked for every shard in every interval. `keptBytes` is what
 * it keeps for everybody, by its own word: who exaggerates is asked as rarely as who keeps 500 GB.
 */
export function paceOf(
  load: Load,
  { keptBytes, intervalMs }: { readonly keptBytes: number; readonly intervalMs: number },
): Pace | undefined {
  const { auditBytesPerSecond, auditHeldBytes, auditWindowMs, samples } = limits.proofs;
  const all = Math.min(Math.max(keptBytes, load.bytes), auditHeldBytes);
  const perSecond = auditBytesPerSecond * load.bytes / all;
  // In the usual interval; whoever sets a shorter one asks for more.
  const affordable = perSecond * auditWindowMs / 1000 / answerBytesMax(1);
  if (affordable >= load.shards * limits.agent.leavesPerShard) return undefined;
  const leaves = Math.max(1, Math.min(samples, Math.floor(affordable)));
  const everyMs = Math.min(intervalMs * leaves / affordable, limits.proofs.auditRestMsMax);
  return { leaves, everyMs };
}

/** What lies ahead was written before the clock was set back. */
export function isDue({ askedAtMs }: Sampled, { everyMs }: Pace, nowMs: number): boolean {
  return askedAtMs > nowMs || nowMs - askedAtMs >= everyMs;
}

/** A late answer proves nothing and disproves nothing. */
export function sampledNow(
  before: Sampled,
  { outcome, leaves, nowMs }: {
    readonly outcome: Outcome; readonly leaves: number; readonly nowMs: number;
  },
): Sampled {
  const askedAtMs = nowMs;
  if (outcome === "late") return { ...before, askedAtMs };
  if (outcome !== "right") return { ...before, askedAtMs, leaves: 0, sinceMs: 0 };
  const isFirst = before.leaves === 0 || before.sinceMs > nowMs;
  const sinceMs = isFirst ? nowMs : before.sinceMs;
  const right = (isFirst ? 0 : before.leaves) + leaves;
  if (right < limits.proofs.samples) return { ...before, askedAtMs, leaves: right, sinceMs };
  return { askedAtMs, leaves: 0, sinceMs: 0, provenAtMs: sinceMs };
}
