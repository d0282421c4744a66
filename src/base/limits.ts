/**
 * Every limit in one place, each with its reason. A room reads its own section; nothing else in
 * the code is a bound.
 */
import { GiB, KiB, MiB } from "./bytes.ts";

export const limits = {
  tree: {
    /** 256 KiB: small enough that a random write rewrites little, large enough for one request. */
    chunkBytes: 256 * KiB,
    /** Files up to this size lie inside their directory's page: one fetch shows and reads them. */
    inlineBytesMax: 2 * KiB,
    /** A directory page: `ls -l` of most directories is one fetch. */
    pageBytesMax: 64 * KiB,
    /** Linux's own XATTR_SIZE_MAX. */
    xattrBytesMax: 64 * KiB,
    /** Linux's own PATH_MAX less its NUL. */
    symlinkBytesMax: 4095,
    /** Below 2^53 so that sizes are exact numbers; ext4 stops at 2^44. */
    fileBytesMax: 2 ** 52,
    linksMax: 65_000,
  },
  dag: {
    /** A chunk and its sealing; also the largest block any peer may send. */
    blockBytesMax: 256 * KiB + 256,
  },
  cache: {
    /** What a laptop does not miss; `hive cache --limit` changes it. */
    limitBytes: 4 * GiB,
    /** Of the limit: the rest stays for reads while uploads lag behind. */
    dirtyShareMax: 0.75,
    /** How long a write waits for room before ENOSPC. */
    fullWaitMs: 30_000,
  },
  segment: {
    /** The ladder of shard sizes: four sealed chunks and their CAR framing fill the last. */
    shardBytes: [64 * KiB, 260 * KiB, MiB + 4 * KiB],
    /** A Merkle leaf: one disk page, one small answer. */
    leafBytes: 4 * KiB,
  },
  erasure: {
    /** The elements of GF(2^8): each shard needs one of its own. */
    shardsMax: 256,
    /** Sets of survivors a coder remembers: of 20 shards 100 KiB, at the very worst 16 MiB. */
    inversesMax: 256,
  },
  peers: {
    /** A request's or answer's CBOR head: a segment record of 80 roots is 3 KiB. */
    headBytesMax: 64 * KiB,
    /** A request's or answer's payload: one full shard. */
    payloadBytesMax: MiB + 4 * KiB,
    /** Without news for this long, a call has failed. */
    callTimeoutMs: 15_000,
    dialTimeoutMs: 5_000,
  },
} as const;
