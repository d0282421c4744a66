/**
 * Who counts as one household: those who say so, and those behind one address, whatever they say.
 * Pure.
 *
 * Several claims behind one line (an IPv4 address, an IPv6 /56) count as the one of them that comes
 * first in the alphabet. Nothing is merged beyond that line: else whoever claims all names from one
 * machine would make one household of everybody.
 *
 * Behind a carrier's address are strangers by the hundred. It is taken for one when
 * `carrierHouseholdsMin` households are behind it whose keys this node has known for
 * `carrierAgeMs`: then those keep their claims, and all younger ones together count as one. In
 * doubt it is a home.
 * Who keeps as many keys for as long behind one address gains what as many addresses cost a minute.
 */
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";

/** A peer that was seen at a public address. */
export interface Dweller {
  readonly peer: PeerId;
  readonly line: string;
  readonly claim: string;
  readonly sinceMs: number;
  readonly seenAtMs: number;
}

/** The household that each of them counts as. */
export function householdsOf(
  dwellers: readonly Dweller[], nowMs: number,
): ReadonlyMap<PeerId, string> {
  const lines = Map.groupBy(dwellers, ({ line }) => line);
  return new Map([...lines.values()].flatMap((behind) => sharing(behind, nowMs)));
}

function sharing(
  behind: readonly Dweller[], nowMs: number,
): readonly (readonly [PeerId, string])[] {
  const settled = behind.filter((dweller) => isSettled(dweller, nowMs));
  const claims = new Set(settled.map(({ claim }) => claim));
  const isCarrier = claims.size >= limits.places.carrierHouseholdsMin;
  const apart = new Set(isCarrier ? settled.map(({ peer }) => peer) : []);
  const merged = behind.filter(({ peer }) => !apart.has(peer));
  const first = firstOf(merged.map(({ claim }) => claim));
  return behind.map(({ peer, claim }) => [peer, apart.has(peer) ? claim : first] as const);
}

function isSettled({ sinceMs, seenAtMs }: Dweller, nowMs: number): boolean {
  const { carrierAgeMs, carrierSeenMs } = limits.places;
  return seenAtMs - sinceMs >= carrierAgeMs && nowMs - seenAtMs <= carrierSeenMs;
}

function firstOf(claims: readonly string[]): string {
  return claims.toSorted()[0] ?? "";
}
