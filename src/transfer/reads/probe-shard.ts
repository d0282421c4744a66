/** One whole shard from its holder, for the sake of knowing whether it is given. */
import { isFault } from "../../base/errors.ts";
import type { PeerId, SegmentId } from "../../base/ids.ts";
import type { SegmentBooks } from "../books.ts";
import { type Verdict, verdictOf } from "../witness.ts";
import type { Records } from "./records.ts";
import type { ShardReader } from "./shards.ts";

export interface ProbeShardNeeds {
  readonly segments: SegmentBooks;
  readonly records: Records;
  readonly reader: ShardReader;
}

/** What came of it, and its bytes, where they are right. */
export interface ProbedShard {
  readonly verdict: Verdict;
  readonly bytes?: Uint8Array;
}

/** The reader has told whoever watches. */
export async function probeShard(
  { segments, records, reader }: ProbeShardNeeds,
  { segment, index, holder }: {
    readonly segment: SegmentId; readonly index: number; readonly holder: PeerId;
  },
  signal: AbortSignal,
): Promise<ProbedShard> {
  const state = segments.get(segment);
  // It left, or lies with somebody else since it was chosen: that says nothing of the holder.
  if (state?.holders[index] !== holder) return { verdict: "right" };
  const record = await records.get(state, signal);
  try {
    const from = { peer: holder, index };
    const bytes = await reader.wholeShard(record, from, { signal, urgency: "background" });
    return { verdict: "right", bytes };
  } catch (error) {
    signal.throwIfAborted();
    if (!isFault(error)) throw error;
    return { verdict: verdictOf(error, "read") };
  }
}
