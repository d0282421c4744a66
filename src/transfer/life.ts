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
import { limits } from "../base/limits.ts";
import type { StoreLife } from "../base/node.ts";
import { doubtBooks } from "./doubt.ts";
import { presumeHead } from "./heads/publish.ts";

/** What is never less true for being old. */
const lasting: readonly string[] = [
  transferKeys.roll, transferKeys.renewedEpoch, transferKeys.forgottenDevice,
  transferKeys.policyText, transferKeys.policyOfGroup, transferKeys.doubt, transferKeys.life,
];

const none: StoreLife = { number: 0, isStoreOld: false, areBooksOld: false };

/** By the number that the store has, 0 where it has none; undefined where there is no store. */
export async function openLife(books: KeyValue, store: number | undefined): Promise<StoreLife> {
  if (store === undefined) return none;
  const { number, other } = await readLife(books);
  const isStoreOld = store < number && store !== other;
  if (store > number) await beginAnew(books);
  return { number: Math.max(store, number) + 1, isStoreOld, areBooksOld: store > number };
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

/** The mark is first: a crash must not leave books that seem to know of nothing. */
async function beginAnew(books: KeyValue): Promise<void> {
  await doubtBooks(books, "drive");
  let old: string[] = [];
  const forget = async (): Promise<void> => {
    await books.batch(old.map((key) => ({ type: "delete", key })));
    old = [];
  };
  for await (const [key] of books.list("")) {
    if (!lasting.some((prefix) => key.startsWith(prefix))) old.push(key);
    if (old.length >= limits.cache.batchChangesMax) await forget();
  }
  await forget();
  await presumeHead(books);
}
