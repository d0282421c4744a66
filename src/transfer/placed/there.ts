/**
 * Which members have their shards of a placed segment already, though the books here do not say so:
 * another device of the drive may have brought them. It believes a member no more than a receipt is
 * believed: proofs come later.
 */
import { isFault } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { Manifest, SegmentRecord } from "../../base/records.ts";
import { memberOfShard } from "../../placement/draws/seats.ts";
import type { ShardReader } from "../reads/shards.ts";

export interface ThereNeeds {
  readonly reader: Pick<ShardReader, "range">;
  readonly log: Log;
}

/** Each shows the first leaf of its shard. */
export async function alreadyThere(
  needs: ThereNeeds, { record, manifest }: { record: SegmentRecord; manifest: Manifest },
  indexes: readonly number[], signal: AbortSignal,
): Promise<ReadonlyMap<number, PeerId>> {
  const there = new Map<number, PeerId>();
  const lengthBytes = Math.min(limits.segment.leafBytes, record.shardBytes);
  await Promise.all(indexes.map(async (index) => {
    const peer = memberOfShard(record, index, manifest);
    try {
      const leaf = { offsetBytes: 0, lengthBytes };
      await needs.reader.range(record, { index, peer }, leaf, { signal });
      there.set(index, peer);
    } catch (error) {
      signal.throwIfAborted();
      if (!isFault(error)) throw error;
      needs.log.debug("transfer.mend.not-there", { peer, why: describe(error) });
    }
  }));
  return there;
}
