/**
 * How shards that one segment lacks come home: each from who had it before, if it still gives it,
 * for that costs one shard of traffic; all others out of one reading of k, in which those at hand
 * need not be read. It knows neither who reads nor who keeps: an owner's agent and the members of a
 * group bring theirs by this one way. Which shards need it was decided before.
 */
import type { ShardToPlace } from "../groups/place.ts";

/** What whoever brings can do. */
export interface Hands {
  /** From who had it before; undefined where nobody gives it. */
  give(index: number): Promise<Uint8Array | undefined>;
  /** Out of k others, those at hand among them; each as the owner named it. */
  make(
    indexes: readonly number[], have: ReadonlyMap<number, Uint8Array>,
  ): Promise<readonly Uint8Array[]>;
  /** To who should have them; which were taken. */
  place(shards: readonly ShardToPlace[]): Promise<ReadonlySet<number>>;
}

/** Which of these shards were taken. */
export async function bringHome(
  { k, indexes }: { readonly k: number; readonly indexes: readonly number[] }, hands: Hands,
): Promise<ReadonlySet<number>> {
  const have = new Map<number, Uint8Array>();
  const given = await Promise.all(indexes.map(async (index) => {
    const bytes = await hands.give(index);
    if (bytes === undefined) return "left";
    // More than k of them help nobody, and would lie in memory for nothing.
    if (have.size < k) have.set(index, bytes);
    return (await hands.place([{ index, bytes }])).has(index);
  }));
  const taken = indexes.filter((_, at) => given[at] === true);
  const left = indexes.filter((_, at) => given[at] === "left");
  if (left.length === 0) return new Set(taken);
  const made = await hands.make(left, have);
  const shards = left.map((index, at) => ({ index, bytes: made[at] as Uint8Array }));
  return new Set([...taken, ...await hands.place(shards)]);
}
