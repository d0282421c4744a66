/**
 * A folder of somebody else's, as two devices of one person have it who writes it on both. Each has
 * a tree of it alone, and what either did counts as it does among the devices of a drive. But both
 * have but the folder: a thing may have been made long before it came there, so what came in with a
 * folder above it is news to the one that has not seen that (arrivals.ts). Contents stay where
 * they are, under the other device's keys, until the owner has taken them over.
 */
import type { RootRecord } from "../../dag/root.ts";
import type { Seen } from "../../dag/marks.ts";
import type { Node } from "../state/nodes.ts";
import type { State } from "../state/state.ts";
import type { SlotOf, Step } from "./apply.ts";
import { withArrivals } from "./arrivals.ts";
import { Bounds, mostOfOwner } from "./bounds.ts";
import { checkOwnMarks } from "./folder.ts";
import type { Meeting, Sides } from "./meeting.ts";
import type { Comparison } from "./sides.ts";

export class KinMeeting implements Meeting {
  readonly root: RootRecord;
  readonly folder: Node;
  readonly isWhole = false;
  readonly isJudged = false;
  readonly bounds = () => new Bounds(mostOfOwner);

  constructor(state: State, root: RootRecord) {
    checkOwnMarks(state, root);
    this.root = root;
    this.folder = state.nodes.root;
  }

  [Symbol.dispose](): void {}

  get news(): Seen {
    return this.root.devices;
  }

  ready(steps: readonly Step[]): readonly Step[] {
    return steps;
  }

  sidesOf(comparison: Comparison): Sides {
    const { ino } = this.folder;
    const ours = withArrivals(comparison.ours(), ino);
    const { facts, seen } = withArrivals(comparison.theirs(), ino);
    // What the folder itself is called, or may do, is its owner's business.
    const own = [...ours.facts].filter(([one]) => one === ino);
    return { ours, theirs: { facts: new Map([...facts, ...own]), seen } };
  }

  /** All goes by this tree's default. */
  slots(): SlotOf {
    return () => 0;
  }
}
