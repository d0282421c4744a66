/** How much of the drive lies against the policies that govern it: counted from the books. Pure. */
import type { GroupId, PeerId } from "../../base/ids.ts";
import type { Policy } from "../../placement/language/policy.ts";
import { type SegmentState, memberOf } from "../books.ts";
import type { GroupDrift } from "../groups/law.ts";

/** Segments under one policy, and how many of them are still to be moved to it. */
export interface Moving {
  /** What people call it. */
  readonly policy: string;
  readonly left: number;
  readonly total: number;
}

export interface Surroundings {
  readonly drifts: readonly GroupDrift[];
  /** Those that stay. */
  readonly segments: readonly SegmentState[];
  readonly isLiving: (peer: PeerId) => boolean;
  /** Those whom the policy's rules keep out. */
  readonly unlawful: (policy: Policy) => ReadonlySet<PeerId>;
  readonly labelOf: (name: string) => string;
}

/** Of those policies only that something is left to be moved to. */
export function movingOf(around: Surroundings): readonly Moving[] {
  const groups = new Map<GroupId, { drift: GroupDrift; wrong: ReadonlySet<PeerId> }>();
  const unlawful = new Map<Policy, ReadonlySet<PeerId>>();
  for (const drift of around.drifts) {
    const { policy } = drift;
    unlawful.set(policy, unlawful.get(policy) ?? around.unlawful(policy));
    const wrong = new Set([...drift.broken, ...unlawful.get(policy) ?? []]);
    groups.set(drift.manifest.group, { drift, wrong });
  }
  const counts = new Map<string, { left: number; total: number }>();
  for (const state of around.segments) {
    const found = groups.get(state.group);
    if (found === undefined) continue;
    const count = counts.get(found.drift.name) ?? { left: 0, total: 0 };
    count.total++;
    if (isToMove(state, found, around.isLiving)) count.left++;
    counts.set(found.drift.name, count);
  }
  return [...counts].filter(([, { left }]) => left > 0).map(([name, count]) => {
    return { policy: around.labelOf(name), ...count };
  });
}

function isToMove(
  state: SegmentState,
  { drift, wrong }: { readonly drift: GroupDrift; readonly wrong: ReadonlySet<PeerId> },
  isLiving: (peer: PeerId) => boolean,
): boolean {
  if (!drift.isOfClass || !drift.isSigned) return true;
  return state.holders.some((holder, index) => {
    if (holder === undefined) return false;
    const isAstray = holder !== memberOf(state, index, drift.manifest) && isLiving(holder);
    return isAstray || wrong.has(holder);
  });
}
