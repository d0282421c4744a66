/**
 * Segments that holders have lost beyond repair, while blocks of them are on this machine: those
 * wait for peers again, before anybody evicts what may be the last copies. What was in such a
 * segment alone stays lost until holders come back; one with nothing left in it goes.
 */
import type { UploadSource } from "../../base/blocks.ts";
import type { Cid, SegmentId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Outgoing } from "./outgoing.ts";

export interface RescueNeeds {
  readonly source: UploadSource;
  readonly catalog: Catalog;
  readonly outgoing: Outgoing;
  readonly log: Log;
}

export class Rescue {
  readonly #needs: RescueNeeds;
  #lost: ReadonlySet<SegmentId> = new Set();

  constructor(needs: RescueNeeds) {
    this.#needs = needs;
  }

  /** True for a segment that was given up: its holders' receipts count for nothing. */
  has(segment: SegmentId): boolean {
    return this.#lost.has(segment);
  }

  /** These are lost now, and no others; answers how many blocks of them go up again. */
  async rescue(lost: readonly SegmentId[]): Promise<number> {
    const { source, catalog, outgoing, log } = this.#needs;
    this.#lost = new Set(lost);
    if (lost.length === 0) return 0;
    const pages = await catalog.pages();
    const blocks: Cid[] = [];
    const named = new Set<SegmentId>();
    for await (const { cid, segment } of catalog.entries()) {
      if (!this.#lost.has(segment) || pages.has(cid)) continue;
      if (await catalog.page(cid) !== undefined) continue;
      blocks.push(cid);
      named.add(segment);
    }
    // The catalog's own pages are written anew where what is outgoing has some.
    for (const segment of lost) if (!named.has(segment)) await outgoing.add(segment);
    let rescued = 0;
    const { lookupsAtOnce } = limits.transfer;
    for (let from = 0; from < blocks.length; from += lookupsAtOnce) {
      rescued += (await source.lost(blocks.slice(from, from + lookupsAtOnce))).length;
    }
    log.debug("transfer.segments.lost", { segments: lost.length, blocks: blocks.length, rescued });
    return rescued;
  }
}
