/**
 * How far a node is with leaving, for people: what is still here, how long it may take by what went
 * of late, and what nobody but an owner can move. Pure.
 */
import type { PeerId } from "../../base/ids.ts";
import type { LeaveView } from "../../base/views/peers.ts";
import { type Standing, quorumOf, seatsOf } from "../../guard/log.ts";

/** What was here when it began. */
export interface Departure {
  readonly sinceMs: number;
  readonly shards: number;
  readonly bytes: number;
}

export function leaveViewOf(
  begun: Departure | undefined,
  now: {
    readonly shards: number; readonly bytes: number; readonly leftMs: number | undefined;
    readonly obstacles: readonly string[];
  },
): LeaveView {
  const { shards, bytes, leftMs, obstacles } = now;
  const here = { shards, bytes };
  if (begun === undefined) {
    return { state: "staying", since: null, ...here, before: null, secondsLeft: null, waiting: [] };
  }
  const { sinceMs, ...before } = begun;
  return {
    state: shards === 0 ? "gone" : "leaving",
    since: new Date(sinceMs).toISOString(),
    ...here, before,
    secondsLeft: leftMs === undefined || shards === 0 ? null : Math.ceil(leftMs / 1000),
    waiting: shards === 0 ? [] : obstacles,
  };
}

/** Whose shards their owners do not move now, since none of their machines is there. */
export function obstaclesOf(
  standings: readonly Standing[],
  who: {
    readonly online: ReadonlySet<PeerId>; readonly self: PeerId;
    readonly devices: ReadonlyMap<string, ReadonlySet<PeerId>>;
  },
): readonly string[] {
  const { online, devices, self } = who;
  const isThere = (peer: PeerId): boolean => peer === self || online.has(peer);
  const away = standings.filter(({ manifest }) => {
    return ![...devices.get(manifest.owner) ?? []].some(isThere);
  });
  const isAlone = (standing: Standing): boolean => {
    const seats = seatsOf(standing);
    return seats.filter(isThere).length < quorumOf(seats.length);
  };
  const drives = (those: readonly Standing[]): number => {
    return new Set(those.map(({ manifest }) => manifest.owner)).size;
  };
  const alone = away.filter(isAlone);
  const guarded = away.filter((standing) => !isAlone(standing));
  return [
    ...(guarded.length === 0 ? [] : [`${drivesText(drives(guarded))} without a machine of the \
owner's: the other holders move what they can without it`]),
    ...(alone.length === 0 ? [] : [`${drivesText(drives(alone))} of which too few holders are \
there, and no machine of the owner's: it waits for them`]),
  ];
}

function drivesText(count: number): string {
  return count === 1 ? "1 drive" : `${count} drives`;
}
