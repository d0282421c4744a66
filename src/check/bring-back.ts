/**
 * The first questions to a local store when a drive is opened: does it hold what was committed,
 * and is that the newest? If its directory was deleted, what peers have is brought back before
 * anything is written; if an older one stands in its place, the drive is not opened. A device that
 * has made nothing yet goes on from what is newest now.
 */
import type { Clock } from "../base/clock.ts";
import { HiveError, isFault } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { type Log, describe } from "../base/log.ts";
import type { NodeDuties } from "../base/node.ts";
import { type Cache, readLife, writeLife } from "../cache/cache.ts";
import { isOlderRoot } from "../tree/commit/root-order.ts";

interface Situation {
  readonly clock: Clock;
  readonly log: Log;
  /** The drive was never mounted here. */
  readonly isNew: boolean;
  /** Where the store is. */
  readonly directory: string;
  readonly treeSecret: Uint8Array;
}

/** What there is to begin with. */
interface Beginning {
  /** What the user should hear. */
  readonly note: string | undefined;
  /** The store is not as this machine left it. */
  readonly isBack: boolean;
  /** The number of this start. */
  readonly life: number;
}

export async function beginStore(
  cache: Cache, node: NodeDuties, situation: Situation,
): Promise<Beginning> {
  const { log } = situation;
  const { number, isStoreOld, areBooksOld } = await node.life();
  // Otherwise neither these books nor the store saw a start before.
  const hasBooks = number > 1;
  const broughtBack = await bringBack(cache, node, { ...situation, hasBooks });
  if (isStoreOld) log.error("drive.store-is-older", { life: number });
  if (areBooksOld) log.error("drive.books-are-older", { life: number });
  const life = await keepLife(node, situation, number);
  const note = broughtBack ?? (isStoreOld ? storeWords : areBooksOld ? booksWords : undefined);
  return { note, isBack: isStoreOld || broughtBack !== undefined, life };
}

/**
 * Answers the number that the store has now. Where the disk takes nothing it is the one that it
 * had: then nothing tells this start from the last one, and files can be deleted all the same.
 */
export async function keepLife(
  node: Pick<NodeDuties, "keepLife">, { log, directory }: Pick<Situation, "log" | "directory">,
  number: number,
): Promise<number> {
  try {
    await node.keepLife({ number, other: await readLife(directory) });
    await writeLife(directory, number);
    await node.keepLife({ number, other: number });
  } catch (error) {
    if (!isFault(error, "NoSpace", "ReadOnly", "Denied")) throw error;
    log.warn("drive.life-not-kept", { why: describe(error) });
  }
  return readLife(directory);
}

const storeWords = "its local store is an older copy: what was written since then, and no peer " +
  "had yet, is lost";
const booksWords = "the books of what peers have were gone, or an older copy: they are learned " +
  "again from peers";

/**
 * An empty tree must never take the place of one that this disk has lost: what peers have is
 * brought back. Answers what the user should hear.
 */
async function bringBack(
  cache: Cache, node: NodeDuties, situation: Situation & { readonly hasBooks: boolean },
): Promise<string | undefined> {
  const { clock, log, isNew, hasBooks, directory } = situation;
  if (cache.report().rootLost) {
    throw new HiveError("Corrupt", "drive.store", `${directory} has lost its newest root`);
  }
  const here = cache.root();
  if (here !== undefined) await compareToTold(here, cache, node, situation);
  if (isNew || here !== undefined) return undefined;
  const { drive } = await node.status();
  const isPublished = (drive?.segments.total ?? 0) > 0;
  log.error("drive.store-was-gone", { isPublished, hasBooks });
  if (hasBooks && !isPublished) return "its local store was gone, and no peer had anything of it";
  const root = await newestRoot(node, clock, limits.drive.bringBackMs);
  if (root === undefined) {
    const gone = `${directory}${hasBooks ? "" : " and the books"}`;
    throw new HiveError("Unavailable", "drive.gone", `${gone}, and no peer tells of the drive`);
  }
  await beginFrom(root, cache);
  return "its local store was gone: what peers have is back, what they had not yet is lost";
}

/** Undefined when no peer tells of one in that time. */
async function newestRoot(
  node: NodeDuties, clock: Clock, patienceMs: number,
): Promise<Uint8Array | undefined> {
  const untilMs = clock.monotonicMs() + patienceMs;
  for (;;) {
    const root = await node.newestRoot();
    if (root !== undefined || clock.monotonicMs() > untilMs) return root;
    // Nothing tells when a peer that knows the drive has been reached.
    await clock.delay(limits.drive.bringBackPauseMs);
  }
}

/** Peers have all of it: it needs no upload. */
async function beginFrom(root: Uint8Array, cache: Cache): Promise<void> {
  await cache.commit(root, 0);
  await cache.endRound(root);
}

/**
 * What peers have must never be replaced by what was there before: a store that was restored alone
 * would be told as the newest, and what it does not name be dropped. Whatever goes up was committed
 * here first, so a head of this machine's with a later root says that this store was set back.
 */
async function compareToTold(
  here: Uint8Array, cache: Cache, node: NodeDuties, situation: Situation,
): Promise<void> {
  const told = await node.toldRoot();
  if (told === undefined) return;
  const { treeSecret } = situation;
  const isNewer = isOlderRoot({ root: told.root, other: here }, treeSecret);
  const isUnused = !told.isOwn && !isNewer && await isAllInRoot(cache);
  if (isUnused && await freshen(cache, node, situation)) return;
  if (isOlderRoot({ root: here, other: told.root }, treeSecret)) throw setBack(situation);
}

/** Its root has all that was made here. */
async function isAllInRoot(cache: Cache): Promise<boolean> {
  for await (const _record of cache.replay()) return false;
  return true;
}

/**
 * Others do not know yet that this device goes on from that root: what it alone names they may have
 * given back by now, and without it no newer one could be merged. False when nobody tells of one.
 */
async function freshen(
  cache: Cache, node: NodeDuties, { clock, log }: Situation,
): Promise<boolean> {
  const root = await newestRoot(node, clock, limits.drive.freshenMs);
  if (root === undefined) log.warn("drive.not-freshened");
  else await beginFrom(root, cache);
  return root !== undefined;
}

function setBack({ directory }: Situation): HiveError {
  const words = "holds an older state than this machine has told peers: is it from a backup?";
  return new HiveError("Corrupt", "drive.store", `${directory} ${words}`);
}
