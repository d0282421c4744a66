/**
 * Journal records that are told and not sealed yet. Sealing a small record costs more than the rest
 * of the operation, and only a sync makes any of them durable: so those that come between two are
 * sealed together, as one record of all their changes in order. A crash before it takes them all,
 * as it took them before from the store's memory.
 */
import type { AppendOptions, DriveStore } from "../../base/blocks.ts";
import { limits } from "../../base/limits.ts";
import { joinRecords } from "./journal.ts";

export class Unsealed {
  #records: Buffer[] = [];
  #bytes = 0;
  #namesDurableOnly = true;

  get isEmpty(): boolean {
    return this.#records.length === 0;
  }

  hasRoomFor(record: Buffer): boolean {
    return this.isEmpty || this.#bytes + record.length <= limits.tree.sealedTogetherBytesMax;
  }

  add(record: Buffer, { namesDurableOnly }: AppendOptions): void {
    this.#records.push(record);
    this.#bytes += record.length;
    this.#namesDurableOnly &&= namesDurableOnly;
  }

  /** Gives them all to whoever seals them; what fails is kept. */
  hand(seal: (record: Buffer, options: AppendOptions) => void): void {
    seal(joinRecords(this.#records), { namesDurableOnly: this.#namesDurableOnly });
    this.#records = [];
    this.#bytes = 0;
    this.#namesDurableOnly = true;
  }
}

/** The store for whoever syncs it: what was told before the call is durable after it. */
export function sealingFirst(store: DriveStore, seal: () => void): DriveStore {
  return {
    put: (cid, sealed, options) => store.put(cid, sealed, options),
    get: (cid, options) => store.get(cid, options),
    getPart: (cid, range) => store.getPart(cid, range),
    has: (cid) => store.has(cid),
    discard: (cid) => store.discard(cid),
    sweep: (living) => store.sweep(living),
    append: (record, options) => store.append(record, options),
    async sync() {
      seal();
      await store.sync();
    },
    async syncRecords() {
      seal();
      await store.syncRecords();
    },
    commit: (root, through) => store.commit(root, through),
    root: () => store.root(),
    replay: () => store.replay(),
    usage: () => store.usage(),
  };
}
