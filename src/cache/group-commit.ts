/**
 * One fdatasync and one synced batch for all who ask at the same time. First the blocks, then, in
 * one batch, the index entries and the journal records: so no durable record ever names a block
 * that is not durable.
 */
import { type HiveError, assert } from "../base/errors.ts";
import { mayHeal } from "./block-log.ts";
import { diskFault } from "./faults.ts";
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
  /** Gathered by a commit that failed before its batch: the next one carries them. */
  #kept: Change[] = [];
  /** LevelDB's log is in an unknown state after a failed write: nothing more may follow. */
  #failure: HiveError | undefined;

  constructor(needs: Needs) {
    this.#needs = needs;
  }

  get failure(): HiveError | undefined {
    return this.#failure;
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
    await this.#flush();
    assert(this.#kept === changes);
    this.#kept = [];
    try {
      if (changes.length > 0) await this.#needs.write(changes);
      this.#needs.settled();
    } catch (cause) {
      this.#failure = diskFault(cause, "cache.commit", "index");
      throw this.#failure;
    }
  }

  async #flush(): Promise<void> {
    try {
      await this.#needs.flush();
    } catch (cause) {
      const fault = diskFault(cause, "cache.commit", "blocks");
      if (!mayHeal(fault)) this.#failure = fault;
      throw fault;
    }
  }
}
