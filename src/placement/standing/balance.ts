/**
 * Which seat should move because some peers are far fuller than others, as when an empty one joins
 * an old network. Pure. Each owner asks for its own groups, without a word to other owners; so it
 * moves, by chance, the share of its seats that is too much where they are, and less than that in
 * one turn: together they move about what one who saw everything would.
 *
 * Who gives is a band above the level of all and not below it afterwards; who takes is a band below
 * and not above it afterwards. So nothing moves back, and no byte moves that need not. Who of the
 * takers gets the seat, the draw says, under policy and caps (group.ts).
 */
import { createHash } from "node:crypto";
import type { GroupId, PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Offer } from "../../base/records.ts";
import { fullnessOf } from "../draws/straw.ts";

/** A seat of one of our groups, and what it has brought its peer. */
export interface SeatLoad {
  readonly group: GroupId;
  readonly peer: PeerId;
  readonly bytes: number;
}

/** One seat that should be another's. */
export interface Shift {
  readonly group: GroupId;
  readonly from: PeerId;
  readonly takers: readonly PeerId[];
}

/** A peer beside the level of all. */
interface Fill {
  readonly peer: PeerId;
  readonly usedBytes: number;
  /** Above the level; below it, less than 0. */
  readonly excessBytes: number;
  /** Far enough from the level to give or to take. */
  readonly isFar: boolean;
}

/** The seat that is to move in this turn, if any. */
export function planShift(
  offers: readonly Offer[], seats: readonly SeatLoad[], turn: number,
): Shift | undefined {
  const fills = fillsOf(offers);
  const members = membersOf(seats);
  const givers = new Map(fills.filter(({ excessBytes, isFar }) => isFar && excessBytes > 0)
    .map((fill) => [fill.peer, fill]));
  for (const { group, peer, bytes } of seats) {
    const giver = givers.get(peer);
    if (giver === undefined || bytes === 0 || giver.excessBytes < bytes) continue;
    if (chanceOf({ group, peer }, turn) >= shareOf(giver)) continue;
    const takers = fills.filter((one) => {
      return one.isFar && -one.excessBytes >= bytes && members.get(group)?.has(one.peer) !== true;
    });
    if (takers.length > 0) return { group, from: peer, takers: takers.map((one) => one.peer) };
  }
  return undefined;
}

/** What a peer claims counts up to a limit, as in a draw: a claim costs nothing. */
function fillsOf(offers: readonly Offer[]): readonly Fill[] {
  const sized = offers.filter(({ quotaBytes }) => quotaBytes > 0).map((offer) => ({
    peer: offer.peer, fullness: fullnessOf(offer),
    bytes: Math.min(offer.quotaBytes, limits.placement.weightBytesMax),
  }));
  const all = sized.reduce((sum, { bytes }) => sum + bytes, 0);
  const level = sized.reduce((sum, { fullness, bytes }) => sum + fullness * bytes, 0) / all;
  return sized.map(({ peer, fullness, bytes }) => ({
    peer, usedBytes: fullness * bytes, excessBytes: (fullness - level) * bytes,
    isFar: Math.abs(fullness - level) >= limits.placement.levelBand,
  }));
}

/** What of all that it keeps should leave it in one turn. */
function shareOf({ excessBytes, usedBytes }: Fill): number {
  return limits.placement.levelledPerTurn * excessBytes / usedBytes;
}

function membersOf(seats: readonly SeatLoad[]): ReadonlyMap<GroupId, ReadonlySet<PeerId>> {
  const members = new Map<GroupId, Set<PeerId>>();
  for (const { group, peer } of seats) {
    members.set(group, (members.get(group) ?? new Set()).add(peer));
  }
  return members;
}

/** From 0 to 1, the same for the same seat in the same turn: to ask again is not to try again. */
function chanceOf({ group, peer }: Pick<SeatLoad, "group" | "peer">, turn: number): number {
  const hash = createHash("sha256").update(`hive balance 1/${group}/${peer}/${turn}`).digest();
  return hash.readUIntBE(0, 6) / 2 ** 48;
}
