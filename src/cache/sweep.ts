/**
 * A search for garbage among the dirty blocks: at first all of them are under suspicion, whoever
 * knows a use for one clears it, and the rest goes. What is put meanwhile is never among them.
 *
 * One that goes over all that the drive refers to takes the clean ones as well. They must go before
 * peers are told to drop theirs: whatever is here and clean is taken to be with the peers.
 */
import type { Sweep } from "../base/blocks.ts";
import type { CidFilter } from "../base/cid-filter.ts";
import type { Cid } from "../base/ids.ts";
import type { Catalog } from "./catalog.ts";
import { marks } from "./entry.ts";

export class OpenSweep implements Sweep {
  readonly #catalog: Catalog;
  readonly #discard: (cid: Cid) => void;
  readonly #suspects = new Set<Cid>();
  readonly #living: CidFilter | undefined;

  constructor(catalog: Catalog, discard: (cid: Cid) => void, living: CidFilter | undefined) {
    this.#catalog = catalog;
    this.#discard = discard;
    this.#living = living;
    for (const entry of catalog.dirty) {
      if (!entry.is(marks.condemned)) this.#suspects.add(entry.cid);
    }
  }

  keep(cid: Cid): void {
    this.#suspects.delete(cid);
    this.#living?.add(cid);
  }

  finish(): number {
    let bytes = 0;
    for (const cid of this.#suspects) {
      const entry = this.#catalog.get(cid);
      // What was placed meanwhile costs no room that eviction could not give back.
      if (entry === undefined || !entry.is(marks.dirty)) continue;
      bytes += entry.lengthBytes;
      // A round that waits for peers may wait for ever: whoever places it finds the block gone, and
      // begins anew with a root that does not name it.
      entry.marks &= ~marks.pinned;
      this.#discard(cid);
    }
    this.#suspects.clear();
    if (this.#living !== undefined) this.#finishClean(this.#living);
    return bytes;
  }

  #finishClean(living: CidFilter): void {
    for (const entry of [...this.#catalog.values()]) {
      if (!entry.is(marks.dirty) && !living.has(entry.cid)) this.#discard(entry.cid);
    }
  }
}
