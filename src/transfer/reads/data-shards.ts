/**
 * All data shards of a segment, for whoever wants every block that lies in it: from their holders,
 * each checked against its signed name, or rebuilt out of others, where the policy lets that be
 * done here.
 */
import { HiveError, isFault } from "../../base/errors.ts";
import { type Log, describe } from "../../base/log.ts";
import type { SegmentRecord } from "../../base/records.ts";
import type { Groups } from "../groups/groups.ts";
import type { Holding, ShardReader } from "./shards.ts";

export interface DataShardsNeeds {
  readonly reader: ShardReader;
  readonly groups: Pick<Groups, "get" | "law">;
  readonly log: Log;
}

export async function dataShardsOf(
  needs: DataShardsNeeds, record: SegmentRecord, signal: AbortSignal,
): Promise<readonly Uint8Array[]> {
  const indexes = Array.from({ length: record.k }, (_, index) => index);
  const have = new Map<number, Uint8Array>();
  await Promise.all(indexes.map(async (index) => {
    const bytes = await dataShard(needs, { record, index }, signal);
    if (bytes !== undefined) have.set(index, bytes);
  }));
  const wanted = indexes.filter((index) => !have.has(index));
  if (wanted.length > 0) {
    const { groups, reader } = needs;
    const manifest = groups.get(record.group);
    const isAllowed = manifest === undefined || groups.law.mayHere("repair", manifest);
    if (!isAllowed) throw new HiveError("Denied", "transfer.repair", record.group);
    const options = { signal, urgency: "background", have } as const;
    const made = await reader.rebuiltShards(record, wanted, options);
    for (const [at, index] of wanted.entries()) have.set(index, made[at] as Uint8Array);
  }
  return indexes.map((index) => have.get(index) as Uint8Array);
}

/** Undefined when its holder does not give it. */
async function dataShard(
  { reader, log }: DataShardsNeeds,
  { record, index }: { readonly record: SegmentRecord; readonly index: number },
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const holding = reader.holding(record, index);
  return holding === undefined ? undefined : givenBy({ reader, log }, record, holding, signal);
}

/** A whole shard, behind the scenes; undefined when its holder does not give it. */
export async function givenBy(
  { reader, log }: Pick<DataShardsNeeds, "reader" | "log">, record: SegmentRecord,
  source: Holding, signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  try {
    return await reader.wholeShard(record, source, { signal, urgency: "background" });
  } catch (error) {
    signal.throwIfAborted();
    if (!isFault(error)) throw error;
    log.debug("transfer.shard.rebuild", { peer: source.peer, why: describe(error) });
    return undefined;
  }
}
