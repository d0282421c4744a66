/**
 * Who leads, and who looks after what: drawn by rendezvous, so that all members agree without a
 * word. Pure. A lease lasts one term and passes on with the next, whoever was drawn and is dead or
 * away; it spares members the quarrel and guards nothing: that there is one log, the votes see to.
 */
import { createHash } from "node:crypto";
import { assert } from "../base/errors.ts";
import type { BaseId, PeerId, SegmentId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";

/** Terms begin with 1, and clocks of members may differ by one. */
export function termAt(nowMs: number, leaseMs: number): number {
  return Math.max(1, Math.floor(nowMs / leaseMs));
}

/** The one member that may propose in this term. */
export function leaderOf(seats: readonly PeerId[], base: BaseId, term: number): PeerId {
  return shortest(seats, `hive lease 1/${base}/${term}`);
}

/**
 * The one of these peers that looks after a segment in this turn, so that a group is audited and
 * mended once, and by somebody else the next time.
 */
export function dutyOf(peers: readonly PeerId[], segment: SegmentId, turn: number): PeerId {
  return shortest(peers, `hive duty 1/${segment}/${turn}`);
}

/**
 * Whether a group may be mended now: no seat of the dead is to go to another, or nobody can be
 * found to take it, as the log has not grown for some leases. It took half a day to believe in a
 * death: two minutes more cost nothing, and who rebuilds reads k for each time, not for each shard.
 */
export function isSettled({ isGiving, restedMs, leaseMs }: {
  readonly isGiving: boolean; readonly restedMs: number; readonly leaseMs: number;
}): boolean {
  return !isGiving || restedMs >= limits.guard.settleLeases * leaseMs;
}

function shortest(peers: readonly PeerId[], seed: string): PeerId {
  const straws = peers.map((peer) => ({ peer, straw: strawOf(seed, peer) }));
  const [first] = straws.sort((a, b) => (a.straw < b.straw ? -1 : 1));
  assert(first !== undefined, "somebody draws");
  return first.peer;
}

function strawOf(seed: string, peer: PeerId): string {
  return createHash("sha256").update(`${seed}/${peer}`).digest("hex");
}
