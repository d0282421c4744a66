/**
 * The end of the journal: what it was told, and what of that is not sealed yet. Sealing a small
 * record costs more than the rest of the operation, and only a sync makes any of them durable: so
 * those that come between two are sealed together, as one record of all their changes in order. A
 * crash before it takes them all, as it took them before from the store's memory.
 */
import type { AppendOptions, DriveStore, Sequence } from "../../base/blocks.ts";
import { Writer } from "../../base/bytes.ts";
import { limits } from "../../base/limits.ts";
import type { Random } from "../../base/random.ts";
import { type TreeKeys, sealJournal } from "../../dag/keys.ts";
import { type Change, beginRecord, writeChanges } from "./journal.ts";

const { journalBytesMax, journalRecordsMax, sealedTogetherBytesMax } = limits.tree;

export interface JournalNeeds {
  readonly store: Pick<DriveStore, "append">;
  readonly keys: TreeKeys;
  readonly random: Random;
}

export class JournalEnd {
  readonly #needs: JournalNeeds;
  /** The changes that one operation tells: whole before they follow on those of others. */
  readonly #told = new Writer(sealedTogetherBytesMax);
  /** One record, in room used again: V8 collects all garbage for every few MiB of fresh buffers. */
  readonly #unsealed = beginRecord(new Writer(sealedTogetherBytesMax));
  #hasUnsealed = false;
  #namesDurableOnly = true;
  #records = 0;
  #bytes = 0;
  #toldCount = 0;
  #last = 0 as Sequence;

  constructor(needs: JournalNeeds) {
    this.#needs = needs;
  }

  /** Told since the last freeze, as `bytes` is. */
  get records(): number {
    return this.#records;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A commit has to give it room before it may be told more. */
  get isFull(): boolean {
    return this.#records >= journalRecordsMax || this.#bytes >= journalBytesMax;
  }

  /** How many records it was ever told. */
  get told(): number {
    return this.#toldCount;
  }

  append(changes: readonly Change[], { namesDurableOnly }: AppendOptions): void {
    const told = writeChanges(this.#told.again(), changes).finish();
    const hasRoom = this.#unsealed.lengthBytes + told.length <= sealedTogetherBytesMax;
    if (!hasRoom) this.seal();
    this.#unsealed.raw(told);
    this.#hasUnsealed = true;
    this.#namesDurableOnly &&= namesDurableOnly;
    this.#toldCount++;
    this.#records++;
    this.#bytes += told.length;
  }

  /** The store has every record told so far, to be made durable by its next sync. */
  seal(): void {
    if (!this.#hasUnsealed) return;
    const { store, keys, random } = this.#needs;
    const sealed = sealJournal(keys, this.#unsealed.finish(), random);
    this.#last = store.append(sealed, { namesDurableOnly: this.#namesDurableOnly });
    beginRecord(this.#unsealed.again());
    this.#hasUnsealed = false;
    this.#namesDurableOnly = true;
  }

  /** What was told so far is the next commit's, to this record; the one after it begins here. */
  freeze(): Sequence {
    this.seal();
    this.#records = 0;
    this.#bytes = 0;
    return this.#last;
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
