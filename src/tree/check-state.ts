/** What the parts of a check share: the way to blocks, the accounts, who hears of problems. */
import type { Cid } from "../base/ids.ts";
import type { FsckProblem } from "../base/damages.ts";
import type { Entry } from "../dag/entries.ts";
import { InoSet, LinkCounts } from "./check-accounts.ts";
import type { Mending } from "./check-pages.ts";

export interface CheckState {
  readonly mending: Mending;
  /** True when the block is neither on this machine nor, as far as is known, on peers. */
  readonly isNowhere: (cid: Cid) => Promise<boolean>;
  readonly report: (problem: FsckProblem) => void;
  /** Called for each file and directory. */
  readonly progress: () => void;
  readonly accounts: Accounts;
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
  /** Pages on peers alone: of directories, of the table of linked files, of chunk links. */
  unseenNames = 0;
  unseenTable = 0;
  unseenLinks = 0;
  givenUp = 0;
  /** Pages that are lost and still named. */
  readonly stillNamed = new Set<Cid>();

  constructor(nextIno: number) {
    this.nextIno = nextIno;
  }
}
