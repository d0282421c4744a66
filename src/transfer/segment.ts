/**
 * A packed segment becomes n shards with their Merkle roots, and a signed record. Pure but for the
 * blocks it asks for; it sends and keeps nothing. The same blocks make the same shards and roots,
 * which is why an upload that was cut off can go on where it stopped.
 */
import { setImmediate } from "node:timers/promises";
import type { Clock } from "../base/clock.ts";
import { HiveError, assert } from "../base/errors.ts";
import type { Cid, GroupId, ShardId } from "../base/ids.ts";
import { KiB } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import type { ErasureClass, SegmentRecord } from "../base/records.ts";
import type { DriveKeys } from "../crypt/drive.ts";
import { shardIdOf } from "../crypt/merkle.ts";
import { signSegmentRecord } from "../crypt/records.ts";
import type { Coder } from "../erasure/erasure.ts";
import { type Layout, blocksOfShard, writeShard } from "./pack.ts";

export interface CodedSegment {
  readonly shards: readonly Uint8Array[];
  readonly roots: readonly ShardId[];
}

/** How much of every shard is coded between two breaths of the event loop. */
const stripeBytes = 256 * KiB;

/** The n shards of a layout; breathes often, since the thread also answers peers. */
export async function codeSegment(
  coder: Coder,
  layout: Layout,
  options: { readonly n: number; readonly read: (cid: Cid) => Promise<Uint8Array> },
): Promise<CodedSegment> {
  const { k, shardBytes } = layout;
  assert(options.n > k, "there is parity");
  const shards = Array.from({ length: options.n }, () => Buffer.allocUnsafeSlow(shardBytes));
  for (let index = 0; index < k; index++) {
    const blocks = await readBlocks(layout, index, options.read);
    const shard = shards[index] as Buffer;
    writeShard(layout, { index, shard }, (cid) => blocks.get(cid) as Uint8Array);
  }
  await codeParity(coder, { k, n: options.n }, shards);
  return { shards, roots: await rootsOf(shards) };
}

async function readBlocks(
  layout: Layout, index: number, read: (cid: Cid) => Promise<Uint8Array>,
): Promise<ReadonlyMap<Cid, Uint8Array>> {
  const wanted = blocksOfShard(layout, index);
  const pairs = wanted.map(async ({ cid, lengthBytes }) => {
    const bytes = await read(cid);
    if (bytes.length === lengthBytes) return [cid, bytes] as const;
    throw new HiveError("Corrupt", "transfer.read", `${cid}: ${bytes.length} bytes`);
  });
  return new Map(await Promise.all(pairs));
}

/** Stripe by stripe: the code works on each position by itself, so the bytes are the same. */
async function codeParity(
  coder: Coder, code: { readonly k: number; readonly n: number }, shards: readonly Buffer[],
): Promise<void> {
  const length = shards[0]?.length ?? 0;
  for (let from = 0; from < length; from += stripeBytes) {
    const stripes = shards.map((shard) => shard.subarray(from, from + stripeBytes));
    coder.encodeInto(code, stripes.slice(0, code.k), stripes.slice(code.k));
    await setImmediate();
  }
}

async function rootsOf(shards: readonly Uint8Array[]): Promise<ShardId[]> {
  const roots: ShardId[] = [];
  for (const shard of shards) {
    roots.push(shardIdOf(shard));
    if (roots.length % limits.transfer.hashesPerBreath === 0) await setImmediate();
  }
  return roots;
}

/** The owner's word on a segment. The rotation follows from the content, so it needs no book. */
export function signSegment(
  needs: { readonly keys: DriveKeys; readonly clock: Clock },
  segment: {
    readonly group: GroupId; readonly class: ErasureClass;
    readonly shardBytes: number; readonly roots: readonly ShardId[];
  },
): SegmentRecord {
  const { group, roots, shardBytes } = segment;
  const { k, n } = segment.class;
  const first = roots[0];
  assert(first !== undefined && roots.length === n, "one root for each shard");
  const rotation = Number.parseInt(first.slice(0, 8), 16) % n;
  const createdAtMs = needs.clock.now();
  const told = { group, k, n, shardBytes, rotation, roots, createdAtMs };
  return signSegmentRecord(needs.keys, told);
}
