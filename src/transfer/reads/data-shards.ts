/**
 * All data shards of a segment, for whoever wants every block that lies in it: from their holders,
 * or made out of others where the policy lets that be done here.
 */
import type { SegmentRecord } from "../../base/records.ts";
import { type WholeShardsNeeds, givenBy, madeHere } from "./whole-shards.ts";

export async function dataShardsOf(
  needs: WholeShardsNeeds, record: SegmentRecord, signal: AbortSignal,
): Promise<readonly Uint8Array[]> {
  const indexes = Array.from({ length: record.k }, (_, index) => index);
  const have = new Map<number, Uint8Array>();
  await Promise.all(indexes.map(async (index) => {
    const holding = needs.reader.holding(record, index);
    if (holding === undefined) return;
    const bytes = await givenBy(needs, record, holding, signal);
    if (bytes !== undefined) have.set(index, bytes);
  }));
  const wanted = indexes.filter((index) => !have.has(index));
  if (wanted.length > 0) {
    const made = await madeHere(needs, record, wanted, { have, signal });
    for (const [at, index] of wanted.entries()) have.set(index, made[at] as Uint8Array);
  }
  return indexes.map((index) => have.get(index) as Uint8Array);
}
