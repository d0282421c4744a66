/**
 * A search for garbage among the dirty blocks: at first all of them are under suspicion, whoever
 * knows a use for one clears it, and the rest goes. What is put meanwhile is never among them.
 *
 * One that goes over all that the drive refers to takes the clean ones as well. They must go before
 * peers are told to drop theirs, and no crash may bring them back: whatever is here and clean is
 * taken to be with the peers.
 */
import type { Sweep } from "../../base/blocks.ts";
import type { CidFilter } from "../../base/cid-filter.ts";
import type { Cid } from "../../base/ids.ts";
import type { Maybe } from "../../base/step.ts";
import { marks } from "../files/entry.ts";
import type { Catalog } from "../index/catalog.ts";

interface Needs {
  readonly catalog: Catalog;
  readonly discard: (cid: Cid) => void;
  /** Once the index on disk says what is here, and no more. */
  readonly settle: () => Promise<void>;
}

export class OpenSweep implements Sweep {
  readonly #needs: Needs;
  readonly #suspects = new Set<Cid>();
  readonly #living: CidFilter | undefined;

  constructor(needs: Needs, living: CidFilter | undefined) {
    this.#needs = needs;
    this.#living = living;
    for (const entry of needs.catalog.dirty) {
      if (!entry.is(marks.condemned)) this.#suspects.add(entry.cid);
    }
  }

  keep(cid: Cid): void {
    this.#suspects.delete(cid);
    this.#living?.add(cid);
  }

  finish(): Maybe<number> {
    const bytes = this.#finishDirty();
    if (this.#living === undefined) return bytes;
    this.#finishClean(this.#living);
    return this.#needs.settle().then(() => bytes);
  }

  #finishDirty(): number {
    const { catalog, discard } = this.#needs;
    let bytes = 0;
    for (const cid of this.#suspects) {
      const entry = catalog.get(cid);
      // What was placed meanwhile costs no room that eviction could not give back.
      if (entry === undefined || !entry.is(marks.dirty)) continue;
      bytes += entry.lengthBytes;
      // A round that waits for peers may wait for ever: whoever places it finds the block gone, and
      // begins anew with a root that does not name it.
      entry.marks &= ~marks.pinned;
      discard(cid);
    }
    this.#suspects.clear();
    return bytes;
  }

  #finishClean(living: CidFilter): void {
    const { catalog, discard } = this.#needs;
    for (const entry of [...catalog.values()]) {
      if (!entry.is(marks.dirty) && !living.has(entry.cid)) discard(entry.cid);
    }
  }
}
