/** What the parts of a check share: the way to blocks, the accounts, who hears of problems. */
import type { PolicySlot } from "../../base/blocks.ts";
import type { FsckProblem } from "../../base/damages.ts";
import type { Cid } from "../../base/ids.ts";
import type { Entry } from "../../dag/entries.ts";
import type { Blocks } from "../state/blocks.ts";
import { InoSet, LinkCounts } from "./accounts.ts";
import type { Mending, Whereabouts } from "./pages.ts";

export interface CheckState {
  readonly mending: Mending;
  readonly blocks: Blocks;
  readonly whereIs: Whereabouts;
  /** True when the block is whole on this machine. */
  readonly isHere: (cid: Cid) => boolean;
  readonly report: (problem: FsckProblem) => void;
  /** Called for each file and directory. */
  readonly progress: () => void;
  readonly accounts: Accounts;
}

/** The same for what goes by this policy. */
export function governed(check: CheckState, slot: PolicySlot): CheckState {
  return slot === check.mending.slot ? check : { ...check, mending: { ...check.mending, slot } };
}

export class Accounts {
  readonly inos = new InoSet();
  readonly linked = new LinkCounts();
  /** What is told of linked files before a name of theirs is known. */
  readonly unnamed = new Map<number, FsckProblem[]>();
  /** Entries that cannot stay where they were: they get a place in lost+found. */
  readonly homeless: Entry[] = [];
  files = 0;
  directories = 0;
  bytes = 0;
  nextIno: number;
  /** Pages that are on peers alone. */
  elsewhere = 0;
  /** Every page of every directory was read, or is known to be lost; so with the linked files. */
  allNamesSeen = true;
  wholeTableSeen = true;
  /** Blocks that are neither here nor in the books, and may be found again. */
  unknown = 0;
  givenUp = 0;
  /** Pages that are lost and still named. */
  readonly stillNamed = new Set<Cid>();

  constructor(nextIno: number) {
    this.nextIno = nextIno;
  }
}
