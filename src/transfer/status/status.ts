/** How safe the drive is now: counted from what the books say of every segment. Pure. */
import type { GroupId, PeerId } from "../../base/ids.ts";
import { type ErasureClass, type Manifest, erasureClasses } from "../../base/records.ts";
import type { HeldBack } from "../../base/stand-in.ts";
import { mendedFrom } from "../../placement/draws/classes.ts";
import { type SegmentState, isProven } from "../books.ts";
import type { Waiting } from "../groups/waiting.ts";
import type { Moving } from "../placed/moving.ts";
import type { LaneStatus } from "../uploads/lanes.ts";
import { type PartStatus, partsOf } from "./parts.ts";

export interface TransferStatus {
  /** The largest class in use; undefined before the first group. */
  readonly class: string | undefined;
  readonly groups: number;
  readonly segments: {
    readonly total: number;
    /** All n shards with living holders, or as many as its class waits with. */
    readonly healthy: number;
    /** Readable, but so few that it is to be mended now. */
    readonly degraded: number;
    /** Fewer than k: unreadable until holders return. */
    readonly lost: number;
    /** Not accepted by enough members yet. */
    readonly placing: number;
  };
  /** How many more holders the worst segment can lose; undefined without segments. */
  readonly survives: number | undefined;
  /** The same by policy, where anything is placed. */
  readonly parts: readonly PartStatus[];
  /** The oldest proof among all segments; 0 when one was never proven, undefined without any. */
  readonly lastProvenAtMs: number | undefined;
  readonly pendingBlocks: number;
  /** The same by policy, where anything is pending. */
  readonly lanes: readonly LaneStatus[];
  readonly waiting: Waiting;
  /** Where the newest head is not as new as the rest of it. */
  readonly heldBack: HeldBack | undefined;
  /** Policies that data is still being moved to. */
  readonly moving: readonly Moving[];
  /** The books were damaged, and all that they lost is not known again. */
  readonly isDoubted: boolean;
  /** What is in the way of that, in words. */
  readonly doubtWaitsFor: string | undefined;
}

/** Shards whose holder counts as living. */
function livingCount(state: SegmentState, isLiving: (peer: PeerId) => boolean): number {
  return state.holders.filter((peer) => peer !== undefined && isLiving(peer)).length;
}

/**
 * When enough holders to read it were last proven to have it: each asked for this very shard, or in
 * a sample of all that it keeps. Before its first proof no sample says anything of a segment.
 */
export function provenAtMs(
  state: SegmentState, sampledAtMs: (peer: PeerId) => number,
): number {
  if (!isProven(state)) return 0;
  const times = state.holders.map((peer) => (peer === undefined ? 0 : sampledAtMs(peer)));
  times.sort((a, b) => b - a);
  return Math.max(state.provenAtMs, times[state.k - 1] ?? 0);
}

export function statusOf(
  known: {
    readonly segments: readonly SegmentState[]; readonly manifests: readonly Manifest[];
    readonly lanes: readonly LaneStatus[]; readonly waiting: Waiting;
    readonly heldBack: HeldBack | undefined;
    readonly moving: readonly Moving[]; readonly policyOf: (group: GroupId) => string | null;
    readonly isDoubted: boolean;
    readonly doubtWaitsFor: string | undefined;
  },
  isLiving: (peer: PeerId) => boolean,
  sampledAtMs: (peer: PeerId) => number,
): TransferStatus {
  const manifests = new Map(known.manifests.map((manifest) => [manifest.group, manifest]));
  const placed = known.segments.filter((state) => state.placed);
  const spare = placed.map((state) => livingCount(state, isLiving) - state.k);
  const healthy = placed.filter((state, at) => {
    const { class: own } = manifests.get(state.group) ?? {};
    return isHealthy(state, spare[at] as number, own);
  }).length;
  const lost = spare.filter((shards) => shards < 0).length;
  const names = new Set(known.manifests.map((manifest) => manifest.class.name));
  return {
    class: erasureClasses.findLast(({ name }) => names.has(name))?.name,
    groups: known.manifests.length,
    segments: {
      total: placed.length, healthy, degraded: placed.length - healthy - lost, lost,
      placing: known.segments.length - placed.length,
    },
    survives: least(spare),
    parts: partsOf(placed, {
      manifests, policyOf: known.policyOf, isLiving,
      provenAtMs: (state) => provenAtMs(state, sampledAtMs),
    }),
    lastProvenAtMs: least(placed.map((state) => provenAtMs(state, sampledAtMs))),
    pendingBlocks: known.lanes.reduce((sum, { pendingBlocks }) => sum + pendingBlocks, 0),
    lanes: known.lanes,
    waiting: known.waiting,
    heldBack: known.heldBack,
    moving: known.moving,
    isDoubted: known.isDoubted,
    doubtWaitsFor: known.doubtWaitsFor,
  };
}

/** Nothing of it is to be mended yet; under a class that is not known every loss is. */
function isHealthy({ n, k }: SegmentState, spare: number, own: ErasureClass | undefined): boolean {
  return spare + k > (own === undefined ? n - 1 : mendedFrom(own));
}

/** How many shards each peer holds. */
export function shardsByHolder(segments: readonly SegmentState[]): ReadonlyMap<PeerId, number> {
  const counts = new Map<PeerId, number>();
  for (const { holders } of segments) {
    for (const peer of holders) {
      if (peer !== undefined) counts.set(peer, (counts.get(peer) ?? 0) + 1);
    }
  }
  return counts;
}

/** Without spreading: a drive may have a hundred thousand segments. */
function least(numbers: readonly number[]): number | undefined {
  return numbers.reduce<number | undefined>((found, number) => {
    return found === undefined || number < found ? number : found;
  }, undefined);
}
