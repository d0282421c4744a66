/**
 * Asks holders for random leaves of the shards they keep, within a deadline from their own round
 * trips, and writes down what came: right, wrong, late and offline are four different things. A
 * segment that was never proven has all its holders asked; after that, holders of much are asked
 * for samples (samples.ts), and all others for every shard. It repairs nothing; a shard that is
 * proven wrong or gone counts as held no more.
 */
import type { Clock } from "../../base/clock.ts";
import type { PeerId, SegmentId } from "../../base/ids.ts";
import type { ServiceTally } from "../../base/ledger.ts";
import { limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { PeerNetwork } from "../../base/network.ts";
import type { Random } from "../../base/random.ts";
import type { Step } from "../../base/step.ts";
import { makeAudit } from "../../proofs/challenge.ts";
import type { Outcome } from "../../proofs/score.ts";
import { type SegmentState, isProven } from "../../transfer/books.ts";
import type { Health, HeldShard } from "../../transfer/health.ts";
import { type Answer, askForLeaves, askHolder } from "../asking/ask.ts";
import { type ExcuseNeeds, isExcused } from "./excuse.ts";
import type { DueSample, Samples } from "./samples.ts";

export interface AuditNeeds extends ExcuseNeeds {
  readonly network: PeerNetwork;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly samples: Samples;
  /** Told who proved what: that is what peers earn by. */
  readonly tally?: ServiceTally | undefined;
}

/** One shard asked for, and how it ended. */
export interface Finding {
  readonly peer: PeerId;
  readonly segment: SegmentState["segment"];
  readonly index: number;
  readonly outcome: Outcome;
  /** It has not got the shard, and that is no lie (excuse.ts). */
  readonly isExcused: boolean;
}

export class Audit implements Step {
  readonly name = "audit";
  readonly #needs: AuditNeeds;
  readonly #intervalMs: number;
  /** When each segment was last asked for, whatever came of it. */
  readonly #asked = new Map<SegmentId, number>();

  constructor(needs: AuditNeeds, options: { readonly intervalMs: number }) {
    this.#needs = needs;
    this.#intervalMs = options.intervalMs;
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const { health, clock, conduct, samples } = this.#needs;
    const segments = auditable(health);
    samples.plan(() => segments.filter(isProven));
    const isAsked = (state: SegmentState) => (peer: PeerId | undefined): boolean => {
      return peer !== undefined && !(isProven(state) && samples.has(peer));
    };
    const whole = segments.filter((state) => state.holders.some(isAsked(state)));
    const due = dueSegments(whole, this.#asked, {
      nowMs: clock.now(), intervalMs: this.#intervalMs,
    });
    for (const state of due) {
      signal.throwIfAborted();
      this.#asked.set(state.segment, clock.now());
      const { leavesPerShard: leaves } = limits.agent;
      const asked = { leaves, signal, isAsked: isAsked(state) };
      await auditSegment(this.#needs, state.segment, asked);
    }
    forgetGone(this.#asked, segments);
    const sample = samples.next();
    if (sample !== undefined) await auditSample(this.#needs, sample, signal);
    await conduct.save();
    return due.length > 0 || sample !== undefined ? "busy" : "idle";
  }
}

/** Of segments that are no more: a drive that is written anew has millions of them in its life. */
export function forgetGone(
  asked: Map<SegmentId, number>, segments: readonly Pick<SegmentState, "segment">[],
): void {
  if (asked.size <= segments.length) return;
  const there = new Set(segments.map(({ segment }) => segment));
  for (const segment of asked.keys()) if (!there.has(segment)) asked.delete(segment);
}

/** Those that the policy lets this machine ask about. */
export function auditable(health: Health): readonly SegmentState[] {
  const groups = health.groups().map(({ group }) => group);
  const others = new Set(groups.filter((group) => !health.mayHere("audit", group)));
  return health.segments().filter(({ group }) => !others.has(group));
}

/** The few that were proven longest ago, if that is long enough. Pure. */
export function dueSegments(
  segments: readonly SegmentState[], asked: ReadonlyMap<SegmentId, number>,
  { nowMs, intervalMs }: { readonly nowMs: number; readonly intervalMs: number },
): readonly SegmentState[] {
  const beforeMs = nowMs - intervalMs;
  const lastMs = (state: SegmentState): number => {
    const times = [state.provenAtMs, asked.get(state.segment) ?? 0];
    // What lies ahead was written before the clock was set back.
    return Math.max(0, ...times.filter((atMs) => atMs <= nowMs));
  };
  // One pass and a short list: there may be a hundred thousand segments.
  const due: SegmentState[] = [];
  for (const state of segments) {
    const last = due.at(-1);
    const full = due.length === limits.agent.segmentsPerAudit;
    if (lastMs(state) > beforeMs || (full && last && lastMs(state) >= lastMs(last))) continue;
    if (full) due.pop();
    due.push(state);
    due.sort((a, b) => lastMs(a) - lastMs(b));
  }
  return due;
}

/**
 * Asks all holders of a segment at once, or some of them, as it lies now: others were asked before
 * it, and meanwhile it may have left, or been moved. Then nobody is asked.
 */
export async function auditSegment(
  needs: AuditNeeds,
  segment: SegmentState["segment"],
  options: {
    readonly leaves: number; readonly signal: AbortSignal;
    readonly isAsked?: (peer: PeerId) => boolean;
  },
): Promise<readonly Finding[]> {
  const state = needs.health.segment(segment);
  if (state === undefined) return [];
  const record = await needs.health.record(segment, options.signal);
  const { isAsked = () => true } = options;
  const held = state.holders.flatMap((holder, index) => {
    return holder !== undefined && isAsked(holder) ? [{ segment, holder, index }] : [];
  });
  const asked = await Promise.all(held.map(async (shard) => {
    const { holder: peer, index } = shard;
    const answer = await askHolder(needs, { record, peer, index }, options);
    const said = { peer, record, answer };
    return { shard, answer, isExcused: await isExcused(needs, said, options.signal) };
  }));
  options.signal.throwIfAborted();
  const told = asked.filter(({ shard, answer }) => !isMoved(needs, shard, answer));
  const findings = told.map(({ shard: { holder: peer, index }, answer, isExcused }): Finding => {
    return { peer, index, segment, outcome: outcomeOf(answer), isExcused };
  });
  await writeDown(needs, state, findings);
  return findings;
}

/** It was moved while its holder was asked, who let go of it as it was told: that is no lie. */
function isMoved(
  { health }: AuditNeeds, { segment, index, holder }: HeldShard, answer: Answer,
): boolean {
  const isGone = answer === "absent" || answer === "gone";
  return isGone && health.segment(segment)?.holders[index] !== holder;
}

async function writeDown(
  needs: AuditNeeds, state: SegmentState, findings: readonly Finding[],
): Promise<void> {
  const { health, clock, log, tally, samples } = needs;
  // Who is asked for samples earns by them.
  const answers = findings.filter(({ peer }) => !samples.has(peer));
  await tally?.proved({ segment: state.segment, shardBytes: state.shardBytes, answers });
  for (const { peer, segment, index, outcome, isExcused } of findings) {
    // It answered, and proved nothing: as good as an answer that came too late.
    health.saw({ peer, verdict: isExcused ? "late" : outcome, act: "prove" });
    if (outcome !== "wrong") continue;
    log.warn("agent.audit.wrong", { peer, segment, index, isExcused });
    await health.dropShard({ segment, index, holder: peer });
  }
  const right = findings.filter(({ outcome }) => outcome === "right").length;
  if (right >= state.k) await health.proven(state.segment, clock.now());
}

/** Random leaves of all that one holder keeps; what is right of them counts for all of it. */
async function auditSample(
  needs: AuditNeeds, { peer, pace, load }: DueSample, signal: AbortSignal,
): Promise<void> {
  const { health, random, samples, tally, log } = needs;
  const shards = heldBy(peer, auditable(health).filter(isProven));
  const outcomes: Outcome[] = [];
  let asked = 0;
  for (const { kept, leaves } of makeAudit({ shards, count: pace.leaves, random })) {
    if (health.segment(kept.segment) === undefined) continue;
    const record = await health.record(kept.segment, signal);
    const answer = await askForLeaves(needs, { ...kept, record, peer }, { leaves, signal });
    const isNoLie = await isExcused(needs, { peer, record, answer }, signal);
    signal.throwIfAborted();
    if (isMoved(needs, kept, answer)) continue;
    const found = outcomeOf(answer);
    outcomes.push(isNoLie ? "late" : found);
    asked += leaves.length;
    // More questions make nobody less busy.
    if (found === "offline" || answer === "busy") break;
    if (found !== "wrong") continue;
    const { segment, index } = kept;
    log.warn("agent.audit.wrong", { peer, segment, index, isExcused: isNoLie });
    if (!isNoLie) health.saw({ peer, verdict: "wrong", act: "prove" });
    await health.dropShard(kept);
  }
  // All that was drawn has moved meanwhile: nobody was asked, which says nothing of the holder.
  if (outcomes.length === 0) return samples.note(peer, { outcome: "late", leaves: 0 });
  const outcome = worst.find((one) => outcomes.includes(one)) ?? "late";
  // Each wrong answer was told of by itself, and all others are one.
  if (outcome !== "wrong") health.saw({ peer, verdict: outcome, act: "prove" });
  await tally?.sampled({ peer, keptBytes: load.bytes, outcome });
  await samples.note(peer, { outcome, leaves: asked });
}

/**
 * To the owner a shard that is not there is a lie, and a holder that refuses is not there. One that
 * is busy lives: half a day of much to do is no death, days of it are lateness.
 */
function outcomeOf(answer: Answer): Outcome {
  if (answer === "absent" || answer === "gone") return "wrong";
  if (answer === "busy") return "late";
  return answer === "refused" ? "offline" : answer;
}

const worst: readonly Outcome[] = ["wrong", "offline", "late", "right"];

function heldBy(
  peer: PeerId, segments: readonly SegmentState[],
): readonly (HeldShard & { readonly shardBytes: number })[] {
  return segments.flatMap(({ segment, shardBytes, holders }) => {
    const index = holders.indexOf(peer);
    return index < 0 ? [] : [{ segment, index, holder: peer, shardBytes }];
  });
}
