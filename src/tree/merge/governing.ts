/**
 * Which policy folders have that a merge puts together or puts elsewhere: where one of several had
 * one, the folder that stays has it, so that nothing comes to lie where it may not. Pure.
 */
import type { PolicySlot } from "../../base/blocks.ts";
import type { Ino } from "../../base/ids.ts";
import { marksOf } from "../../dag/inodes.ts";
import { jointSlot } from "../../dag/policies.ts";
import type { Fact, Side } from "./facts.ts";

export class Governing {
  readonly #sides: readonly Side[];
  readonly #nameOf: (slot: PolicySlot) => string;
  readonly #fresh: number;

  /** `fresh` marks the edit, which no other device knows yet. */
  constructor(
    sides: readonly Side[],
    { nameOf, fresh }: {
      readonly nameOf: (slot: PolicySlot) => string; readonly fresh: number;
    },
  ) {
    this.#sides = sides;
    this.#nameOf = nameOf;
    this.#fresh = fresh;
  }

  /** The folder with a policy for what these had. */
  withAll(folder: Fact, slots: readonly PolicySlot[]): Fact {
    const { inode } = folder;
    const policy = slots.reduce((one, other) => jointSlot(this.#nameOf, one, other), inode.policy);
    if (policy === inode.policy) return folder;
    const marks = { ...marksOf(inode), edited: this.#fresh };
    return { ...folder, inode: { ...inode, policy, marks } };
  }

  /** What it goes by on either side; without any, the default of whatever all lies in. */
  around(folder: Ino): readonly PolicySlot[] {
    return this.#sides.map((side) => slotIn(side, folder));
  }
}

/** Of the nearest folder at or above it; the drive's root says what the default is. */
function slotIn(side: Side, folder: Ino): PolicySlot {
  for (let at = folder; ;) {
    const fact = side.facts.get(at);
    const parent = fact?.places[0]?.parent;
    if (fact === undefined || parent === undefined) return 0;
    if (fact.inode.policy > 0) return fact.inode.policy;
    at = parent;
  }
}
