/**
 * A shard's name: the root of a SHA-256 Merkle tree (RFC 6962, section 2.1) over its 4 KiB leaves.
 *
 *   leaf hash = SHA-256(0x00 | 4096 bytes)        node hash = SHA-256(0x01 | left | right)
 *
 * The last node of an odd row moves up unchanged. A tree is kept as its rows laid end to end, the
 * leaf hashes first and the root last, 32 bytes each; a path lists the siblings from the leaf up.
 */
import { asBuffer } from "../../base/bytes.ts";
import { HiveError, assert } from "../../base/errors.ts";
import { type ShardId, parseShardId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { quickAddon } from "../ciphers/seal-addon.ts";
import { digestBytes, sha256, sha256Into } from "../ciphers/sha256.ts";

const { leafBytes } = limits.segment;
const leavesMax = Math.max(...limits.segment.shardBytes) / leafBytes;

/** The prefix byte stands first for good; what follows is overwritten for each hash. */
const leafScratch = Buffer.alloc(1 + leafBytes, 0x00);
const nodeScratch = Buffer.alloc(1 + 2 * digestBytes, 0x01);

/** Where a leaf stands, in a shard of so many leaves. */
export interface LeafPlace {
  readonly index: number;
  readonly count: number;
}

export function shardIdOf(shard: Uint8Array): ShardId {
  return rootOf(merkleTreeOf(shard));
}

/** The shard's name, out of its tree. */
export function rootOf(tree: Uint8Array): ShardId {
  return parseShardId(asBuffer(tree).toString("hex", tree.length - digestBytes));
}

/** Makes all rows of hashes, for a shard of one or more whole leaves, into their room. */
type Grow = (shard: Uint8Array, tree: Buffer) => void;

let grow: Grow | undefined;

/** All rows of hashes, for a shard of one or more whole leaves. */
export function merkleTreeOf(shard: Uint8Array): Buffer {
  grow ??= nativeGrow() ?? plainGrow;
  return treeBy(grow, shard);
}

export function treeBy(grown: Grow, shard: Uint8Array): Buffer {
  const count = shard.length / leafBytes;
  assert(Number.isInteger(count) && count >= 1 && count <= leavesMax, "whole leaves, not too many");
  const hashes = rowSizes(count).reduce((sum, size) => sum + size, 0);
  const tree = Buffer.allocUnsafeSlow(hashes * digestBytes);
  grown(shard, tree);
  return tree;
}

/** Three hashes at a time: a third of the other way, which takes 1.4 ms for 1 MiB. */
export function nativeGrow(): Grow | undefined {
  const addon = quickAddon();
  return addon === undefined ? undefined : (shard, tree) => addon.merkle(shard, tree);
}

/** One hash after another through node:crypto. */
export const plainGrow: Grow = (shard, tree) => {
  const sizes = rowSizes(shard.length / leafBytes);
  hashLeaves(shard, tree);
  let row = 0;
  for (const size of sizes.slice(0, -1)) {
    hashRow(tree, row, size);
    row += size;
  }
};

/**
 * The siblings of a leaf and of each node above it; copies. The index must be one of the tree's
 * (check what a peer asks for first); bytes that are no tree are Corrupt.
 */
export function merklePath(tree: Uint8Array, leafIndex: number): Buffer[] {
  const path: Buffer[] = [];
  let row = 0;
  let index = leafIndex;
  for (const size of rowSizes(leafCountOf(tree))) {
    assert(index >= 0 && index < size, "the leaf is one of the tree");
    if (hasSibling(index, size)) {
      const start = (row + (index ^ 1)) * digestBytes;
      path.push(Buffer.from(tree.subarray(start, start + digestBytes)));
    }
    row += size;
    index >>= 1;
  }
  return path;
}

/** The root that a leaf and its path lead to; a path of another shape is Corrupt. */
export function rootFromPath(
  leaf: Uint8Array,
  { index, count }: LeafPlace,
  path: readonly Uint8Array[],
): ShardId {
  const placed = Number.isInteger(count) && count <= leavesMax && Number.isInteger(index);
  if (!placed || index < 0 || index >= count) throw corrupt(`leaf ${index} of ${count}`);
  if (leaf.length !== leafBytes) throw corrupt(`a leaf of ${leaf.length} bytes`);
  leafScratch.set(leaf, 1);
  let hash = sha256(leafScratch);
  let used = 0;
  let place = index;
  for (const size of rowSizes(count)) {
    if (hasSibling(place, size)) {
      const sibling = path[used++];
      if (sibling?.length !== digestBytes) throw corrupt(`path entry ${used}`);
      hash = place % 2 === 0 ? nodeHash(hash, sibling) : nodeHash(sibling, hash);
    }
    place >>= 1;
  }
  if (used !== path.length) throw corrupt(`a path of ${path.length} entries`);
  return parseShardId(hash.toString("hex"));
}

/** Leaf hashes into the first row: one copy and one `crypto.hash` call for each. */
function hashLeaves(shard: Uint8Array, tree: Buffer): void {
  const bytes = asBuffer(shard);
  for (let leaf = 0; leaf * leafBytes < bytes.length; leaf++) {
    bytes.copy(leafScratch, 1, leaf * leafBytes, (leaf + 1) * leafBytes);
    sha256Into(leafScratch, tree, leaf * digestBytes);
  }
}

/** The row above the one of `size` hashes that starts at hash number `row`. */
function hashRow(tree: Buffer, row: number, size: number): void {
  for (let left = 0; left < size; left += 2) {
    const from = (row + left) * digestBytes;
    const to = (row + size + left / 2) * digestBytes;
    if (left + 1 < size) {
      tree.copy(nodeScratch, 1, from, from + 2 * digestBytes);
      sha256Into(nodeScratch, tree, to);
    } else {
      tree.copy(tree, to, from, from + digestBytes);
    }
  }
}

function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  nodeScratch.set(left, 1);
  nodeScratch.set(right, 1 + digestBytes);
  return sha256(nodeScratch);
}

/** From the leaves to the root: 257, 129, 65, 33, 17, 9, 5, 3, 2, 1. */
function rowSizes(count: number): number[] {
  const sizes = [count];
  for (let size = count; size > 1; ) {
    size = Math.ceil(size / 2);
    sizes.push(size);
  }
  return sizes;
}

function hasSibling(index: number, size: number): boolean {
  return (index ^ 1) < size;
}

/** How many leaves a tree of this many hashes has: at most one count makes it. */
function leafCountOf(tree: Uint8Array): number {
  const hashes = tree.length / digestBytes;
  for (let count = Math.ceil(hashes / 2); count >= 1; count--) {
    const sum = rowSizes(count).reduce((total, size) => total + size, 0);
    if (sum === hashes) return count;
    if (sum < hashes) break;
  }
  throw corrupt(`a tree of ${tree.length} bytes`);
}

function corrupt(what: string): HiveError {
  return new HiveError("Corrupt", "merkle.path", what);
}
