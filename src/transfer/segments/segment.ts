/**
 * A packed segment becomes n shards with their Merkle roots, and a signed record. Pure but for the
 * blocks it asks for; it sends and keeps nothing. The same blocks make the same shards and roots,
 * which is why an upload that was cut off can go on where it stopped.
 */
import { setImmediate } from "node:timers/promises";
import { KiB } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { HiveError, assert } from "../../base/errors.ts";
import type { Cid, GroupId, ShardId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { ErasureClass, SegmentRecord } from "../../base/records.ts";
import { shardIdOf } from "../../crypt/blocks/merkle.ts";
import type { DriveKeys } from "../../crypt/drive/drive.ts";
import { signSegmentRecord } from "../../crypt/records/records.ts";
import type { Coder } from "../../erasure/erasure.ts";
import { type BlockRoom, type Layout, frameShard } from "./pack.ts";

export interface CodedSegment {
  readonly shards: readonly Buffer[];
  readonly roots: readonly ShardId[];
}

/** How much of every shard is coded between two breaths of the event loop. */
const stripeBytes = 256 * KiB;

/** The n shards of a layout; breathes often, since the thread also answers peers. */
export async function codeSegment(
  coder: Coder,
  layout: Layout,
  options: { readonly n: number; readonly read: ReadBlock; readonly take: TakeShard },
): Promise<CodedSegment> {
  const { k, shardBytes } = layout;
  const { n, read, take } = options;
  assert(n > k, "there is parity");
  const shards = Array.from({ length: n }, () => take(shardBytes));
  for (let index = 0; index < k; index++) {
    const rooms = frameShard(layout, { index, shard: shards[index] as Buffer });
    await Promise.all(rooms.map((room) => fillRoom(room, read)));
  }
  await codeParity(coder, { k, n }, shards);
  return { shards, roots: await rootsOf(shards) };
}

/** Gives a block's bytes, in the room that is offered or elsewhere. */
export type ReadBlock = (cid: Cid, into: Buffer) => Promise<Uint8Array>;
/** Gives room for a shard, whatever lies in it. */
export type TakeShard = (shardBytes: number) => Buffer;

async function fillRoom({ cid, room }: BlockRoom, read: ReadBlock): Promise<void> {
  const bytes = await read(cid, room);
  if (bytes.length !== room.length) {
    throw new HiveError("Corrupt", "transfer.read", `${cid}: ${bytes.length} bytes`);
  }
  const isThere = bytes.buffer === room.buffer && bytes.byteOffset === room.byteOffset;
  if (!isThere) room.set(bytes);
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
