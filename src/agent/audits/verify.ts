/**
 * A check that a person asked for: the holders of every segment, or of some, are asked now,
 * whatever was asked lately, but for those that the policy lets others alone audit. Deep asks for
 * many leaves of every shard, otherwise for one. It repairs nothing.
 */
import { limits } from "../../base/limits.ts";
import type { VerifyOptions } from "../../base/node.ts";
import type { VerifyReport } from "../../base/views/drive.ts";
import type { Outcome } from "../../proofs/score.ts";
import { type AuditNeeds, type Finding, auditSegment, auditable } from "./audit.ts";

export async function verifySegments(
  needs: AuditNeeds, { deep, segments }: VerifyOptions,
): Promise<Omit<VerifyReport, "blocks">> {
  const wanted = segments && new Set(segments);
  const states = auditable(needs.health).filter(({ segment }) => wanted?.has(segment) ?? true);
  const leaves = deep ? limits.proofs.leavesMax : 1;
  const { signal } = new AbortController();
  const counts = { right: 0, wrong: 0, late: 0, offline: 0 } satisfies Record<Outcome, number>;
  const bad: Finding[] = [];
  let missing = 0;
  for (const { segment, k } of states) {
    const findings = await auditSegment(needs, segment, { leaves, signal });
    const right = findings.filter(({ outcome }) => outcome === "right").length;
    // What left meanwhile, in an hour of asking, is nothing that is missed.
    if (right < k && needs.health.segment(segment) !== undefined) missing++;
    for (const { outcome } of findings) counts[outcome]++;
    const room = limits.agent.badMax - bad.length;
    bad.push(...findings.filter(({ outcome }) => outcome === "wrong").slice(0, room));
  }
  await needs.conduct.save();
  return {
    segments: states.length, missing,
    proofsRight: counts.right, proofsWrong: counts.wrong,
    late: counts.late, offline: counts.offline,
    bad: bad.map(({ peer, segment, index }) => ({ peer, what: `shard ${index} of ${segment}` })),
  };
}
