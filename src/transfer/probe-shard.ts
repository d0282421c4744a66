/** One whole shard from its holder, for the sake of knowing whether it is given. */
import { isFault } from "../base/errors.ts";
import type { PeerId, SegmentId } from "../base/ids.ts";
import type { SegmentBooks } from "./books.ts";
import type { Records } from "./records.ts";
import type { ShardReader } from "./shards.ts";
import { type Verdict, verdictOf } from "./witness.ts";

export interface ProbeShardNeeds {
  readonly segments: SegmentBooks;
  readonly records: Records;
  readonly reader: ShardReader;
}

/** What came of it; the reader has told whoever watches. */
export async function probeShard(
  { segments, records, reader }: ProbeShardNeeds,
  { segment, index, holder }: {
    readonly segment: SegmentId; readonly index: number; readonly holder: PeerId;
  },
  signal: AbortSignal,
): Promise<Verdict> {
  const state = segments.get(segment);
  // It left, or lies with somebody else since it was chosen: that says nothing of the holder.
  if (state?.holders[index] !== holder) return "right";
  const record = await records.get(state, signal);
  try {
    await reader.wholeShard(record, { peer: holder, index }, { signal, urgency: "background" });
    return "right";
  } catch (error) {
    signal.throwIfAborted();
    if (!isFault(error)) throw error;
    return verdictOf(error, "read");
  }
}
