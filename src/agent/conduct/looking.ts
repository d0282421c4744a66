/**
 * How much of a member's silence is its own. Time in which this machine slept, was off or had no
 * line says nothing of others: it must not condemn everybody on the next morning. Pure.
 */
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { KnownPeer } from "../../base/network.ts";

export interface Look {
  /** When the members were last looked at. */
  readonly lastMs: number;
  readonly nowMs: number;
  /** Members whose silence would count. */
  readonly members: number;
  /** Those of them who are there. */
  readonly present: number;
}

/** The time since the last look that is nobody's silence; negative for a clock set back. */
export function excusedMs({ lastMs, nowMs, members, present }: Look): number {
  const passedMs = nowMs - lastMs;
  const wasAway = passedMs < 0 || passedMs > limits.agent.lookGapMsMax;
  if (wasAway || present === 0) return passedMs;
  const isCohort = present * 2 < members;
  return isCohort ? passedMs * (1 - 1 / limits.agent.cohortPatience) : 0;
}

/** What each known peer shares with those that would fall silent with it. */
export function domainsOf(
  peers: readonly KnownPeer[],
): ReadonlyMap<PeerId, readonly string[]> {
  return new Map(peers.map(({ offer: { peer }, observed }) => {
    const { asn, prefix } = observed ?? {};
    const network = asn === undefined ? [] : [`asn ${asn}`];
    return [peer, [...network, ...(prefix === undefined ? [] : [`prefix ${prefix}`])]];
  }));
}
