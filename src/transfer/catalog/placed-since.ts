/**
 * Blocks that were placed, found to be placed, or fetched since a census began. It may not know of
 * them, so that nothing follows from its silence. Bounded: past the bound the census is too old.
 */
import type { Cid } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";

export class PlacedSince {
  #cids: Set<Cid> | undefined;

  begin(): void {
    this.#cids = new Set();
  }

  end(): void {
    this.#cids = undefined;
  }

  note(cids: readonly Cid[]): void {
    if (this.#cids === undefined || this.isFull) return;
    for (const cid of cids) this.#cids.add(cid);
  }

  has(cid: Cid): boolean {
    return this.#cids?.has(cid) === true;
  }

  get isFull(): boolean {
    return (this.#cids?.size ?? 0) >= limits.reclaim.placedSinceMax;
  }
}
