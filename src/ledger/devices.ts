/**
 * Which peers act for which drives: connections proved it by the drive's certificate. A device that
 * was not met for long acts for it no more.
 */
import type { KeyChange } from "../base/blocks.ts";
import type { Clock } from "../base/clock.ts";
import type { OwnerId, PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Requester } from "../base/network.ts";
import { type LedgerBooks, dropDevice, putDevice } from "./books.ts";

export class Devices {
  readonly #books: LedgerBooks;
  readonly #clock: Clock;
  readonly #met = new Map<OwnerId, Map<PeerId, number>>();
  readonly #changes: KeyChange[] = [];

  constructor(needs: { readonly books: LedgerBooks; readonly clock: Clock }) {
    this.#books = needs.books;
    this.#clock = needs.clock;
  }

  async open(): Promise<void> {
    for await (const { owner, peer, atMs } of this.#books.devices()) {
      this.#of(owner).set(peer, atMs);
    }
  }

  met({ peer, owners }: Requester): void {
    const nowMs = this.#clock.now();
    for (const owner of owners) {
      // Who is forgotten in the crowd is met again with its next shard.
      if (!this.#met.has(owner) && this.#met.size >= 2 * limits.vault.ownersMax) continue;
      const devices = this.#of(owner);
      const isNew = nowMs - (devices.get(peer) ?? -Infinity) > limits.ledger.deviceMs / 31;
      if (!isNew) continue;
      if (!devices.has(peer) && devices.size >= limits.ledger.devicesMax) {
        this.#drop(owner, eldest(devices));
      }
      devices.set(peer, nowMs);
      this.#changes.push(putDevice(owner, peer, nowMs));
    }
  }

  of(owner: OwnerId): readonly PeerId[] {
    const sinceMs = this.#clock.now() - limits.ledger.deviceMs;
    const devices = this.#met.get(owner) ?? [];
    return [...devices].filter(([, atMs]) => atMs >= sinceMs).map(([peer]) => peer);
  }

  ownersOf(peer: PeerId): readonly OwnerId[] {
    return [...this.#met.keys()].filter((owner) => this.of(owner).includes(peer));
  }

  /** Owners of whom nothing is kept are forgotten; the changes are for the books. */
  tend(isLodger: (owner: OwnerId) => boolean): readonly KeyChange[] {
    for (const [owner, devices] of this.#met) {
      if (isLodger(owner)) continue;
      for (const peer of [...devices.keys()]) this.#drop(owner, peer);
      this.#met.delete(owner);
    }
    return this.#changes.splice(0);
  }

  #of(owner: OwnerId): Map<PeerId, number> {
    const known = this.#met.get(owner);
    if (known !== undefined) return known;
    const devices = new Map<PeerId, number>();
    this.#met.set(owner, devices);
    return devices;
  }

  #drop(owner: OwnerId, peer: PeerId | undefined): void {
    if (peer === undefined) return;
    this.#met.get(owner)?.delete(peer);
    this.#changes.push(dropDevice(owner, peer));
  }
}

function eldest(devices: ReadonlyMap<PeerId, number>): PeerId | undefined {
  return [...devices].sort(([, one], [, other]) => one - other)[0]?.[0];
}
