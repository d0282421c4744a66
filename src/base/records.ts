/**
 * The signed records that peers exchange, as typed values. `crypt/records/records.ts` encodes,
 * signs, parses and verifies them (DAG-CBOR, Ed25519); whoever holds one of these types holds a
 * record whose signature and limits were checked. `bytes` is the record as it was signed, to pass
 * on; `by` is the device that signed it in its owner's stead, where it has not the owner's key.
 */
import type { Cid, GroupId, OwnerId, PeerId, SegmentId, ShardId } from "./ids.ts";

/** k data shards, n in all, repair when fewer than r live; `name` is the class. */
export interface ErasureClass {
  readonly name: string;
  readonly k: number;
  readonly n: number;
  readonly r: number;
}

/** From the least to the most households needed (n each). Figures in hive(7). */
export const erasureClasses: readonly ErasureClass[] = [
  { name: "mirror", k: 1, n: 3, r: 2 },
  { name: "tiny", k: 2, n: 6, r: 4 },
  { name: "small", k: 4, n: 12, r: 8 },
  { name: "home", k: 8, n: 24, r: 14 },
  { name: "standard", k: 16, n: 40, r: 26 },
  { name: "wide", k: 20, n: 60, r: 32 },
  { name: "vault", k: 20, n: 80, r: 40 },
];

/** What a peer says of itself, signed by its own peer key. */
export interface Offer {
  readonly peer: PeerId;
  readonly atMs: number;
  /** Who runs it: peers of one household fail together. An opaque text, a claim. */
  readonly household: string;
  /** ISO 3166 alpha-2, a claim; undefined when not told. */
  readonly country: string | undefined;
  /** Of its Hive, a claim; peers of one version fail together. Older ones tell none. */
  readonly version?: string;
  readonly addresses: readonly string[];
  readonly quotaBytes: number;
  readonly freeBytes: number;
  readonly bytes: Uint8Array;
}

/** Which peer keys act for a drive, signed by the drive's key. */
export interface DeviceCertificate {
  readonly owner: OwnerId;
  readonly peer: PeerId;
  readonly name: string;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  readonly bytes: Uint8Array;
}

/** A placement group: `peers[i]` is the i-th member. Signed by the owner; highest epoch wins. */
export interface Manifest {
  readonly owner: OwnerId;
  readonly group: GroupId;
  readonly epoch: number;
  readonly class: ErasureClass;
  /** SHA-256, in hex, of the policy's canonical form. */
  readonly policyHash: string;
  readonly peers: readonly PeerId[];
  readonly bytes: Uint8Array;
  readonly by?: PeerId;
}

/** One segment: what each of its shards must hash to. Signed by the owner, kept with each shard. */
export interface SegmentRecord {
  readonly segment: SegmentId;
  readonly owner: OwnerId;
  readonly group: GroupId;
  readonly k: number;
  readonly n: number;
  readonly shardBytes: number;
  /** Shard i lies with group member (i + rotation) mod n. */
  readonly rotation: number;
  /** Merkle roots of the n shards. */
  readonly roots: readonly ShardId[];
  readonly createdAtMs: number;
  readonly bytes: Uint8Array;
  readonly by?: PeerId;
}

/** A signed pointer to the newest root. `sealed` opens with the drive's head key only. */
export interface Head {
  readonly owner: OwnerId;
  readonly peer: PeerId;
  readonly sequence: number;
  readonly publishedAtMs: number;
  readonly sealed: Uint8Array;
  readonly bytes: Uint8Array;
  readonly by?: PeerId;
}

/** The owner's word that holders may forget a segment, or that one of them may forget one shard. */
export interface Release {
  readonly owner: OwnerId;
  readonly segment: SegmentId;
  readonly releasedAtMs: number;
  /** Absent for all of the segment, with every holder. */
  readonly only?: ReleasedShard;
  readonly bytes: Uint8Array;
  readonly by?: PeerId;
}

/**
 * One shard, with one holder, who may forget it once it knows of a manifest of this epoch or later
 * that gives the seat to another: said again when the seat is its own anew, it means nothing.
 */
export interface ReleasedShard {
  readonly holder: PeerId;
  readonly index: number;
  readonly epoch: number;
}

/** A holder's signed word that it has nothing any more of what was released. */
export interface Deletion {
  readonly holder: PeerId;
  readonly owner: OwnerId;
  readonly segment: SegmentId;
  /** Of the release that it answers. */
  readonly releasedAtMs: number;
  readonly atMs: number;
  /** Absent for all of the segment. */
  readonly index?: number;
  readonly bytes: Uint8Array;
}

/** A holder's signed word that it keeps a shard. */
export interface Receipt {
  readonly holder: PeerId;
  readonly owner: OwnerId;
  readonly segment: SegmentId;
  readonly index: number;
  readonly shard: ShardId;
  readonly atMs: number;
  readonly bytes: Uint8Array;
}

/** A verifier's signed word of how long a round trip to a peer took, and of where itself is. */
export interface RangeStatement {
  readonly verifier: PeerId;
  readonly target: PeerId;
  readonly atMs: number;
  /** The shortest of several; whoever answers can add to it, and never take any away. */
  readonly tripUs: number;
  /** ISO 3166 alpha-2, the verifier's own claim; undefined when not told. */
  readonly country: string | undefined;
  readonly bytes: Uint8Array;
}

/** Where a block lies inside a segment's data shards laid end to end. */
export interface PlaceInSegment {
  readonly cid: Cid;
  readonly segment: SegmentId;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}
