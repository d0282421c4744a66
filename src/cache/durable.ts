/**
 * What a group commit writes, put together from the parts that have something to say: index
 * entries, journal records, the root, and the sums by which the next start knows that all is
 * there. It decides nothing; a full disk is given its reserve once.
 */
import { HiveError, isFault } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { BlockFile } from "./block-file.ts";
import type { BlockLog } from "./block-log.ts";
import type { Catalog } from "./catalog.ts";
import type { Disk } from "./disk.ts";
import { frameOfRoot } from "./frame.ts";
import { GroupCommit } from "./group-commit.ts";
import type { Journal } from "./journal.ts";
import type { Change, LevelTable } from "./level.ts";
import {
  type Books, type CommitRecord, booksKey, encodeBooks, encodeCommit, formatKey, rootKey, withCheck,
} from "./records.ts";
import type { Rounds } from "./rounds.ts";

interface Needs {
  readonly catalog: Catalog;
  readonly disk: Disk;
  readonly journal: Journal;
  readonly log: BlockLog;
  readonly rounds: Rounds;
  readonly table: LevelTable;
  /** There is a new root. */
  readonly committed: () => void;
}

/** What the format is now. A change brings a new number and a line in hive-format(5). */
const formatNumber = 1;

export class Durable {
  readonly group: GroupCommit;
  readonly #needs: Needs;
  /** Where the newest copy of the root record lies; unknown after a start. */
  #rootFile: BlockFile | undefined;

  constructor(needs: Needs) {
    this.#needs = needs;
    const { disk, table } = needs;
    this.group = new GroupCommit({
      flush: () => orWithReserve(disk, () => this.#flush()),
      write: (changes) => orWithReserve(disk, () => table.batch(changes, { sync: true })),
      gather: () => this.#gather(),
      wanted: () => this.#isWanted(),
      settled: () => this.#settled(),
    });
  }

  /** Why what was taken in is not kept, if it is not. */
  get hindrance(): HiveError | undefined {
    return this.#needs.disk.gone ?? this.group.hindrance;
  }

  /** All that was taken in before this call is where the next start finds it. */
  async sync(): Promise<void> {
    // What was durable before is not any more when somebody has deleted it.
    if (!this.#isWanted()) await this.#needs.disk.check();
    await this.group.request();
  }

  /** Memory holds a little for a full disk; one that may not be written is not waited for. */
  refuseIfHindered(): void {
    const { hindrance } = this;
    if (hindrance === undefined) return;
    const heldBytes = this.group.keptBytes + this.#needs.journal.pendingBytes;
    const mayWait = isFault(hindrance, "NoSpace") && heldBytes < limits.cache.hinderedBytesMax;
    if (!mayWait) throw hindrance;
  }

  /** Makes durable what the start has found: a whole index, and the root wherever it was. */
  async settleIn(): Promise<void> {
    const { rounds, table, disk } = this.#needs;
    // Only an index that is whole again is called whole: before, the next start looks once more.
    await this.group.request();
    const format = Buffer.from([formatNumber]);
    const changes: Change[] = [
      { type: "put", key: formatKey, value: withCheck(formatKey, format) },
      this.#books(),
    ];
    const commit = rounds.committed;
    const root = commit === undefined ? undefined : withCheck(rootKey, encodeCommit(commit));
    if (root !== undefined) changes.push({ type: "put", key: rootKey, value: root });
    await orWithReserve(disk, () => table.batch(changes, { sync: true }));
    await disk.settle();
  }

  /** The file goes: what lies there besides blocks is written again. */
  copyRoot(leaving: BlockFile): void {
    const commit = this.#needs.rounds.committed;
    const elsewhere = this.#rootFile !== undefined && this.#rootFile !== leaving;
    if (commit !== undefined && !elsewhere) this.#appendRoot(commit);
  }

  async #flush(): Promise<void> {
    const { disk, log } = this.#needs;
    try {
      await log.flush();
    } catch (cause) {
      if (isFault(cause, "Stale")) disk.lose(cause);
      throw cause;
    }
    await disk.check();
  }

  #isWanted(): boolean {
    const { catalog, journal, rounds } = this.#needs;
    return rounds.hasChanges || catalog.changes > 0 || journal.hasPending;
  }

  #gather(): Change[] {
    const { catalog, journal, rounds } = this.#needs;
    const { commit, changes } = rounds.take();
    if (commit !== undefined) this.#appendRoot(commit);
    const all = [...catalog.takeChanges(), ...journal.takeChanges(), ...changes];
    return all.length === 0 ? all : [...all, this.#books()];
  }

  /** What LevelDB must have once all is written. */
  get books(): Books {
    const { catalog, journal, rounds } = this.#needs;
    return { blocks: catalog.indexed, journalLast: journal.last, commit: rounds.takenNumber };
  }

  #books(): Change {
    const value = withCheck(booksKey, encodeBooks(this.books));
    return { type: "put", key: booksKey, value };
  }

  #settled(): void {
    const isNew = this.#needs.rounds.settle();
    if (isNew) this.#needs.committed();
  }

  /** A second copy of the root, for the day when LevelDB's files are gone. */
  #appendRoot(commit: CommitRecord): void {
    const body = encodeCommit(commit);
    this.#rootFile = this.#needs.log.append(frameOfRoot(body, commit.number), body).file;
  }
}

/** What is on the way to a full disk may be what makes it less full. */
async function orWithReserve(disk: Disk, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (cause) {
    const helps = isFault(cause, "NoSpace") && (await disk.giveReserve());
    if (!helps) throw cause;
    await act();
  }
}
