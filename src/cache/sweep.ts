/**
 * A search for garbage among the dirty blocks: at first all of them are under suspicion, whoever
 * knows a use for one clears it, and the rest goes. What is put meanwhile is never among them.
 */
import type { Sweep } from "../base/blocks.ts";
import type { Cid } from "../base/ids.ts";
import type { Catalog } from "./catalog.ts";
import { marks } from "./entry.ts";

export class OpenSweep implements Sweep {
  readonly #catalog: Catalog;
  readonly #discard: (cid: Cid) => void;
  readonly #suspects = new Set<Cid>();

  constructor(catalog: Catalog, discard: (cid: Cid) => void) {
    this.#catalog = catalog;
    this.#discard = discard;
    for (const entry of catalog.dirty) {
      if (!entry.is(marks.condemned)) this.#suspects.add(entry.cid);
    }
  }

  keep(cid: Cid): void {
    this.#suspects.delete(cid);
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
    return bytes;
  }
}
