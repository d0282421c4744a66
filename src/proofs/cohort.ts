/**
 * Who fell silent together. Peers of one network, one version or one country that vanish at once
 * have one reason, and it is seldom that all of their disks died: they are waited for, not rebuilt.
 * Pure. Our own line is another matter: agent/conduct/looking.ts.
 */
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";

export interface Silence {
  readonly peer: PeerId;
  /** Undefined for one that answers. */
  readonly sinceMs: number | undefined;
  /** What it shares with others, each with its kind in front, such as `asn 64500`. */
  readonly domains: readonly string[];
}

/** Those whose silence is that of a cohort, and is not old enough to be believed. */
export function frozenOf(silences: readonly Silence[], nowMs: number): ReadonlySet<PeerId> {
  const frozen = new Set<PeerId>();
  for (const members of byDomain(silences).values()) {
    for (const peer of cohortOf(members, nowMs)) frozen.add(peer);
  }
  return frozen;
}

/** Of one domain: the most who fell silent within one window, if they are most of it. */
function cohortOf(members: readonly Silence[], nowMs: number): readonly PeerId[] {
  const { cohortMin, cohortShare, cohortWindowMs, cohortFreezeMs } = limits.proofs;
  const silent = members.flatMap(({ peer, sinceMs }) => {
    const isFresh = sinceMs !== undefined && nowMs - sinceMs < cohortFreezeMs;
    return isFresh ? [{ peer, sinceMs }] : [];
  });
  // Who was silent long before is of no cohort of today's, and counts neither for nor against.
  const old = members.filter(({ sinceMs }) => sinceMs !== undefined).length - silent.length;
  return silent.filter(({ sinceMs: oneMs }) => {
    const together = silent.filter(({ sinceMs }) => Math.abs(sinceMs - oneMs) <= cohortWindowMs);
    return together.length >= Math.max(cohortMin, cohortShare * (members.length - old));
  }).map(({ peer }) => peer);
}

function byDomain(silences: readonly Silence[]): ReadonlyMap<string, readonly Silence[]> {
  const found = new Map<string, Silence[]>();
  for (const silence of silences) {
    for (const domain of silence.domains) {
      const members = found.get(domain) ?? [];
      members.push(silence);
      found.set(domain, members);
    }
  }
  return found;
}
