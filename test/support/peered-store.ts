/**
 * A store in memory whose blocks go to peers by policy: those of some slots stay here. What was
 * placed can be had again, by this store and by one that has nothing else.
 */
import type { PolicySlot, PutOptions } from "../../src/base/blocks.ts";
import { CidFilter } from "../../src/base/cid-filter.ts";
import { isFault } from "../../src/base/errors.ts";
import type { Cid } from "../../src/base/ids.ts";
import type { Maybe } from "../../src/base/step.ts";
import { MemoryStore } from "./memory-store.ts";

interface Made {
  readonly bytes: Uint8Array;
  readonly slot: PolicySlot;
}

export class PeeredStore extends MemoryStore {
  readonly peers: Map<Cid, Uint8Array>;
  readonly #made = new Map<Cid, Made>();

  constructor(peers = new Map<Cid, Uint8Array>()) {
    super();
    this.peers = peers;
  }

  override put(cid: Cid, sealed: Uint8Array, options: PutOptions = {}): Maybe<void> {
    this.#made.set(cid, { bytes: Buffer.from(sealed), slot: options.slot ?? 0 });
    return super.put(cid, sealed, options);
  }

  override get(cid: Cid): Maybe<Uint8Array> {
    try {
      return super.get(cid);
    } catch (error) {
      const placed = this.peers.get(cid);
      if (!isFault(error, "NotFound") || placed === undefined) throw error;
      return Promise.resolve(placed);
    }
  }

  /** All of other slots is with peers now; a filter of what waits. */
  place(waiting: ReadonlySet<PolicySlot>): Uint8Array {
    const left: Cid[] = [];
    for (const [cid, { bytes, slot }] of this.#made) {
      if (this.peers.has(cid)) continue;
      if (waiting.has(slot)) left.push(cid);
      else this.peers.set(cid, bytes);
    }
    const filter = CidFilter.for(left.length);
    for (const cid of left) filter.add(cid);
    return filter.bits;
  }
}
