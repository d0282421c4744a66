/**
 * How safe the data of each policy is, counted from what the books say of every segment: one part
 * for the drive's default, and one for each policy that folders go by. Pure.
 */
import type { GroupId, PeerId } from "../../base/ids.ts";
import { type Manifest, erasureClasses } from "../../base/records.ts";
import { type SegmentState, memberOf } from "../books.ts";

export interface PartStatus {
  /** What people call the policy; null for the drive's default. */
  readonly policy: string | null;
  /** The largest class in use. */
  readonly class: string | undefined;
  readonly segments: number;
  /** With fewer living shards than their class is repaired at; the lost ones among them. */
  readonly endangered: number;
  /** With fewer than k: unreadable until holders return. */
  readonly lost: number;
  /** How many more holders the worst segment can lose. */
  readonly survives: number;
  /** The oldest proof among its segments; 0 when one was never proven. */
  readonly provenAtMs: number;
  /** Shards that are not with the living member who should have them, in how many segments. */
  readonly lacking: { readonly shards: number; readonly segments: number };
  readonly holders: ReadonlySet<PeerId>;
}

/** Of what is placed; nothing of a policy that nothing is placed under. */
export function partsOf(
  segments: readonly SegmentState[],
  known: {
    readonly manifests: ReadonlyMap<GroupId, Manifest>;
    /** What people call the policy that the group was drawn for; null for the drive's default. */
    readonly policyOf: (group: GroupId) => string | null;
    readonly isLiving: (peer: PeerId) => boolean;
    /** By all that is known of its holders. */
    readonly provenAtMs: (state: SegmentState) => number;
  },
): readonly PartStatus[] {
  const byPolicy = new Map<string | null, SegmentState[]>();
  for (const state of segments) {
    const policy = known.policyOf(state.group);
    const those = byPolicy.get(policy);
    if (those === undefined) byPolicy.set(policy, [state]);
    else those.push(state);
  }
  const sorted = [...byPolicy].sort(([a], [b]) => ((a ?? "") < (b ?? "") ? -1 : 1));
  return sorted.map(([policy, those]) => partOf(policy, those, known));
}

function partOf(
  policy: string | null, segments: readonly SegmentState[],
  { manifests, isLiving, ...known }: Omit<Parameters<typeof partsOf>[1], "policyOf">,
): PartStatus {
  const classes = new Set<string>();
  const holders = new Set<PeerId>();
  const lacking = { shards: 0, segments: 0 };
  let [endangered, lost, survives, provenAtMs] = [0, 0, Infinity, Infinity];
  for (const state of segments) {
    const manifest = manifests.get(state.group);
    const living = state.holders.filter((peer) => peer !== undefined && isLiving(peer));
    const spare = living.length - state.k;
    if (manifest !== undefined) classes.add(manifest.class.name);
    for (const peer of living) holders.add(peer as PeerId);
    if (living.length < (manifest?.class.r ?? state.k)) endangered++;
    if (spare < 0) lost++;
    survives = Math.min(survives, spare);
    provenAtMs = Math.min(provenAtMs, known.provenAtMs(state));
    const absent = lackingOf(state, manifest, isLiving);
    lacking.shards += absent;
    lacking.segments += absent > 0 ? 1 : 0;
  }
  return {
    policy, class: erasureClasses.findLast((one) => classes.has(one.name))?.name,
    segments: segments.length, endangered, lost, survives: Math.max(0, survives), provenAtMs,
    lacking, holders,
  };
}

function lackingOf(
  state: SegmentState, manifest: Manifest | undefined, isLiving: (peer: PeerId) => boolean,
): number {
  return state.holders.filter((holder, index) => {
    const member = manifest === undefined ? holder : memberOf(state, index, manifest);
    return holder === undefined || holder !== member || !isLiving(holder);
  }).length;
}
