/**
 * What a group commit writes, put together from the parts that have something to say: blocks and
 * journal records always; index entries, the root, and the sums by which the next start knows that
 * all is there, when it settles. It decides nothing; a full disk is given its reserve once.
 */
import { HiveError, isFault } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Disk } from "../disk/disk.ts";
import type { BlockFile } from "../files/block-file.ts";
import type { BlockLog } from "../files/block-log.ts";
import { frameOfRoot } from "../files/frame.ts";
import type { Catalog } from "../index/catalog.ts";
import type { Change, LevelTable } from "../index/level.ts";
import {
  type Books, type CommitRecord, booksKey, encodeBooks, encodeCommit, formatKey, formatNumber,
  rootKey, withCheck,
} from "../index/records.ts";
import type { Journal } from "../journal/journal.ts";
import { RecordCommit } from "../journal/record-commit.ts";
import { GroupCommit, type Reach } from "./group-commit.ts";
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

export class Durable {
  readonly group: GroupCommit;
  readonly #needs: Needs;
  readonly #records: RecordCommit;
  /** Where the newest copy of the root record lies; unknown after a start. */
  #rootFile: BlockFile | undefined;
  /** What the index was told last. */
  #told: Pick<Books, "journalLast"> = { journalLast: 0 };

  constructor(needs: Needs) {
    this.#needs = needs;
    const { disk } = needs;
    this.group = new GroupCommit({
      flush: () => disk.orWithReserve(() => this.#flush()),
      record: () => disk.orWithReserve(() => this.#record()),
      write: (changes) => disk.orWithReserve(() => this.#write(changes)),
      gather: (reach) => this.#gather(reach),
      wanted: (reach) => this.#isWanted(reach),
      settled: () => this.#settled(),
    });
    this.#records = new RecordCommit({
      write: () => this.group.orKeep("journal", () => this.#recordNow()),
      sync: () => this.sync(),
    });
  }

  /** Why what was taken in is not kept, if it is not. */
  get hindrance(): HiveError | undefined {
    return this.#needs.disk.gone ?? this.group.hindrance;
  }

  /** All that was taken in before this call is where the next start finds it. */
  async sync(): Promise<void> {
    // What was durable before is not any more when somebody has deleted it.
    if (!this.#isWanted("kept")) await this.#stillThere();
    await this.group.request("kept");
  }

  /** The same of journal records alone: they need not wait for blocks that none of them names. */
  async syncRecords(): Promise<void> {
    const { journal, log } = this.#needs;
    if (!journal.hasPending || (log.hasUnflushed && journal.mayNameNewBlocks)) return this.sync();
    await this.#records.request();
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
    await this.group.request("settled");
    const format = Buffer.from([formatNumber]);
    const changes: Change[] = [
      { type: "put", key: formatKey, value: withCheck(formatKey, format) },
      this.#books(),
    ];
    const commit = rounds.committed;
    const root = commit === undefined ? undefined : withCheck(rootKey, encodeCommit(commit));
    if (root !== undefined) changes.push({ type: "put", key: rootKey, value: root });
    await disk.orWithReserve(() => table.batch(changes, { sync: true }));
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
    if (!log.hasUnflushed) return;
    await this.#orLose(() => log.flush());
    await disk.check();
  }

  async #record(): Promise<void> {
    const { disk, journal } = this.#needs;
    await this.#orLose(() => journal.write());
    await disk.checkNowAndThen();
  }

  /** All that waits, if none of it may name a block that is not durable; false if some may. */
  async #recordNow(): Promise<boolean> {
    const { disk, journal, log } = this.#needs;
    if (log.hasUnflushed && journal.mayNameNewBlocks) return false;
    journal.take();
    await disk.orWithReserve(() => this.#record());
    return true;
  }

  async #write(changes: readonly Change[]): Promise<void> {
    await this.#needs.disk.check();
    await this.#needs.table.batch(changes, { sync: true });
  }

  async #stillThere(): Promise<void> {
    const { disk, journal } = this.#needs;
    await disk.check();
    if (journal.isNamed) return;
    disk.lose(new HiveError("Stale", "cache.place", `${disk.directory} was deleted`));
    await disk.check();
  }

  async #orLose(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (cause) {
      if (isFault(cause, "Stale")) this.#needs.disk.lose(cause);
      throw cause;
    }
  }

  #isWanted(reach: Reach): boolean {
    const { catalog, journal, log, rounds } = this.#needs;
    if (journal.hasPending || log.hasUnflushed) return true;
    return reach === "settled" && (rounds.hasChanges || catalog.changes > 0 || this.#isBehind);
  }

  #gather(reach: Reach): Change[] {
    const { catalog, journal, rounds } = this.#needs;
    journal.take();
    catalog.promise();
    if (reach === "kept") return [];
    const { commit, changes } = rounds.take();
    if (commit !== undefined) this.#appendRoot(commit);
    const all = [...catalog.takeChanges(), ...changes];
    if (all.length === 0 && !this.#isBehind) return all;
    this.#told = this.books;
    return [...all, this.#books()];
  }

  /** The index tells of fewer records than there are: what a lost file held would not be missed. */
  get #isBehind(): boolean {
    return this.#told.journalLast !== this.#needs.journal.last;
  }

  /** What LevelDB must have once all is written. */
  get books(): Books {
    const { catalog, journal, rounds } = this.#needs;
    return {
      blocks: catalog.indexed,
      journalLast: journal.last,
      commit: rounds.takenNumber,
      blockSequence: catalog.lastSequence,
    };
  }

  #books(): Change {
    const value = withCheck(booksKey, encodeBooks(this.books));
    return { type: "put", key: booksKey, value };
  }

  #settled(): void {
    const { journal, rounds } = this.#needs;
    const isNew = rounds.settle();
    journal.release(rounds.committed?.through ?? 0);
    if (isNew) this.#needs.committed();
  }

  /** A second copy of the root, for the day when LevelDB's files are gone. */
  #appendRoot(commit: CommitRecord): void {
    const body = encodeCommit(commit);
    this.#rootFile = this.#needs.log.append(frameOfRoot(body, commit.number), body).file;
  }
}
