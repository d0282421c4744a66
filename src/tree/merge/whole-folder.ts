/**
 * A tree that is a folder of somebody else's, and another's state of all of it: what meeting its
 * owner (folder.ts) and meeting another device of one's own (kin.ts) have in common. Contents stay
 * where they are, and nothing has to be brought or judged first.
 */
import { HiveError } from "../../base/errors.ts";
import { type Seen, markOf } from "../../dag/marks.ts";
import type { RootRecord } from "../../dag/root.ts";
import type { Node } from "../state/nodes.ts";
import type { State } from "../state/state.ts";
import type { SlotOf, Step } from "./apply.ts";
import { withArrivals } from "./arrivals.ts";
import { Bounds, mostOfOwner } from "./bounds.ts";
import type { Side } from "./facts.ts";
import type { Meeting, Sides } from "./meeting.ts";
import type { Comparison } from "./sides.ts";

export abstract class WholeFolder implements Meeting {
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
    const ours = this.oursOf(comparison.ours());
    const { facts, seen } = withArrivals(comparison.theirs(), ino);
    // What the folder itself is called, or may do, is its owner's business.
    const own = [...ours.facts].filter(([one]) => one === ino);
    return { ours, theirs: { facts: new Map([...facts, ...own]), seen } };
  }

  /** All goes by this tree's default. */
  slots(): SlotOf {
    return () => 0;
  }

  /** This tree's side, as the other is to see it. */
  protected abstract oursOf(side: Side): Side;
}

/** Corrupt when it has marks of this device that it never made: it would use them again. */
function checkOwnMarks({ device: { number }, nextIno }: State, root: RootRecord): void {
  const told = root.devices.get(number)?.count ?? 0;
  if (markOf(number, told) < nextIno) return;
  throw new HiveError("Corrupt", "tree.owner", `${told} marks of this device`);
}
