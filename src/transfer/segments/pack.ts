/**
 * Lays sealed blocks over the k data shards of a segment so that the shards, end to end, are one
 * CARv1 file. It decides places and writes bytes; it never codes, signs or sends. No block lies
 * over two shards, so one peer answers a read. What is left of a shard is filled by a block of
 * zeros under its true CID, so that any CAR reader takes the file.
 *
 * Pages and chunks share a segment, in the order written: a flush early in a folder's life then
 * costs one segment and not two, and a small page fits the gap that chunks leave at a shard's end.
 */
import type { BlockInfo } from "../../base/blocks.ts";
import { Reader } from "../../base/bytes.ts";
import { HiveError, assert } from "../../base/errors.ts";
import { type Cid, cidBytes, cidOf, parseCid } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";

/** CARv1 with no roots: varint length, then DAG-CBOR {roots: [], version: 1}. */
const header = Buffer.from("11a265726f6f7473806776657273696f6e01", "hex");
const cidBytesLength = 36;
/** The smallest filler: one byte of length, a CID, no data. */
const fillerBytesMin = 1 + cidBytesLength;

/** A block's data inside the k data shards laid end to end. */
export interface LaidBlock {
  readonly cid: Cid;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

export interface Layout {
  readonly k: number;
  readonly shardBytes: number;
  /** In order of offset. */
  readonly blocks: readonly LaidBlock[];
}

/** All blocks of a round as layouts, in write order. */
export function planRound(blocks: readonly BlockInfo[], k: number): Layout[] {
  const layouts: Layout[] = [];
  for (let from = 0; from < blocks.length; ) {
    const { layout, taken } = planSegment(blocks, { from, k });
    layouts.push(layout);
    from += taken;
  }
  return layouts;
}

/** The next segment: the smallest shards that hold all the rest, or the largest and a prefix. */
export function planSegment(
  blocks: readonly BlockInfo[], options: { readonly from: number; readonly k: number },
): { readonly layout: Layout; readonly taken: number } {
  assert(options.from < blocks.length, "a segment holds at least one block");
  const ladder = limits.segment.shardBytes;
  for (const shardBytes of ladder) {
    const result = layBlocks(blocks, { ...options, shardBytes });
    if (options.from + result.taken === blocks.length) return result;
    if (shardBytes === ladder.at(-1) && result.taken > 0) return result;
  }
  const block = blocks[options.from] as BlockInfo;
  throw new HiveError("TooLarge", "transfer.pack", `${block.cid}: ${block.lengthBytes} bytes`);
}

/** First fit over the segment's shards, until a block fits none of them. */
function layBlocks(
  blocks: readonly BlockInfo[],
  options: { readonly from: number; readonly k: number; readonly shardBytes: number },
): { readonly layout: Layout; readonly taken: number } {
  const { from, k, shardBytes } = options;
  const free = Array.from({ length: k }, () => shardBytes);
  free[0] = shardBytes - header.length;
  const laid: LaidBlock[] = [];
  for (let next = from; next < blocks.length; next++) {
    const block = blocks[next] as BlockInfo;
    const need = sectionBytes(block.lengthBytes);
    const shard = free.findIndex((room) => fits(room, need));
    if (shard < 0) break;
    const start = (shard + 1) * shardBytes - (free[shard] as number);
    const offsetBytes = start + need - block.lengthBytes;
    laid.push({ cid: block.cid, offsetBytes, lengthBytes: block.lengthBytes });
    free[shard] = (free[shard] as number) - need;
  }
  const taken = laid.length;
  laid.sort((a, b) => a.offsetBytes - b.offsetBytes);
  return { layout: { k, shardBytes, blocks: laid }, taken };
}

/** What is left must be nothing, or room for a filler. */
function fits(roomBytes: number, needBytes: number): boolean {
  const rest = roomBytes - needBytes;
  return rest === 0 || rest >= fillerBytesMin;
}

/** Writes all of data shard `index` but the bytes of its blocks; answers the room for each. */
export function frameShard(
  layout: Layout, options: { readonly index: number; readonly shard: Buffer },
): readonly BlockRoom[] {
  const { index, shard } = options;
  assert(shard.length === layout.shardBytes && index < layout.k);
  const start = index * layout.shardBytes;
  let at = 0;
  if (index === 0) {
    shard.set(header, 0);
    at = header.length;
  }
  const rooms: BlockRoom[] = [];
  for (const { cid, offsetBytes, lengthBytes } of blocksOfShard(layout, index)) {
    const data = beginSection(shard, at, { cid, lengthBytes });
    assert(start + data === offsetBytes, "a block lies where planned");
    at = data + lengthBytes;
    rooms.push({ cid, room: shard.subarray(data, at) });
  }
  fillRest(shard, at);
  return rooms;
}

/** Where in its shard a block's bytes belong. */
export interface BlockRoom {
  readonly cid: Cid;
  readonly room: Buffer;
}

/** The blocks that lie in one data shard. */
function blocksOfShard(layout: Layout, index: number): readonly LaidBlock[] {
  const start = index * layout.shardBytes;
  const end = start + layout.shardBytes;
  return layout.blocks.filter((block) => block.offsetBytes >= start && block.offsetBytes < end);
}

/** A block that was found in a segment, and where. */
export interface FoundBlock {
  readonly cid: Cid;
  readonly bytes: Uint8Array;
  readonly offsetBytes: number;
}

/** The blocks of a segment, out of its data shards; fillers are among them. */
export function* blocksIn(shards: readonly Uint8Array[]): Generator<FoundBlock> {
  for (const [index, shard] of shards.entries()) {
    const reader = new Reader(shard, "transfer.pack");
    if (index === 0) reader.raw(header.length);
    while (reader.restBytes > 0) {
      const bodyBytes = reader.varint();
      if (bodyBytes < cidBytesLength) throw reader.corrupt("a section without a CID");
      reader.raw(cidBytesLength - 32);
      const cid = parseCid(reader.hex(32));
      const offsetBytes = (index + 1) * shard.length - reader.restBytes;
      yield { cid, bytes: reader.raw(bodyBytes - cidBytesLength), offsetBytes };
    }
  }
}

function fillRest(shard: Uint8Array, from: number): void {
  let at = from;
  while (at < shard.length) {
    const zeros = fillerZeros(shard.length - at);
    const data = beginSection(shard, at, { cid: zeroCid(zeros), lengthBytes: zeros });
    at = data + zeros;
    shard.fill(0, data, at);
  }
  assert(at === shard.length, "a shard is filled to its last byte");
}

/** How many zeros the next filler holds, so that what is left after it can be filled too. */
function fillerZeros(gapBytes: number): number {
  assert(gapBytes >= fillerBytesMin, "a gap has room for a filler");
  for (let prefix = 1; prefix <= 4; prefix++) {
    const zeros = gapBytes - prefix - cidBytesLength;
    if (zeros >= 0 && varintBytes(zeros + cidBytesLength) === prefix) return zeros;
  }
  // One byte too many for a short length and one too few for a longer: two fillers.
  return 0;
}

/** What goes before a block's bytes; answers where these begin. */
function beginSection(shard: Uint8Array, at: number, block: BlockInfo): number {
  const start = writeVarint(shard, at, cidBytesLength + block.lengthBytes);
  shard.set(cidBytes(block.cid), start);
  return start + cidBytesLength;
}

function writeVarint(target: Uint8Array, at: number, value: number): number {
  let rest = value;
  let next = at;
  while (rest >= 128) {
    target[next++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  target[next++] = rest;
  return next;
}

function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) count++;
  return count;
}

/** A block with its length and CID before it. */
function sectionBytes(lengthBytes: number): number {
  const body = cidBytesLength + lengthBytes;
  return varintBytes(body) + body;
}

const zeroCids = new Map<number, Cid>();

/** The CID of so many zeros, the last few remembered: most gaps of a drive are alike. */
function zeroCid(length: number): Cid {
  const known = zeroCids.get(length);
  if (known !== undefined) return known;
  const cid = cidOf(new Uint8Array(length));
  if (zeroCids.size >= limits.transfer.zeroCidsMax) zeroCids.clear();
  zeroCids.set(length, cid);
  return cid;
}
