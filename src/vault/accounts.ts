/**
 * Who takes up how much, exactly: the totals that the books keep, and what is being written right
 * now. It decides whether there is room and does no I/O; the caller writes the totals down.
 *
 * A stranger has a share of the quota and no more, and so have all strangers together that one
 * peer or one address prefix has brought: drives cost nothing to make up. Within that a Lender says
 * how much of it a stranger is good for.
 */
import { HiveError, assert } from "../base/errors.ts";
import type { OwnerId } from "../base/ids.ts";
import type { Lender, Lodger } from "../base/ledger.ts";
import { limits } from "../base/limits.ts";
import { type Introduction, type Totals, noTotals } from "./book-entries.ts";

export interface AccountOptions {
  readonly quotaBytes: number;
  /** Fewer than limits.vault.ownersMax, for a small machine or a test. */
  readonly ownersMax?: number;
  /** Of the quota, for each stranger; 1 when not told. */
  readonly strangerShare?: number;
  /** Asked besides, for strangers; without one nothing is asked of them. */
  readonly lender?: Lender | undefined;
}

export class Accounts {
  #quotaBytes: number;
  readonly #ownersMax: number;
  readonly #owners: Map<OwnerId, Totals>;
  readonly #strangerShare: number;
  readonly #lender: Lender | undefined;
  readonly #introductions: Map<OwnerId, Introduction>;
  #usedBytes = 0;
  #shards = 0;
  #reservedBytes = 0;
  #isOpen = true;
  /** What may lie here by the disk, as it was when it was last looked at. */
  #diskCeilingBytes = Infinity;
  /** The same, by owner. */
  readonly #reserved = new Map<OwnerId, number>();

  constructor(
    options: AccountOptions,
    owners: ReadonlyMap<OwnerId, Totals>,
    introductions: ReadonlyMap<OwnerId, Introduction> = new Map(),
  ) {
    this.#strangerShare = options.strangerShare ?? 1;
    this.#lender = options.lender;
    this.#introductions = new Map(introductions);
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

  /** From now on nothing more may come in, from nobody; or it may again. */
  takeIn(isOpen: boolean): void {
    this.#isOpen = isOpen;
  }

  setQuota(bytes: number): void {
    this.#quotaBytes = bytes;
  }

  /** What the disk has room for now, beyond what lies here; negative when it is overfull. */
  setDiskRoom(bytes: number): void {
    this.#diskCeilingBytes = this.#usedBytes + bytes;
  }

  /** What may lie here, by the quota and by the disk: less than does, when either shrank. */
  get ceilingBytes(): number {
    return Math.max(0, Math.min(this.#quotaBytes, this.#diskCeilingBytes));
  }

  /** Never below 0, though a quota that was lowered may be overdrawn. */
  get freeBytes(): number {
    if (!this.#isOpen) return 0;
    return Math.max(0, this.ceilingBytes - this.#usedBytes - this.#reservedBytes);
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

  /** Who brought this owner; whoever asks now, for one that is new or comes with a friend. */
  introductionOf(owner: OwnerId, from: Introduction): Introduction {
    const known = this.#introductions.get(owner);
    return known === undefined || isWelcome(from) ? from : known;
  }

  isIntroduced(owner: OwnerId, by: Introduction): boolean {
    const known = this.#introductions.get(owner);
    return known?.peer === by.peer && known.prefix === by.prefix && known.friend === by.friend;
  }

  introduce(owner: OwnerId, by: Introduction): void {
    this.#introductions.set(owner, by);
  }

  /** Holds room for what is about to be written; Quota when there is none. Dispose to let go. */
  reserve(owner: OwnerId, bytes: number, from?: Introduction): Disposable {
    const few = this.#shards < limits.vault.shardsMax;
    const fits = this.hasSeatFor(owner) && few && bytes <= this.freeBytes;
    if (!fits || (from !== undefined && !this.#fitsStranger(owner, bytes, from))) {
      throw new HiveError("Quota", "vault.reserve", owner);
    }
    this.#reservedBytes += bytes;
    this.#reserved.set(owner, (this.#reserved.get(owner) ?? 0) + bytes);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held) this.#letGo(owner, bytes);
        held = false;
      },
    };
  }

  #letGo(owner: OwnerId, bytes: number): void {
    this.#reservedBytes -= bytes;
    const rest = (this.#reserved.get(owner) ?? 0) - bytes;
    if (rest > 0) this.#reserved.set(owner, rest);
    else this.#reserved.delete(owner);
  }

  /** An owner's share, and that of all who came by the same peer or from the same prefix. */
  #fitsStranger(owner: OwnerId, bytes: number, from: Introduction): boolean {
    const by = this.introductionOf(owner, from);
    if (isWelcome(by)) return true;
    const share = this.#quotaBytes * this.#strangerShare;
    const together = share * limits.vault.introducedFactor;
    const used = { owner: bytes, peer: bytes, prefix: bytes };
    for (const other of new Set([...this.#owners.keys(), ...this.#reserved.keys()])) {
      const its = this.#introductions.get(other) ?? (other === owner ? by : undefined);
      const weight = this.of(other).bytes + (this.#reserved.get(other) ?? 0);
      if (other === owner) used.owner += weight;
      if (its === undefined || isWelcome(its)) continue;
      if (its.peer === by.peer) used.peer += weight;
      if (its.prefix === by.prefix) used.prefix += weight;
    }
    const fits = used.owner <= share && used.peer <= together && used.prefix <= together;
    const asked = { owner, bytes, prefix: by.prefix };
    return fits && (this.#lender?.lends(asked, () => this.lodgers()) ?? true);
  }

  /** What each owner takes up, with what is being written for it now. */
  lodgers(): ReadonlyMap<OwnerId, Lodger> {
    const found = new Map<OwnerId, Lodger>();
    for (const owner of new Set([...this.#owners.keys(), ...this.#reserved.keys()])) {
      const by = this.#introductions.get(owner);
      const bytes = this.of(owner).bytes + (this.#reserved.get(owner) ?? 0);
      // Who is new has no introduction before its first shard is here: it is no friend till then.
      const prefix = by?.prefix;
      found.set(owner, { bytes, prefix, isWelcome: by !== undefined && isWelcome(by) });
    }
    return found;
  }

  /** What the totals become; `set` makes them so once the books have them. */
  with(owner: OwnerId, change: Partial<Totals>): Totals {
    const after = changed(this.of(owner), change);
    assert(isPossible(after), "nobody takes up less than nothing");
    return after;
  }

  /** False when the sums are not those of the entries any more. */
  bears(owner: OwnerId, change: Partial<Totals>): boolean {
    return isPossible(changed(this.of(owner), change));
  }

  set(owner: OwnerId, after: Totals): void {
    const before = this.of(owner);
    this.#usedBytes += after.bytes - before.bytes;
    this.#shards += after.shards - before.shards;
    if (after.bytes === 0) {
      this.#owners.delete(owner);
      this.#introductions.delete(owner);
    } else {
      this.#owners.set(owner, after);
    }
  }
}

function changed(before: Totals, change: Partial<Totals>): Totals {
  return {
    shards: before.shards + (change.shards ?? 0),
    segments: before.segments + (change.segments ?? 0),
    groups: before.groups + (change.groups ?? 0),
    bytes: before.bytes + (change.bytes ?? 0),
  };
}

function isPossible(totals: Totals): boolean {
  return Object.values(totals).every((count) => count >= 0);
}

function isWelcome({ prefix, friend }: Introduction): boolean {
  return friend || prefix === undefined;
}
