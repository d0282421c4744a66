/**
 * A check that a person asked for: every segment's holders are asked now, whatever was asked
 * lately, but for those that the policy lets others alone audit. Deep asks for many leaves of every
 * shard, otherwise for one. It repairs nothing.
 */
import { limits } from "../../base/limits.ts";
import type { VerifyReport } from "../../base/views/drive.ts";
import { type AuditNeeds, type Finding, auditSegment, auditable } from "./audit.ts";

export async function verifyAll(
  needs: AuditNeeds,
  options: {
    readonly deep: boolean; readonly blocks: number; readonly signal: AbortSignal;
    readonly progress: (words: string) => void;
  },
): Promise<VerifyReport> {
  const states = auditable(needs.health);
  const leaves = options.deep ? limits.proofs.leavesMax : 1;
  const all: Finding[] = [];
  let missing = 0;
  for (const [at, { segment, k }] of states.entries()) {
    const findings = await auditSegment(needs, segment, { leaves, signal: options.signal });
    const right = findings.filter(({ outcome }) => outcome === "right").length;
    // What left meanwhile, in an hour of asking, is nothing that is missed.
    if (right < k && needs.health.segment(segment) !== undefined) missing++;
    all.push(...findings);
    options.progress(`${at + 1} of ${states.length} segments`);
  }
  await needs.conduct.save();
  const count = (outcome: Finding["outcome"]): number => {
    return all.filter((finding) => finding.outcome === outcome).length;
  };
  const bad = all.filter(({ outcome }) => outcome === "wrong").slice(0, limits.agent.badMax);
  return {
    blocks: options.blocks, segments: states.length, missing,
    proofsRight: count("right"), proofsWrong: count("wrong"),
    late: count("late"), offline: count("offline"),
    bad: bad.map(({ peer, segment, index }) => ({ peer, what: `shard ${index} of ${segment}` })),
  };
}
