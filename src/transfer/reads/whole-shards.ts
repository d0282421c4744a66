/**
 * Whole shards for what goes on behind the scenes: given by the one who has it, or made out of k
 * others, where the policy lets that be done here. Both are checked against their signed names.
 */
import { HiveError, isFault } from "../../base/errors.ts";
import { type Log, describe } from "../../base/log.ts";
import type { SegmentRecord } from "../../base/records.ts";
import type { Groups } from "../groups/groups.ts";
import type { Holding, ShardReader } from "./shards.ts";

export interface WholeShardsNeeds {
  readonly reader: ShardReader;
  readonly groups: Pick<Groups, "get" | "law">;
  readonly log: Log;
}

/** Nobody waits for it. */
const urgency = "background";

/** Undefined when its holder does not give it. */
export async function givenBy(
  { reader, log }: WholeShardsNeeds, record: SegmentRecord, source: Holding, signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  try {
    return await reader.wholeShard(record, source, { signal, urgency });
  } catch (error) {
    signal.throwIfAborted();
    if (!isFault(error)) throw error;
    log.debug("transfer.shard.rebuild", { peer: source.peer, why: describe(error) });
    return undefined;
  }
}

/** In the order of these indexes; what is at hand need not be read. */
export async function madeHere(
  { reader, groups }: WholeShardsNeeds, record: SegmentRecord, indexes: readonly number[],
  options: { readonly have: ReadonlyMap<number, Uint8Array>; readonly signal: AbortSignal },
): Promise<readonly Uint8Array[]> {
  const manifest = groups.get(record.group);
  // To pass one on is not to make it: only that is what `repair` in a policy means.
  const isAllowed = manifest === undefined || groups.law.mayHere("repair", manifest);
  if (!isAllowed) throw new HiveError("Denied", "transfer.repair", record.group);
  return await reader.rebuiltShards(record, indexes, { ...options, urgency });
}
