/**
 * Books that tell less, or other things, than they should are begun anew: in doubt, with nothing in
 * them but what is never less true for being old. What peers have is learned again, as where the
 * books are gone (heads/relearn.ts).
 */
import type { KeyValue } from "../base/blocks.ts";
import { transferKeys } from "../base/book-keys.ts";
import { limits } from "../base/limits.ts";
import { doubtBooks, giveUpDoubt } from "./doubt.ts";
import { presumeHead, sequences } from "./heads/publish.ts";

const lasting: readonly string[] = [
  transferKeys.roll, transferKeys.renewedEpoch, transferKeys.forgottenDevice,
  transferKeys.policyText, transferKeys.policyOfGroup, transferKeys.doubt, transferKeys.life,
];

/** The mark is first: a crash must not leave books that seem to know of nothing. */
export async function beginAnew(
  books: KeyValue, { isPublished }: { readonly isPublished: boolean },
): Promise<void> {
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
  if (isPublished) await presumeHead(books);
}

/** The same for whoever does not want to wait for what nobody gives: that is done without. */
export async function beginWithout(books: KeyValue): Promise<void> {
  const { published } = await sequences(books);
  await beginAnew(books, { isPublished: published > 0 });
  await giveUpDoubt(books);
}
