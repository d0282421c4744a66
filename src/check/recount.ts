/**
 * After the books were in doubt: whatever the store takes for safe with peers is looked up in what
 * they know again. What went up since the last head is in no books any more; it goes up anew.
 */
import { HiveError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { NodeDuties } from "../base/node.ts";
import type { Cache } from "../cache/cache.ts";

export class Recount {
  readonly #needs: { readonly cache: Pick<Cache, "reclaim">; readonly log: Log };
  #node: Pick<NodeDuties, "segmentsOf"> | undefined;

  constructor(needs: { readonly cache: Pick<Cache, "reclaim">; readonly log: Log }) {
    this.#needs = needs;
  }

  begin(node: Pick<NodeDuties, "segmentsOf">): void {
    this.#node = node;
  }

  async run(): Promise<void> {
    const { cache, log } = this.#needs;
    const node = this.#node;
    if (node === undefined) throw new HiveError("Unavailable", "drive.recount", "starting");
    const blocks = await cache.reclaim(async (cids) => {
      return (await node.segmentsOf(cids)).map((segment) => segment !== undefined);
    });
    log.info("drive.recounted", { unplaced: blocks });
  }
}
