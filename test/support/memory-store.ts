/**
 * A DriveStore in memory that can crash: `crash()` gives the store as a disk would have it, without
 * what was not synced. It can answer later, refuse when full, and never changes what it was given.
 */
import type {
  AppendOptions, DriveStore, PolicySlot, PutOptions, Sequence, StoreUsage, Sweep,
} from "../../src/base/blocks.ts";
import type { CidFilter } from "../../src/base/cid-filter.ts";
import { HiveError, assert } from "../../src/base/errors.ts";
import type { ByteRange } from "../../src/base/filesystem.ts";
import { type Cid, cidOf } from "../../src/base/ids.ts";
import type { Random } from "../../src/base/random.ts";
import type { Maybe } from "../../src/base/step.ts";

export interface MemoryStoreOptions {
  /** Answers put and get by a promise, now and then. */
  readonly late?: Random;
  readonly limitBytes?: number;
}

interface JournalRecord extends AppendOptions {
  readonly sequence: Sequence;
  readonly bytes: Buffer;
}

/** What a disk holds. */
interface Disk {
  readonly blocks: Map<Cid, Uint8Array>;
  readonly slots: Map<Cid, PolicySlot>;
  journal: JournalRecord[];
  root: Uint8Array | undefined;
}

const limitDefaultBytes = 8 * 2 ** 30;

export class MemoryStore implements DriveStore {
  readonly #disk: Disk;
  readonly #options: MemoryStoreOptions;
  /** Not synced yet. */
  readonly #blocks = new Map<Cid, Uint8Array>();
  #journal: JournalRecord[] = [];
  readonly #discarded = new Set<Cid>();
  #suspects = new Set<Cid>();
  #sequence: Sequence;
  #bytes = 0;
  isFull = false;
  putBytes = 0;
  appendedBytes = 0;
  commits = 0;

  constructor(options: MemoryStoreOptions = {}, disk?: Disk) {
    this.#options = options;
    this.#disk = disk ?? { blocks: new Map(), slots: new Map(), journal: [], root: undefined };
    this.#sequence = this.#disk.journal.at(-1)?.sequence ?? 0;
  }

  put(cid: Cid, sealed: Uint8Array, { slot = 0 }: PutOptions = {}): Maybe<void> {
    assert(cidOf(sealed) === cid, "a block is named by its bytes");
    if (this.isFull) throw new HiveError("NoSpace", "memory-store.put", cid);
    this.#suspects.delete(cid);
    return this.#late(() => {
      assert((this.#disk.slots.get(cid) ?? slot) === slot, "the same bytes go by one policy");
      this.#disk.slots.set(cid, slot);
      if (this.has(cid)) return;
      this.#blocks.set(cid, sealed);
      this.#bytes += sealed.length;
      this.putBytes += sealed.length;
    });
  }

  get(cid: Cid): Maybe<Uint8Array> {
    return this.#late(() => {
      const sealed = this.#blocks.get(cid) ?? this.#disk.blocks.get(cid);
      if (sealed !== undefined) return sealed;
      throw new HiveError("NotFound", "memory-store.get", cid);
    });
  }

  getPart(cid: Cid, { offsetBytes, lengthBytes }: ByteRange): Maybe<Uint8Array | undefined> {
    return this.#late(() => {
      const sealed = this.#blocks.get(cid) ?? this.#disk.blocks.get(cid);
      return sealed?.subarray(offsetBytes, offsetBytes + lengthBytes);
    });
  }

  has(cid: Cid): boolean {
    return this.#blocks.has(cid) || this.#disk.blocks.has(cid);
  }

  discard(cid: Cid): void {
    this.#discarded.add(cid);
    const known = this.#blocks.get(cid) ?? this.#disk.blocks.get(cid);
    this.#bytes -= known?.length ?? 0;
    this.#blocks.delete(cid);
    this.#disk.blocks.delete(cid);
  }

  /** All that is here counts as nobody else's, and so as dirty. */
  sweep(living?: CidFilter): Sweep {
    const suspects = new Set([...this.#disk.blocks.keys(), ...this.#blocks.keys()]);
    this.#suspects = suspects;
    return {
      keep: (cid) => {
        suspects.delete(cid);
        living?.add(cid);
      },
      finish: () => {
        const before = this.#bytes;
        for (const cid of suspects) this.discard(cid);
        return before - this.#bytes;
      },
    };
  }

  append(
    record: Uint8Array, { namesDurableOnly }: AppendOptions = { namesDurableOnly: false },
  ): Sequence {
    this.appendedBytes += record.length;
    const bytes = Buffer.from(record);
    this.#journal.push({ sequence: ++this.#sequence, bytes, namesDurableOnly });
    return this.#sequence;
  }

  async sync(): Promise<void> {
    this.#toDisk();
    await Promise.resolve();
  }

  /** No more than it must: whoever relies on more loses it in a crash. */
  async syncRecords(): Promise<void> {
    if (this.#journal.some(({ namesDurableOnly }) => !namesDurableOnly)) return this.sync();
    this.#disk.journal.push(...this.#journal);
    this.#journal = [];
    await Promise.resolve();
  }

  async commit(root: Uint8Array, through: Sequence): Promise<void> {
    if (this.isFull) throw new HiveError("NoSpace", "memory-store.commit", "full");
    await Promise.resolve();
    this.commits++;
    const unsynced = this.#journal;
    this.#journal = [];
    this.#toDisk();
    this.#journal = unsynced.filter(({ sequence }) => sequence > through);
    this.#disk.journal = this.#disk.journal.filter(({ sequence }) => sequence > through);
    this.#disk.root = Buffer.from(root);
  }

  root(): Uint8Array | undefined {
    return this.#disk.root;
  }

  async *replay(): AsyncIterable<Uint8Array> {
    for (const { bytes } of [...this.#disk.journal]) yield bytes;
  }

  usage(): StoreUsage {
    const limitBytes = this.#options.limitBytes ?? limitDefaultBytes;
    const bytes = this.#bytes;
    return { limitBytes, usedBytes: bytes, dirtyBytes: bytes, dirtyBytesMax: limitBytes };
  }

  /** The store after a power cut: of what was not synced, `kept` journal records and no block. */
  crash(kept = 0): MemoryStore {
    const disk = {
      blocks: new Map(this.#disk.blocks),
      slots: new Map(this.#disk.slots),
      journal: [...this.#disk.journal],
      root: this.#disk.root,
    };
    disk.journal.push(...this.#journal.slice(0, kept));
    return new MemoryStore(this.#options, disk);
  }

  /** The policy that a block was put under. */
  slotOf(cid: Cid): PolicySlot | undefined {
    return this.#disk.slots.get(cid);
  }

  /** The policies of all blocks that are here. */
  slots(): ReadonlySet<PolicySlot | undefined> {
    return new Set([...this.#disk.blocks.keys(), ...this.#blocks.keys()].map((cid) => this.slotOf(cid)));
  }

  get blockCount(): number {
    return this.#blocks.size + this.#disk.blocks.size;
  }

  get journalCount(): number {
    return this.#journal.length + this.#disk.journal.length;
  }

  get unsyncedBlocks(): number {
    return this.#blocks.size;
  }

  get unsyncedRecords(): number {
    return this.#journal.length;
  }

  #toDisk(): void {
    for (const [cid, sealed] of this.#blocks) this.#disk.blocks.set(cid, sealed);
    this.#blocks.clear();
    this.#disk.journal.push(...this.#journal);
    this.#journal = [];
  }

  #late<T>(act: () => T): Maybe<T> {
    const { late } = this.#options;
    if (late === undefined || late.below(2) === 0) return act();
    return new Promise((resolve, reject) => {
      setImmediate(() => {
        try {
          resolve(act());
        } catch (error) {
          reject(error);
        }
      });
    });
  }
}
