/**
 * What brings segments back to full redundancy: seats of holders that are dead or lied go to other
 * peers, and every shard that is not where it should be is brought there. Where a lone shard costs
 * many reads it waits until several are lost, and no longer. Pure: an owner's agent asks it about
 * all that it has (repair.ts), a member of a group about what it has looked at (guard-duty.ts).
 */
import type { GroupId, PeerId, SegmentId } from "../base/ids.ts";
import type { Manifest } from "../base/records.ts";
import { mendedFrom } from "../placement/classes.ts";
import { type SegmentState, memberOf } from "../transfer/books.ts";

/** What has to be known of a segment, whoever knows it. */
export type Placed = Pick<
  SegmentState, "segment" | "group" | "k" | "n" | "rotation" | "holders"
>;

export interface Replacement {
  readonly group: GroupId;
  readonly lost: PeerId;
}

export interface Mend {
  readonly segment: SegmentId;
  readonly index: number;
  /** Who should have it. */
  readonly member: PeerId;
  /** Shards the segment can still lose: the fewest come first. */
  readonly spare: number;
}

export interface RepairPlan {
  readonly replacements: readonly Replacement[];
  readonly mends: readonly Mend[];
}

/** What there is, and who may be counted on. */
export interface Situation {
  readonly segments: readonly Placed[];
  readonly manifests: readonly Manifest[];
  readonly isUnfit: (peer: PeerId) => boolean;
  readonly isOnline: (peer: PeerId) => boolean;
  /** The policy does not let it have what it has not got yet: it is to be replaced. */
  readonly isBarred: (group: GroupId, peer: PeerId) => boolean;
  /**
   * What is missing waits, as its class allows, until so little is left that it is made all at once
   * (placement/classes.ts, mendedFrom); an agent is patient. Otherwise nothing waits.
   */
  readonly isPatient: boolean;
}

/** One segment, as it is now. */
interface Look {
  readonly state: Placed;
  readonly manifest: Manifest;
  /** Holders that may be counted on, whether they are there or not. */
  readonly living: readonly PeerId[];
}

/** Whose seat is to be given away, and which shards are to be brought where they belong. */
export function planRepair(situation: Situation): RepairPlan {
  const { segments, manifests, isUnfit } = situation;
  const groups = new Map(manifests.map((manifest) => [manifest.group, manifest]));
  const looks = segments.flatMap((state): Look[] => {
    const manifest = groups.get(state.group);
    const living = state.holders.filter((peer): peer is PeerId => {
      return peer !== undefined && !isUnfit(peer);
    });
    return manifest === undefined ? [] : [{ state, manifest, living }];
  });
  const mends = looks.flatMap((look) => mendsOf(look, situation));
  mends.sort((a, b) => a.spare - b.spare);
  return { replacements: replacementsIn(looks, situation), mends };
}

/** Of the most endangered group first. */
function replacementsIn(looks: readonly Look[], situation: Situation): Replacement[] {
  const { isUnfit, isOnline, isPatient } = situation;
  const left = new Map<Manifest, number>();
  for (const { manifest, living } of looks) {
    left.set(manifest, Math.min(left.get(manifest) ?? Infinity, living.length));
  }
  const due = [...left].flatMap(([manifest, least]) => {
    const fit = manifest.peers.filter((peer) => !isUnfit(peer));
    // With fewer than k there is nothing to rebuild from, and our own line is the likely reason.
    const isWithin = fit.filter(isOnline).length >= manifest.class.k;
    const living = Math.min(least, fit.length);
    const isDue = !isPatient || living <= mendedFrom(manifest.class);
    return isWithin && isDue ? [{ manifest, spare: living - manifest.class.k }] : [];
  });
  due.sort((a, b) => a.spare - b.spare);
  return due.flatMap(({ manifest: { group, peers } }) => {
    return peers.filter(isUnfit).map((lost) => ({ group, lost }));
  });
}

/** Shards that are with nobody or with somebody else than the newest manifest says. */
function mendsOf(
  { state, manifest, living }: Look, { isUnfit, isOnline, isBarred, isPatient }: Situation,
): Mend[] {
  const isThere = (peer: PeerId | undefined): boolean => peer !== undefined && isOnline(peer);
  const canRebuild = living.filter(isThere).length >= state.k;
  const lacking = state.holders.flatMap((holder, index) => {
    const member = memberOf(state, index, manifest);
    if (holder === member || isUnfit(member) || !isOnline(member)) return [];
    if (isBarred(state.group, member)) return [];
    // What cannot be had now must not stand before what can.
    if (!canRebuild && !isThere(holder)) return [];
    return [{ segment: state.segment, index, member, spare: living.length - state.k }];
  });
  const isDue = !isPatient || living.length <= mendedFrom(manifest.class);
  // A seat that was given away is filled at once: the manifest says that it is.
  const isGiven = lacking.some(({ index }) => state.holders[index] !== undefined);
  return isDue || isGiven ? lacking : [];
}

/**
 * What the first segments lack, each with all of it, as one reading of k does for all: segments
 * until that is so many shards. Pure.
 */
export function firstSegments(
  mends: readonly Mend[], shardsMax: number,
): readonly (readonly Mend[])[] {
  const chosen = new Set(mends.slice(0, shardsMax).map(({ segment }) => segment));
  const bySegment = new Map([...chosen].map((segment): [SegmentId, Mend[]] => [segment, []]));
  for (const mend of mends) bySegment.get(mend.segment)?.push(mend);
  return [...bySegment.values()];
}

/** How many segments they are of. */
export function countSegments(mends: readonly Mend[]): number {
  return new Set(mends.map(({ segment }) => segment)).size;
}

/** The seats of the first groups, each with all of its own: groups until that is so many seats. */
export function firstGroups(
  replacements: readonly Replacement[], seatsMax: number,
): ReadonlyMap<GroupId, readonly PeerId[]> {
  const first = replacements.slice(0, seatsMax);
  const chosen = new Map(first.map(({ group }): [GroupId, PeerId[]] => [group, []]));
  for (const { group, lost } of replacements) chosen.get(group)?.push(lost);
  return chosen;
}
