/**
 * One fdatasync and one synced batch for all who ask at the same time. First the blocks, then, in
 * one batch, the index entries and the journal records: so no durable record ever names a block
 * that is not durable.
 */
import { type HiveError, assert } from "../base/errors.ts";
import { diskFault, mayHeal } from "./faults.ts";
import type { Change } from "./level.ts";

interface Needs {
  /** Puts every block that was appended so far on stable storage. */
  readonly flush: () => Promise<void>;
  /** Writes the changes, all or none, on stable storage. */
  readonly write: (changes: readonly Change[]) => Promise<void>;
  /** All that must become durable now, in order. It is asked once for each commit. */
  readonly gather: () => Change[];
  /** True when `gather` would give something. */
  readonly wanted: () => boolean;
  /** All that was gathered so far is durable. */
  readonly settled: () => void;
}

export class GroupCommit {
  readonly #needs: Needs;
  #next: PromiseWithResolvers<void> | undefined;
  #running: Promise<void> | undefined;
  #looping = false;
  /** Gathered by a commit that failed: the next one carries them. */
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
  request(): Promise<void> {
    const nothing = !this.#needs.wanted() && this.#kept.length === 0 && this.#next === undefined;
    if (nothing && this.#failure === undefined) return this.#running ?? Promise.resolve();
    this.#next ??= Promise.withResolvers<void>();
    const promise = this.#next.promise;
    if (!this.#looping) void this.#loop();
    return promise;
  }

  async #loop(): Promise<void> {
    this.#looping = true;
    while (this.#next !== undefined) {
      const group = this.#next;
      // One turn, so that all who ask in it share the commit.
      await Promise.resolve();
      this.#next = undefined;
      this.#running = group.promise;
      // Whoever asked awaits it; here it only must not count as unhandled.
      group.promise.catch(() => undefined);
      try {
        await this.#commit();
        group.resolve();
      } catch (error) {
        group.reject(error);
      }
    }
    this.#running = undefined;
    this.#looping = false;
  }

  async #commit(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const changes = this.#kept.concat(this.#needs.gather());
    this.#kept = changes;
    await this.#orKeep("blocks", () => this.#needs.flush());
    // What a failed batch held is written again: each change says what is, not what was done.
    if (changes.length > 0) await this.#orKeep("index", () => this.#needs.write(changes));
    assert(this.#kept === changes);
    this.#kept = [];
    this.#hindrance = undefined;
    this.#needs.settled();
  }

  async #orKeep(subject: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
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
