/**
 * What brings segments back to full redundancy: seats of holders that are dead or lied go to other
 * peers, and every shard that is not where it should be is brought there. Where a lone shard costs
 * many reads it waits until several are lost, and no longer. Pure: an owner's agent asks it about
 * all that it has (repair.ts), a member of a group about what it has looked at (guard-duty.ts).
 */
import type { GroupId, PeerId, SegmentId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { ErasureClass, Manifest } from "../../base/records.ts";
import { mendedFrom, thinFrom } from "../../placement/draws/classes.ts";
import { type SegmentState, memberOf } from "../../transfer/books.ts";

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
  /** Each segment with all that it lacks; of very many the most endangered alone. */
  readonly mends: readonly Mend[];
  /** All that is to be brought, whether or not it is among these. */
  readonly left: { readonly shards: number; readonly segments: number };
}

/** What there is, and who may be counted on. */
export interface Situation {
  readonly segments: readonly Placed[];
  readonly manifests: readonly Manifest[];
  readonly isUnfit: (peer: PeerId) => boolean;
  /** Of the unfit: dead by a short silence, and waited for where enough others are left. */
  readonly isFresh: (peer: PeerId) => boolean;
  readonly isOnline: (peer: PeerId) => boolean;
  /** The policy does not let it have what it has not got yet: it is to be replaced. */
  readonly isBarred: (group: GroupId, peer: PeerId) => boolean;
  /**
   * What is missing waits, as its class allows, until so little is left that it is made all at once
   * (placement/draws/classes.ts, mendedFrom); an agent is patient. Otherwise nothing waits.
   */
  readonly isPatient: boolean;
  /** Not to be tried now; it is left to do all the same. */
  readonly isPutOff?: (mend: Mend) => boolean;
}

/** Whose seat is to be given away, and which shards are to be brought where they belong. */
export function planRepair({ segments, ...sight }: Situation): RepairPlan {
  const planning = new Planning(sight);
  for (const state of segments) planning.look(state);
  return planning.plan();
}

/** Of some peers: that may be counted on, and with those besides who are still waited for. */
interface Count {
  readonly sure: number;
  readonly hoped: number;
}

/** A group, and the thinnest of its segments. */
interface GroupSeen {
  readonly manifest: Manifest;
  /** Of its members, whether they are there or not. */
  readonly members: Count;
  /** As many as are counted, and whether nobody is waited for in one of them. */
  least: number;
  isThin: boolean;
}

/** One segment, as it is now. */
interface Look {
  readonly state: Placed;
  readonly manifest: Manifest;
  /** Holders that may be counted on, whether they are there or not. */
  readonly living: readonly PeerId[];
  /** As many as decide whether it has to be mended. */
  readonly counted: number;
}

/** A plan in the making: a drive has a hundred thousand segments, and nearly all lack nothing. */
export class Planning {
  readonly #sight: Omit<Situation, "segments">;
  readonly #groups: ReadonlyMap<GroupId, GroupSeen>;
  /** By what the segment can still lose. */
  readonly #mends = new Map<number, Mend[]>();
  readonly #left = { shards: 0, segments: 0 };

  constructor(sight: Omit<Situation, "segments">) {
    this.#sight = sight;
    this.#groups = new Map(sight.manifests.map((manifest) => {
      const members = countOf(manifest.peers, sight);
      return [manifest.group, { manifest, members, least: Infinity, isThin: false }];
    }));
  }

  look(state: Placed): void {
    const seen = this.#groups.get(state.group);
    if (seen === undefined) return;
    const { manifest, members } = seen;
    // Where all shards are with their members, all that can be lacking are members.
    if (isSeated(state, manifest)) return see(seen, members);
    const living = state.holders.filter((peer): peer is PeerId => {
      return peer !== undefined && !this.#sight.isUnfit(peer);
    });
    const count = countOf(state.holders, this.#sight);
    see(seen, count);
    const counted = countedOf(count, manifest.class);
    this.#keep(mendsOf({ state, manifest, living, counted }, this.#sight));
  }

  plan(): RepairPlan {
    const bySpare = [...this.#mends].sort(([a], [b]) => a - b);
    return {
      replacements: replacementsIn([...this.#groups.values()], this.#sight),
      mends: bySpare.flatMap(([, mends]) => mends), left: { ...this.#left },
    };
  }

  #keep(mends: readonly Mend[]): void {
    const [first] = mends;
    if (first === undefined) return;
    this.#left.segments++;
    this.#left.shards += mends.length;
    const kept = this.#mends.get(first.spare) ?? [];
    this.#mends.set(first.spare, kept);
    if (kept.length >= limits.agent.mendsPlannedMax) return;
    const { isPutOff = () => false } = this.#sight;
    kept.push(...mends.filter((mend) => !isPutOff(mend)));
  }
}

/** Every shard is with the member that should have it. */
export function isSeated(state: Placed, manifest: Manifest): boolean {
  const { holders, rotation, n } = state;
  const { peers } = manifest;
  for (let index = 0; index < n; index++) {
    if (holders[index] !== peers[(index + rotation) % n]) return false;
  }
  return true;
}

function see(seen: GroupSeen, count: Count): void {
  const { class: erasureClass } = seen.manifest;
  seen.least = Math.min(seen.least, countedOf(count, erasureClass));
  seen.isThin ||= count.sure <= thinFrom(erasureClass);
}

function countOf(
  peers: readonly (PeerId | undefined)[],
  { isUnfit, isFresh }: Pick<Situation, "isUnfit" | "isFresh">,
): Count {
  let [sure, hoped] = [0, 0];
  for (const peer of peers) {
    if (peer === undefined) continue;
    if (!isUnfit(peer)) sure++;
    else if (isFresh(peer)) hoped++;
  }
  return { sure, hoped: sure + hoped };
}

/** Where little is left, hope counts for nothing. */
function countedOf({ sure, hoped }: Count, erasureClass: ErasureClass): number {
  return sure <= thinFrom(erasureClass) ? sure : hoped;
}

/** Of the most endangered group first; a group without segments has nothing to lose. */
function replacementsIn(
  groups: readonly GroupSeen[], sight: Omit<Situation, "segments">,
): Replacement[] {
  const due = groups.flatMap((seen) => {
    const { manifest, least } = seen;
    const living = Math.min(least, countedOf(seen.members, manifest.class));
    const isDue = !sight.isPatient || living <= mendedFrom(manifest.class);
    const isAny = least < Infinity && isDue && canRebuild(manifest, sight);
    return isAny ? [{ seen, spare: living - manifest.class.k }] : [];
  });
  due.sort((a, b) => a.spare - b.spare);
  return due.flatMap(({ seen: { manifest: { group, class: own, peers }, members, isThin } }) => {
    const isWaiting = sight.isPatient && !isThin && members.sure > thinFrom(own);
    const lost = peers.filter((peer) => {
      return sight.isUnfit(peer) && !(isWaiting && sight.isFresh(peer));
    });
    return lost.map((peer) => ({ group, lost: peer }));
  });
}

/** With fewer than k there is nothing to rebuild from, and our own line is the likely reason. */
function canRebuild(
  { peers, class: { k } }: Manifest, { isUnfit, isOnline }: Omit<Situation, "segments">,
): boolean {
  return peers.filter((peer) => !isUnfit(peer) && isOnline(peer)).length >= k;
}

/** Shards that are with nobody or with somebody else than the newest manifest says. */
function mendsOf(
  { state, manifest, living, counted }: Look,
  { isUnfit, isOnline, isBarred, isPatient }: Omit<Situation, "segments">,
): readonly Mend[] {
  const isThere = (peer: PeerId | undefined): boolean => peer !== undefined && isOnline(peer);
  const isEnough = living.filter(isThere).length >= state.k;
  const lacking = state.holders.flatMap((holder, index) => {
    const member = memberOf(state, index, manifest);
    if (holder === member || isUnfit(member) || !isOnline(member)) return [];
    if (isBarred(state.group, member)) return [];
    // What cannot be had now must not stand before what can.
    if (!isEnough && !isThere(holder)) return [];
    return [{ segment: state.segment, index, member, spare: living.length - state.k }];
  });
  const isDue = !isPatient || counted <= mendedFrom(manifest.class);
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

/** The seats of the first groups, each with all of its own: groups until that is so many seats. */
export function firstGroups(
  replacements: readonly Replacement[], seatsMax: number,
): ReadonlyMap<GroupId, readonly PeerId[]> {
  const first = replacements.slice(0, seatsMax);
  const chosen = new Map(first.map(({ group }): [GroupId, PeerId[]] => [group, []]));
  for (const { group, lost } of replacements) chosen.get(group)?.push(lost);
  return chosen;
}
