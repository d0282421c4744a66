/**
 * The first question to a local store when a drive is opened: does it hold what was committed?
 * If its directory was deleted, what peers have is brought back before anything is written.
 */
import type { Clock } from "../base/clock.ts";
import { HiveError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { NodeDuties } from "../base/node.ts";
import type { Cache } from "../cache/cache.ts";

interface Situation {
  readonly clock: Clock;
  readonly log: Log;
  /** The drive was never mounted here. */
  readonly isNew: boolean;
}

/**
 * An empty tree must never take the place of one that this disk has lost: what peers have is
 * brought back. Answers what the user should hear.
 */
export async function bringBack(
  cache: Cache, node: NodeDuties, { clock, log, isNew }: Situation,
): Promise<string | undefined> {
  if (cache.report().rootLost) {
    throw new HiveError("Corrupt", "drive.open", "the local store lost its root; hive recover");
  }
  if (isNew || cache.root() !== undefined) return undefined;
  const { drive } = await node.status();
  const isPublished = (drive?.segments.total ?? 0) > 0;
  log.error("drive.store-was-gone", { isPublished });
  if (!isPublished) return "its local store was gone, and no peer had anything of it";
  const root = await newestRoot(node, clock);
  await cache.commit(root, 0);
  await cache.endRound(root);
  return "its local store was gone: what peers have is back, what they had not yet is lost";
}

async function newestRoot(node: NodeDuties, clock: Clock): Promise<Uint8Array> {
  const untilMs = clock.monotonicMs() + limits.drive.bringBackMs;
  for (;;) {
    const root = await node.newestRoot();
    if (root !== undefined) return root;
    if (clock.monotonicMs() > untilMs) {
      throw new HiveError("Unavailable", "drive.open", "the store is gone, and no peer answers");
    }
    // Nothing tells when a peer that knows the drive has been reached.
    await clock.delay(limits.drive.bringBackPauseMs);
  }
}
