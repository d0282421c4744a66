/**
 * After the books were damaged: what this device's last head named is in them again, before the
 * next one is signed. Where the head itself was lost, none is before it is known (relearn.ts).
 */
import type { KeyValue } from "../../base/blocks.ts";
import { isFault } from "../../base/errors.ts";
import { type Log, describe } from "../../base/log.ts";
import type { Head } from "../../base/records.ts";
import { parseManifest } from "../../crypt/records/records.ts";
import { decodePayload } from "../catalog/catalog-page.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Doubt } from "../doubt.ts";
import type { Groups } from "../groups/groups.ts";
import type { Roll } from "../roll.ts";
import { lastHead, sequences } from "./publish.ts";

export interface RestoreNeeds {
  readonly books: KeyValue;
  readonly roll: Pick<Roll, "heads">;
  readonly groups: Groups;
  readonly catalog: Catalog;
  readonly doubt: Doubt;
  readonly log: Log;
}

/** Before anything goes by the books. */
export async function restoreLastHead(needs: RestoreNeeds): Promise<void> {
  const { books, catalog, log } = needs;
  await catalog.forgetUnderWay();
  const head = await lastHead(books);
  const { last, published } = await sequences(books);
  // Its number is written down before a head is: more than one that is missing is a loss.
  const isLast = head !== undefined && head.sequence >= Math.max(published, last - 1);
  if (!isLast) return;
  try {
    await restoreHead(needs, head);
  } catch (error) {
    if (!isFault(error)) throw error;
    log.error("transfer.head.unrestored", { why: describe(error) });
  }
}

/** No run is being made meanwhile. */
export async function restoreHead(
  { roll, groups, catalog, doubt }: RestoreNeeds, { sealed }: Head,
): Promise<void> {
  const payload = decodePayload(roll.heads.open(sealed));
  for (const manifest of payload.manifests) await groups.adopt(parseManifest(manifest));
  await catalog.restore(payload);
  doubt.restored();
}
