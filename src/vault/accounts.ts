/**
 * Who takes up how much, exactly: the totals that the books keep, and what is being written right
 * now. It decides whether there is room and does no I/O; the caller writes the totals down.
 */
import { HiveError, assert } from "../base/errors.ts";
import type { OwnerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type Totals, noTotals } from "./books.ts";

export interface AccountOptions {
  readonly quotaBytes: number;
  /** Fewer than limits.vault.ownersMax, for a small machine or a test. */
  readonly ownersMax?: number;
}

export class Accounts {
  readonly #quotaBytes: number;
  readonly #ownersMax: number;
  readonly #owners: Map<OwnerId, Totals>;
  #usedBytes = 0;
  #shards = 0;
  #reservedBytes = 0;

  constructor(options: AccountOptions, owners: ReadonlyMap<OwnerId, Totals>) {
    this.#quotaBytes = options.quotaBytes;
    this.#ownersMax = options.ownersMax ?? limits.vault.ownersMax;
    this.#owners = new Map(owners);
    for (const { bytes, shards } of owners.values()) {
      this.#usedBytes += bytes;
      this.#shards += shards;
    }
  }

  get quotaBytes(): number {
    return this.#quotaBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get shards(): number {
    return this.#shards;
  }

  /** Never below 0, though a quota that was lowered may be overdrawn. */
  get freeBytes(): number {
    return Math.max(0, this.#quotaBytes - this.#usedBytes - this.#reservedBytes);
  }

  get owners(): ReadonlyMap<OwnerId, Totals> {
    return this.#owners;
  }

  of(owner: OwnerId): Totals {
    return this.#owners.get(owner) ?? noTotals;
  }

  hasSeatFor(owner: OwnerId): boolean {
    return this.#owners.has(owner) || this.#owners.size < this.#ownersMax;
  }

  /** Somebody of whom words are kept but no shard; the one that came first. */
  idleOwner(): OwnerId | undefined {
    for (const [owner, { shards }] of this.#owners) if (shards === 0) return owner;
    return undefined;
  }

  /** Holds room for what is about to be written; Quota when there is none. Dispose to let go. */
  reserve(owner: OwnerId, bytes: number): Disposable {
    const few = this.#shards < limits.vault.shardsMax;
    if (!this.hasSeatFor(owner) || !few || bytes > this.freeBytes) {
      throw new HiveError("Quota", "vault.reserve", owner);
    }
    this.#reservedBytes += bytes;
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held) this.#reservedBytes -= bytes;
        held = false;
      },
    };
  }

  /** What the totals become; `set` makes them so once the books have them. */
  with(owner: OwnerId, change: Partial<Totals>): Totals {
    const before = this.of(owner);
    const after = {
      shards: before.shards + (change.shards ?? 0),
      segments: before.segments + (change.segments ?? 0),
      groups: before.groups + (change.groups ?? 0),
      bytes: before.bytes + (change.bytes ?? 0),
    };
    assert(Object.values(after).every((count) => count >= 0), "nobody takes up less than nothing");
    return after;
  }

  set(owner: OwnerId, after: Totals): void {
    const before = this.of(owner);
    this.#usedBytes += after.bytes - before.bytes;
    this.#shards += after.shards - before.shards;
    if (after.bytes === 0) this.#owners.delete(owner);
    else this.#owners.set(owner, after);
  }
}
