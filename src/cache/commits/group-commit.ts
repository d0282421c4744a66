/**
 * One trip to the disk for all who ask at the same time. First the blocks, then the journal
 * records, so no durable record ever names a block that is not durable. That is a promise kept:
 * both say by themselves what they are, and a start finds them.
 *
 * Whoever needs the index on disk to say so asks to be settled: then one synced batch follows, with
 * all that the index has not heard yet. Nothing is ever given to LevelDB without a sync: it would
 * lose a log that it had begun to replace, with later ones whole.
 */
import { setImmediate } from "node:timers/promises";
import { type HiveError, assert } from "../../base/errors.ts";
import { diskFault, mayHeal } from "../disk/faults.ts";
import type { Change } from "../index/level.ts";

/** How far a commit goes: journal and blocks on stable storage, or the index too. */
export type Reach = "kept" | "settled";

interface Needs {
  /** Puts every block that was appended so far on stable storage. */
  readonly flush: () => Promise<void>;
  /** Puts the records that were gathered there. */
  readonly record: () => Promise<void>;
  /** Writes the changes to the index, all or none, on stable storage. */
  readonly write: (changes: readonly Change[]) => Promise<void>;
  /** All that must become durable now; of the index, in order, if it is to be settled. */
  readonly gather: (reach: Reach) => Change[];
  /** True when `gather` would give something. */
  readonly wanted: (reach: Reach) => boolean;
  /** All that was gathered so far is durable. */
  readonly settled: () => void;
}

interface Group extends PromiseWithResolvers<void> {
  reach: Reach;
}

export class GroupCommit {
  readonly #needs: Needs;
  #next: Group | undefined;
  #running: Group | undefined;
  #looping = false;
  /** Gathered by a commit that failed: the next one that settles carries them. */
  #kept: Change[] = [];
  /** Nobody knows what is on the disk: nothing more may follow. */
  #failure: HiveError | undefined;
  /** Why the last commit failed, if another one may succeed. */
  #hindrance: HiveError | undefined;

  constructor(needs: Needs) {
    this.#needs = needs;
  }

  get failure(): HiveError | undefined {
    return this.#failure;
  }

  /** Why what is in memory is not durable: a full disk, or one that may not be written. */
  get hindrance(): HiveError | undefined {
    return this.#failure ?? this.#hindrance;
  }

  /** What waits in memory for a disk that takes it. */
  get keptBytes(): number {
    if (this.#hindrance === undefined) return 0;
    return this.#kept.reduce((sum, change) => sum + changeBytes(change), 0);
  }

  /** All that was wanted before this call is durable when it resolves. */
  request(reach: Reach): Promise<void> {
    const running = this.#running;
    const covered = running === undefined || reach === "kept" || running.reach === "settled";
    const nothing = !this.#isWanted(reach) && this.#next === undefined && covered;
    if (nothing && this.#failure === undefined) return running?.promise ?? Promise.resolve();
    this.#next ??= { ...Promise.withResolvers<void>(), reach };
    if (reach === "settled") this.#next.reach = reach;
    const { promise } = this.#next;
    if (!this.#looping) void this.#loop();
    return promise;
  }

  #isWanted(reach: Reach): boolean {
    return this.#needs.wanted(reach) || (reach === "settled" && this.#kept.length > 0);
  }

  async #loop(): Promise<void> {
    this.#looping = true;
    while (this.#next !== undefined) {
      const group = this.#next;
      // One turn, so that all who ask in it share the commit: after another one also those whom
      // that has let go, or they would wait for this one and take turns with it for ever.
      await (this.#running === undefined ? Promise.resolve() : setImmediate());
      this.#next = undefined;
      this.#running = group;
      // Whoever asked awaits it; here it only must not count as unhandled.
      group.promise.catch(() => undefined);
      try {
        await this.#commit(group.reach);
        group.resolve();
      } catch (error) {
        group.reject(error);
      }
    }
    this.#running = undefined;
    this.#looping = false;
  }

  async #commit(reach: Reach): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const gathered = this.#needs.gather(reach);
    if (gathered.length > 0) this.#kept = this.#kept.concat(gathered);
    await this.orKeep("blocks", () => this.#needs.flush());
    await this.orKeep("journal", () => this.#needs.record());
    if (reach === "settled") await this.#settle(this.#kept);
    if (this.#kept.length === 0) this.#hindrance = undefined;
  }

  async #settle(changes: Change[]): Promise<void> {
    // What a failed batch held is written again: each change says what is, not what was done.
    if (changes.length > 0) await this.orKeep("index", () => this.#needs.write(changes));
    assert(this.#kept === changes);
    this.#kept = [];
    this.#needs.settled();
  }

  /** A failure of this act is one of the commit: what may follow is decided by its kind. */
  async orKeep<T>(subject: string, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (cause) {
      const fault = diskFault(cause, "cache.commit", subject);
      if (mayHeal(fault)) this.#hindrance = fault;
      else this.#failure = fault;
      throw fault;
    }
  }
}

function changeBytes(change: Change): number {
  return change.key.length + (change.type === "put" ? change.value.length : 0);
}
