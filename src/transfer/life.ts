/**
 * Whether these books and the store beside them are of one time. Each start has a number that both
 * keep; where one of them has an older one, it was set back to a copy, or is gone. Books that know
 * less than the store take peers for having nothing, and the store's clean blocks for safe: so they
 * are begun anew, in doubt, and learned again from the last head. Keys of the KeyValue:
 *
 *   x/life  varint, the last start's number | varint, one that the store may have instead
 */
import type { KeyValue } from "../base/blocks.ts";
import { transferKeys } from "../base/book-keys.ts";
import { Reader, Writer } from "../base/bytes.ts";
import type { StoreLife, StoreView } from "../base/node.ts";
import { beginAnew } from "./anew.ts";

const none: StoreLife = { number: 0, isStoreOld: false, areBooksOld: false };

/** Undefined where they stand beside no store. */
export async function openLife(
  books: KeyValue, store: StoreView | undefined,
): Promise<StoreLife> {
  if (store === undefined) return none;
  const { life } = store;
  const { number, other } = await readLife(books);
  const areBooksOld = life > number;
  if (areBooksOld) await beginAnew(books, store);
  const isStoreOld = life < number && life !== other;
  return { number: Math.max(life, number) + 1, isStoreOld, areBooksOld };
}

/** From now on the store has this number; or, should a crash come in between, the other. */
export async function keepLife(
  books: KeyValue, { number, other }: { readonly number: number; readonly other: number },
): Promise<void> {
  const value = new Writer(16).varint(number).varint(other).finish();
  await books.put(transferKeys.life, value);
}

async function readLife(
  books: KeyValue,
): Promise<{ readonly number: number; readonly other: number }> {
  const value = await books.get(transferKeys.life);
  if (value === undefined) return { number: 0, other: 0 };
  const reader = new Reader(value, "transfer.life");
  return { number: reader.varint(), other: reader.varint() };
}
