/**
 * The newest record of a share of this drive, whichever of its devices made it: asked for with some
 * of the holders before another one is made, since only the highest number counts. Holders may lie
 * by silence alone: what they bring is signed by the drive, and opens for whoever has its words.
 */
import { asBuffer } from "../../base/bytes.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import { type Random, shuffled } from "../../base/random.ts";
import type { Share, ShareNetwork } from "../../base/sharing.ts";
import type { DriveKeys } from "../../crypt/drive/drive.ts";
import { encodeShareAsk, parseShare, recordKeyOf } from "../../crypt/records/share-records.ts";
import { openPayload } from "../records/payload.ts";
import { type Told, decodeTold } from "../records/told.ts";

const { newestAskedMax, newestAskMs } = limits.sharing;

export interface NewestNeeds {
  readonly keys: DriveKeys;
  readonly network: ShareNetwork;
  readonly random: Random;
  readonly log: Log;
  /** Whoever keeps the drive's shards. */
  readonly members: () => readonly PeerId[];
}

/** A record with what only this drive's devices can tell of it. */
export interface Newest {
  readonly record: Share;
  /** Undefined of one from before records said so. */
  readonly told: Told | undefined;
}

type From = Pick<Share, "share" | "sequence">;

/** The newest of this number or later. Unavailable when nobody says whether there is one. */
export async function newestRecord(
  needs: NewestNeeds, from: From, signal: AbortSignal,
): Promise<Newest | undefined> {
  return newestOf(needs, from, await askSome(needs, from, signal));
}

/** The same of one holder. */
export async function newestRecordAt(
  needs: NewestNeeds, peer: PeerId, from: From, signal: AbortSignal,
): Promise<Newest | "silent" | undefined> {
  const found = await askOne(needs, peer, from, signal);
  return found === undefined ? "silent" : newestOf(needs, from, found);
}

function newestOf(
  { keys }: NewestNeeds, { share, sequence }: From, found: readonly Share[],
): Newest | undefined {
  const ours = found.filter((one) => {
    return one.owner === keys.owner && one.share === share && one.sequence >= sequence;
  });
  const record = ours.sort((a, b) => b.sequence - a.sequence)[0];
  return record && { record, told: toldIn(keys, record) };
}

/** A few at a time, until one of them answers, be it that there is none. */
async function askSome(
  needs: NewestNeeds, from: From, signal: AbortSignal,
): Promise<readonly Share[]> {
  const members = shuffled(needs.members(), needs.random);
  for (let first = 0; first < members.length; first += newestAskedMax) {
    const some = members.slice(first, first + newestAskedMax);
    const until = AbortSignal.any([signal, AbortSignal.timeout(newestAskMs)]);
    const answers = await Promise.all(some.map((peer) => askOne(needs, peer, from, until)));
    const told = answers.filter((answer) => answer !== undefined);
    if (told.length > 0) return told.flat();
    if (signal.aborted) break;
  }
  if (members.length === 0) return [];
  throw new HiveError("Unavailable", "sharing.newest", "nobody who keeps it answers");
}

/** Undefined when nothing comes that says anything. */
async function askOne(
  { keys: { owner }, network, log }: NewestNeeds, peer: PeerId,
  { share, sequence }: From, signal: AbortSignal,
): Promise<readonly Share[] | undefined> {
  const ask = encodeShareAsk({ owner, share, sequence: Math.max(0, sequence - 1) });
  try {
    const bytes = asBuffer(await network.share(peer, "get", ask, { signal }));
    return bytes.length === 0 ? [] : [parseShare(bytes)];
  } catch (error) {
    // One that is too slow says as little as one that is away.
    if (signal.aborted) return undefined;
    if (!isFault(error)) throw error;
    log.debug("sharing.newest", { peer, why: describe(error) });
    return isFault(error, "NotFound") ? [] : undefined;
  }
}

function toldIn({ shareSecret }: DriveKeys, record: Share): Told | undefined {
  const key = recordKeyOf(shareSecret, record);
  try {
    return decodeTold(openPayload(key, record.sealed, record));
  } catch (error) {
    if (isFault(error, "Corrupt")) return undefined;
    throw error;
  }
}
