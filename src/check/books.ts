/**
 * The books of what peers have, for a check: they are asked, and nothing is ever written into them
 * but what LevelDB must do to open files that were damaged, and that it did (transfer/doubt.ts).
 * Books that are gone know of nothing.
 */
import { access } from "node:fs/promises";
import type { FsckProblem } from "../base/damages.ts";
import { isFault } from "../base/errors.ts";
import type { Cid } from "../base/ids.ts";
import { booksUnder } from "../base/books-under.ts";
import { openKeyValue, openKeyValueClone } from "../cache/cache.ts";
import { beginWithout } from "../transfer/anew.ts";
import { placeIn, tellsOfBlocks } from "../transfer/catalog/catalog.ts";
import { doubtBooks, isInDoubt } from "../transfer/doubt.ts";

export interface Books extends AsyncDisposable {
  /** True when peers have the block, as far as the books tell. */
  has(cid: Cid): Promise<boolean>;
  /** True when they tell of any block. */
  readonly tell: boolean;
  /** They were damaged: what they do not tell of may be with peers all the same. */
  readonly mayLack: boolean;
  /** Nobody asks them any more: what was to be given up is. */
  end(): Promise<void>;
}

const none: Books = {
  has: async () => false,
  tell: false,
  mayLack: false,
  async end() {},
  async [Symbol.asyncDispose]() {},
};

export async function openBooks(
  directory: string,
  { repair, giveUp, report, prefix = "" }: {
    readonly repair: boolean;
    /** What they lack and nobody gives is done without. */
    readonly giveUp: boolean;
    /** Theirs stand among others'. */
    readonly prefix?: string | undefined;
    readonly report: (problem: FsckProblem) => void;
  },
): Promise<Books> {
  const isThere = await access(directory).then(() => true, () => false);
  if (!isThere) return none;
  await using parts = new AsyncDisposableStack();
  const opened = repair
    ? parts.use(await openKeyValue(directory))
    : parts.use(await openKeyValueClone(directory)).books;
  const table = booksUnder(opened, prefix);
  const tellDamage = (words: string): void =>
    report({ what: "catalogue", path: null, words, mended: true, loss: false });
  if (opened.mending !== "none") {
    // Whoever opens them next finds nothing to mend.
    await doubtBooks(opened, prefix === "" ? "drive" : "guests");
    await opened.mended();
    tellDamage("the books of what peers have were damaged: some of it may not be known any more");
  }
  const isDoubted = opened.mending === "none" && await isInDoubt(table);
  if (isDoubted) {
    const words = "the books of what peers have were damaged, and wait for all that they lost";
    report({ what: "catalogue", path: null, words, mended: giveUp, loss: false });
  }
  const tell = await tellsOfBlocks(table);
  const owned = parts.move();
  return {
    tell,
    mayLack: opened.mending !== "none" || isDoubted,
    async end() {
      if (isDoubted && giveUp) await beginWithout(table);
    },
    async has(cid) {
      try {
        return (await placeIn(table, cid)) !== undefined;
      } catch (error) {
        if (isFault(error, "Corrupt")) return false;
        throw error;
      }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
