/**
 * The rolls of those drives whose shards lie here: which of their devices were shut out. Nothing is
 * taken from such a device any more, and nothing that it signed comes in; what it signed before and
 * is here already stays, since it is its owner's. It opens nothing.
 *
 *   roll/OWNER  the newest roll of the owner's drive
 */
import type { KeyValue } from "../base/blocks.ts";
import { vaultKeys } from "../base/book-keys.ts";
import { sameBytes } from "../base/bytes.ts";
import type { DeviceRoll } from "../base/devices.ts";
import { HiveError } from "../base/errors.ts";
import type { OwnerId, PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { isPreferred, parseRoll } from "../crypt/drive/device-roll.ts";

export interface RollsNeeds {
  /** The vault's own. */
  readonly books: KeyValue;
  /** Whether anything of this owner is here. */
  readonly keeps: (owner: OwnerId) => boolean;
}

/** What a device signed for its owner. */
interface SignedForOwner {
  readonly owner: OwnerId;
  readonly by?: PeerId;
}

const prefix = vaultKeys.roll;

export class Rolls {
  readonly #needs: RollsNeeds;
  readonly #rolls = new Map<OwnerId, DeviceRoll>();
  /** Of these the newest is in memory only: the disk did not take it. */
  readonly #unwritten = new Set<OwnerId>();

  constructor(needs: RollsNeeds) {
    this.#needs = needs;
  }

  async open(): Promise<void> {
    for await (const [, value] of this.#needs.books.list(prefix)) {
      const roll = parseRoll(value);
      this.#rolls.set(roll.owner, roll);
    }
  }

  of(owner: OwnerId): DeviceRoll | undefined {
    return this.#rolls.get(owner);
  }

  /** Whoever brings it: the owner signed it. Stale when a newer one is here. */
  async keep(roll: DeviceRoll): Promise<void> {
    const { owner, sequence, bytes } = roll;
    const { books, keeps } = this.#needs;
    if (!keeps(owner)) throw new HiveError("Denied", "vault.roll", owner);
    const known = this.#rolls.get(owner);
    const isKnown = known !== undefined && sameBytes(known.bytes, bytes);
    if (isKnown && !this.#unwritten.has(owner)) return;
    if (known !== undefined && isPreferred(known, roll)) {
      throw new HiveError("Stale", "vault.roll", `sequence ${sequence}`);
    }
    if (known === undefined && this.#rolls.size >= limits.devices.rollsMax) await this.#sweep();
    // In memory first: from now on nobody passes who is shut out by it.
    this.#rolls.set(owner, roll);
    this.#unwritten.add(owner);
    await books.put(prefix + owner, bytes);
    if (this.#rolls.get(owner) === roll) this.#unwritten.delete(owner);
  }

  isRemoved(owner: OwnerId, peer: PeerId): boolean {
    return this.#removedAtMs(owner, peer) !== undefined;
  }

  /**
   * Denied when a device signed it that was shut out; of what tells when it was made only if that
   * was later, since members go on moving what was placed before.
   */
  check({ owner, by }: SignedForOwner, madeAtMs = Infinity): void {
    const removedAtMs = by === undefined ? undefined : this.#removedAtMs(owner, by);
    if (removedAtMs === undefined || madeAtMs <= removedAtMs) return;
    throw new HiveError("Denied", "vault.roll", `${by} was removed`);
  }

  #removedAtMs(owner: OwnerId, peer: PeerId): number | undefined {
    return this.#rolls.get(owner)?.removed.find((one) => one.peer === peer)?.atMs;
  }

  /** Of owners of whom nothing is here any more. */
  async #sweep(): Promise<void> {
    const gone = [...this.#rolls.keys()].filter((owner) => !this.#needs.keeps(owner));
    if (gone.length === 0) throw new HiveError("Quota", "vault.roll", `${this.#rolls.size} rolls`);
    for (const owner of gone) {
      this.#rolls.delete(owner);
      this.#unwritten.delete(owner);
      await this.#needs.books.delete(prefix + owner);
    }
  }
}
