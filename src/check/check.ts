/**
 * `hive fsck`: the local state of a drive from the bottom up. First the store (its index, its
 * journal, every block), then the books of what peers have, then the tree. Without repair all of
 * it happens on clones, and what is told is what a repair would do. It never asks the network.
 */
import { access } from "node:fs/promises";
import type { Clock } from "../base/clock.ts";
import type { FsckProblem, FsckReport } from "../base/damages.ts";
import { HiveError, isFault } from "../base/errors.ts";
import type { Cid } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { type Cache, cloneCache, openCache, removeClones } from "../cache/cache.ts";
import { fsckTree } from "../tree/fsck.ts";
import { type Books, openBooks } from "./books.ts";
import { blockProblems, storeProblems } from "./problems.ts";

export interface DriveCheckNeeds {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Told at once, however many there are. */
  readonly report: (problem: FsckProblem) => void;
  readonly progress: (done: Done) => void;
}

/** How far it has come. */
export type Done =
  | { readonly part: "blocks"; readonly bytes: number }
  | { readonly part: "names"; readonly files: number };

export interface DriveCheckOptions {
  readonly cacheDirectory: string;
  /** Transfer's books; of a folder of somebody else's they stand under this prefix. */
  readonly booksDirectory: string;
  readonly booksPrefix?: string;
  readonly treeSecret: Uint8Array;
  /** It is a folder of somebody else's: what these books do not tell of is his, and with peers. */
  readonly isFolder?: boolean;
  readonly repair: boolean;
  /** What is neither here nor in the books counts as lost for good. */
  readonly giveUp: boolean;
}

/** Fails as Busy while the drive is mounted; nobody can mount it while this runs. */
export async function checkDrive(
  needs: DriveCheckNeeds,
  options: DriveCheckOptions,
): Promise<FsckReport> {
  const tally = new Tally(needs.report);
  const report = (problem: FsckProblem): void => tally.count(problem);
  await using parts = new AsyncDisposableStack();
  const found = await new DriveCheck({ ...needs, report }, options).run(parts);
  return { repaired: options.repair, ...found, ...tally.counts };
}

type Found = Omit<FsckReport, "repaired" | keyof Tally["counts"]>;

const nothing: Found = {
  blocks: 0, blockBytes: 0, files: 0, directories: 0, givenUp: 0, elsewhere: 0,
};

class DriveCheck {
  readonly #needs: DriveCheckNeeds;
  readonly #options: DriveCheckOptions;
  #books: Books | undefined;
  readonly #spoilt = new Set<Cid>();

  constructor(needs: DriveCheckNeeds, options: DriveCheckOptions) {
    this.#needs = needs;
    this.#options = options;
  }

  async run(parts: AsyncDisposableStack): Promise<Found> {
    const found = await this.#look(parts);
    await this.#books?.end();
    return found;
  }

  async #look(parts: AsyncDisposableStack): Promise<Found> {
    const { cacheDirectory, booksDirectory, booksPrefix: prefix, repair, giveUp } = this.#options;
    const { treeSecret, isFolder } = this.#options;
    const { report, progress } = this.#needs;
    const isThere = await access(cacheDirectory).then(() => true, () => false);
    const cache = isThere ? await this.#openCache(parts) : undefined;
    const books = parts.use(await openBooks(booksDirectory, { repair, giveUp, report, prefix }));
    this.#books = books;
    if (cache?.root() === undefined) return this.#tellRootless(cache, books);
    for (const problem of storeProblems(cache.report())) report(problem);
    const blocks = await cache.check({
      progress: (bytes) => progress({ part: "blocks", bytes }),
      isPlaced: async (cid) => isFolder === true || await books.has(cid),
    });
    const placed = await this.#sortSpoilt(blocks.spoilt);
    await cache.placed(placed);
    for (const problem of blockProblems(blocks, placed.length)) report(problem);
    const tree = await fsckTree(
      {
        ...this.#needs,
        store: cache,
        whereIs: (cid) => this.#whereIs(cid),
        progress: ({ files }) => progress({ part: "names", files }),
      },
      { treeSecret, isFolder, spoilt: [...this.#spoilt] },
    );
    // A new commit of the same root: its blocks are looked through for the peers once more.
    if (blocks.reclaimed > 0) await cache.commit(cache.root() ?? new Uint8Array(0), 0);
    const { files, directories, givenUp, elsewhere } = tree;
    const sums = { blocks: blocks.blocks, blockBytes: blocks.bytes };
    return { ...sums, files, directories, givenUp, elsewhere };
  }

  async #openCache(parts: AsyncDisposableStack): Promise<Cache> {
    const { cacheDirectory, repair } = this.#options;
    const { clock, log } = this.#needs;
    const directory = repair
      ? cacheDirectory
      : parts.use(await cloneCache(cacheDirectory)).directory;
    const fetcher = { fetch: (cid: Cid) => this.#refuse(cid) };
    try {
      // Nothing is evicted for want of room while it is looked at.
      const { limitBytesMax: limitBytes } = limits.cache;
      const cache = await openCache({ directory, clock, log, fetcher }, { limitBytes });
      parts.use(cache);
      // This one has the lock: the others' makers are gone.
      await removeClones(cacheDirectory, directory);
      return cache;
    } catch (cause) {
      if (!isFault(cause, "Busy")) throw cause;
      const subject = cause.subject.replace(directory, cacheDirectory);
      throw new HiveError("Busy", "fsck.open", subject, { cause });
    }
  }

  /** Spoilt blocks that peers have after all; the others are kept in mind. */
  async #sortSpoilt(spoilt: readonly Cid[]): Promise<readonly Cid[]> {
    const placed: Cid[] = [];
    for (const cid of spoilt) {
      if (await this.#books?.has(cid)) placed.push(cid);
      else this.#spoilt.add(cid);
    }
    return placed;
  }

  async #whereIs(cid: Cid): Promise<"peers" | "nowhere" | "unknown"> {
    if (await this.#books?.has(cid)) return "peers";
    const isHis = this.#options.isFolder === true && !this.#spoilt.has(cid);
    if (isHis) return "peers";
    const isGivenUp = this.#options.giveUp && this.#books?.mayLack !== true;
    return this.#spoilt.has(cid) || isGivenUp ? "nowhere" : "unknown";
  }

  async #refuse(cid: Cid): Promise<never> {
    const where = await this.#whereIs(cid);
    throw new HiveError(where === "peers" ? "Unavailable" : "NotFound", "fsck.fetch", cid);
  }

  /** A drive that was never mounted here has no root, and nothing is wrong with that. */
  #tellRootless(cache: Cache | undefined, books: Books): Found {
    if (cache?.report().rootLost !== true && !books.tell) return nothing;
    const words = "the drive's newest root is lost; what was published last is with the peers";
    this.#needs.report({ what: "root", path: null, words, mended: false, loss: true });
    return nothing;
  }
}

class Tally {
  readonly #report: (problem: FsckProblem) => void;
  readonly counts = { problems: 0, losses: 0, left: 0 };

  constructor(report: (problem: FsckProblem) => void) {
    this.#report = report;
  }

  count(problem: FsckProblem): void {
    this.counts.problems++;
    if (problem.loss) this.counts.losses++;
    if (!problem.mended) this.counts.left++;
    this.#report(problem);
  }
}
