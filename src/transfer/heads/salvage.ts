/**
 * Where the blocks of a drive lie, when pages of the catalog that told it are lost: every segment
 * says which blocks it holds, so all of them are read. That is a download of the whole drive; the
 * alternative would be to lose all of it for the sake of a few pages. The catalog is written anew.
 */
import type { KeyValue } from "../../base/blocks.ts";
import { isFault } from "../../base/errors.ts";
import { type Log, describe } from "../../base/log.ts";
import type { SegmentRecord } from "../../base/records.ts";
import type { SegmentBooks } from "../books.ts";
import type { CatalogEntry } from "../catalog/catalog-page.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Groups } from "../groups/groups.ts";
import { dataShardsOf } from "../reads/data-shards.ts";
import type { Records } from "../reads/records.ts";
import type { WholeShardsNeeds } from "../reads/whole-shards.ts";
import { blocksIn } from "../segments/pack.ts";

export interface SalvageNeeds extends WholeShardsNeeds {
  readonly books: KeyValue;
  readonly segments: SegmentBooks;
  readonly records: Records;
  readonly catalog: Catalog;
  readonly groups: Groups;
  readonly log: Log;
}

/** Gives each block that has no place the newest segment that it is found in. */
export async function salvage(needs: SalvageNeeds, signal: AbortSignal): Promise<void> {
  const { segments, records, catalog, groups, log } = needs;
  for (const manifest of groups.all()) await records.learnFromAll(manifest, signal);
  const known = segments.all().map((state) => records.get(state, signal));
  const newestFirst = (await Promise.all(known)).sort((a, b) => b.createdAtMs - a.createdAtMs);
  let found = 0;
  for (const record of newestFirst) {
    signal.throwIfAborted();
    found += await blocksOf(needs, record, signal);
  }
  await catalog.renew();
  log.info("transfer.salvaged", { blocks: found, segments: newestFirst.length });
}

/** How many of it had no place. */
async function blocksOf(
  needs: SalvageNeeds, record: SegmentRecord, signal: AbortSignal,
): Promise<number> {
  const { books, catalog, log } = needs;
  const { segment, group } = record;
  try {
    const fresh: CatalogEntry[] = [];
    for (const { cid, bytes, offsetBytes } of blocksIn(await dataShardsOf(needs, record, signal))) {
      if (bytes.length === 0 || await catalog.find(cid) !== undefined) continue;
      fresh.push({ cid, segment, group, offsetBytes, lengthBytes: bytes.length });
    }
    if (fresh.length > 0) await books.batch(await catalog.changesFor(fresh));
    return fresh.length;
  } catch (error) {
    signal.throwIfAborted();
    if (!isFault(error)) throw error;
    log.warn("transfer.salvage.segment", { segment, why: describe(error) });
    return 0;
  }
}
