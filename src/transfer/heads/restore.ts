/**
 * After the books were damaged: what this device's last head named is in them again, before the
 * next one is signed. Where the head itself was lost, no head is, until it is known again.
 */
import type { KeyValue } from "../../base/blocks.ts";
import { isFault } from "../../base/errors.ts";
import { type Log, describe } from "../../base/log.ts";
import { decodePayload } from "../catalog/catalog-page.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Doubt } from "../doubt.ts";
import type { Roll } from "../roll.ts";
import { lastHead, sequences } from "./publish.ts";

export interface RestoreNeeds {
  readonly books: KeyValue;
  readonly roll: Pick<Roll, "heads">;
  readonly catalog: Catalog;
  readonly doubt: Doubt;
  readonly log: Log;
}

export async function restoreHead(
  { books, roll, catalog, doubt, log }: RestoreNeeds,
): Promise<void> {
  const head = await lastHead(books);
  if (head === undefined) {
    // A number that was lost with it holders would refuse.
    if ((await sequences(books)).last === 0) doubt.restored();
    return;
  }
  try {
    await catalog.restore(decodePayload(roll.heads.open(head.sealed)));
    doubt.restored();
  } catch (error) {
    if (!isFault(error)) throw error;
    log.error("transfer.head.unrestored", { why: describe(error) });
  }
}
