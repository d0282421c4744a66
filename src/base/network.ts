/**
 * The ports between the network and those who use it. `peers` is a PeerNetwork and calls a
 * ShardHost when a request comes in; `vault` is the ShardHost; the simulator is both.
 *
 * Every request has a size limit and a deadline (limits.peers). A peer's refusal arrives as the
 * HiveError kind that it named (NotFound, Denied, Quota, Invalid, Busy); a peer that breaks the
 * protocol is Corrupt; one that cannot be reached or is late is Unavailable or TimedOut.
 */
import type { OwnerId, PeerId, SegmentId, ShardId } from "./ids.ts";
import type { ByteRange } from "./filesystem.ts";
import type { Head, Manifest, Offer, Receipt, SegmentRecord } from "./records.ts";
import type { Urgency } from "./traffic.ts";

/** Who asks a holder: a peer whose key the connection proved, and the drives it may act for. */
export interface Requester {
  readonly peer: PeerId;
  readonly owners: readonly OwnerId[];
  /** The /24 or /48 that it comes from; undefined on this very machine. */
  readonly prefix?: string | undefined;
  /** Its user and ours know each other, by an invite or by the settings. */
  readonly friend?: boolean;
}

export interface StoreRequest {
  /** SegmentRecord.bytes and the current Manifest.bytes of its group: the holder checks both. */
  readonly record: Uint8Array;
  readonly manifest: Uint8Array;
  readonly index: number;
  /** The canonical text of the manifest's policy, so that the holder can judge for itself. */
  readonly policy?: Uint8Array;
}

/** Ask for these leaves of a shard; the nonce is fresh and the answer must echo it. */
export interface Challenge {
  readonly shard: ShardId;
  readonly nonce: Uint8Array;
  readonly leaves: readonly number[];
  /** Of a race (proofs/race.ts): so many leaves, each known only by the one before. */
  readonly hops?: number;
}

/** What a holder keeps for one owner, told to that owner or to the group. */
export interface OwnerRecords {
  /** Of the heads of the owner's devices the one with the highest number, and the others. */
  readonly head: Uint8Array | undefined;
  readonly others?: readonly Uint8Array[];
  readonly manifests: readonly Uint8Array[];
}

export interface ShardHost {
  /**
   * Checks the record, the index, this peer's place in the group, the hash and the quota, and, when
   * the policy's text is there, that it lets this peer hold the shard. Having answered it holds the
   * shard's bytes no more: their room is used for the next one.
   */
  store(from: Requester, request: StoreRequest, shard: Uint8Array): Promise<Uint8Array>;
  read(from: Requester, shard: ShardId, range: ByteRange): Promise<Uint8Array>;
  /** The encoded answer to a challenge (see proofs). */
  prove(from: Requester, challenge: Challenge): Promise<Uint8Array>;
  /** Forgets a segment on its owner's signed Release, and answers a signed Deletion. */
  release(from: Requester, release: Uint8Array): Promise<Uint8Array>;
  /**
   * Keeps a head or manifest of an owner whose data is here, if newer than what it has; a head
   * older than that is Stale. With a manifest may come the text of its policy.
   */
  putRecord(
    from: Requester, kind: "head" | "manifest", record: Uint8Array, policy?: Uint8Array,
  ): Promise<void>;
  records(from: Requester, owner: OwnerId): Promise<OwnerRecords>;
  /** Segment records of an owner kept here, after the given one in id order, at most `limit`. */
  segments(
    from: Requester,
    owner: OwnerId,
    options: { readonly after: SegmentId | undefined; readonly limit: number },
  ): Promise<readonly Uint8Array[]>;
  /** How much this node gives and has left, for its offer. */
  space(): { readonly quotaBytes: number; readonly freeBytes: number };
}

/** What this node saw of a peer, or worked out from what it checked: `places` makes it. */
export interface Observed {
  /** The network that its address lies in, such as 192.0.2.0/24; undefined for a local one. */
  readonly prefix: string | undefined;
  readonly asn: number | undefined;
  /** Whoever shares its address shares its household, whatever either of them says. */
  readonly household: string;
  /** The country of its address, by the table of addresses. */
  readonly geoip: string | undefined;
  /** Of the countries that it claims or that its address has: those that round trips uphold, */
  readonly upheld: readonly string[];
  /** and those that they make impossible. */
  readonly refuted: readonly string[];
  /** Where the user says that it is. */
  readonly vouched: string | undefined;
}

export interface KnownPeer {
  readonly offer: Offer;
  readonly online: boolean;
  /** Smoothed round trip; undefined before the first answer. */
  readonly roundTripMs: number | undefined;
  readonly lastSeenMs: number;
  /** Its user and ours know each other; absent where nobody asks. */
  readonly friend?: boolean;
  /** Absent where nobody watches: then its own word is all there is. */
  readonly observed?: Observed;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface ReadOptions extends CallOptions {
  /** Who waits for it; a program of the owner when not told. */
  readonly urgency?: Urgency;
  /**
   * Called once, when it is sent, or the peer is dialled for it: whatever it waited for before, a
   * turn on this machine's line, was not the peer's time.
   */
  readonly begun?: () => void;
  /**
   * Room of just that length, in which the answer may lie. When the read fails, bytes may still
   * come for it: it must not be used for anything else.
   */
  readonly into?: Buffer;
}

export interface RecordOptions extends CallOptions {
  /** With a manifest: the canonical text of its policy. */
  readonly policy?: Uint8Array;
}

export interface PeerNetwork {
  readonly self: PeerId;
  /** What this node says of itself. */
  offer(): Offer;
  /** Peers whose signed offers were checked, this node not among them. */
  peers(): readonly KnownPeer[];
  /** Resolves to a checked receipt; the shard's room may then be used for another one. */
  store(
    to: PeerId,
    request: {
      record: SegmentRecord; manifest: Manifest; index: number; policy?: Uint8Array | undefined;
    },
    shard: Uint8Array,
    options?: CallOptions,
  ): Promise<Receipt>;
  /** Exactly the bytes asked for; their truth is the caller's to check. */
  read(to: PeerId, shard: ShardId, range: ByteRange, options?: ReadOptions): Promise<Uint8Array>;
  prove(to: PeerId, challenge: Challenge, options?: CallOptions): Promise<Uint8Array>;
  /** The holder's Deletion, which the caller checks; nothing from one that signs none. */
  release(to: PeerId, release: Uint8Array, options?: CallOptions): Promise<Uint8Array>;
  putRecord(
    to: PeerId,
    record: Head | Manifest,
    options?: RecordOptions,
  ): Promise<void>;
  /** Checked: signatures right and for this owner. */
  records(
    to: PeerId,
    owner: OwnerId,
    options?: CallOptions,
  ): Promise<{
    head: Head | undefined; others?: readonly Head[]; manifests: readonly Manifest[];
  }>;
  segments(
    to: PeerId,
    owner: OwnerId,
    after: SegmentId | undefined,
    options?: CallOptions,
  ): Promise<readonly SegmentRecord[]>;
  /** The DHT's part: tens of small records per owner, nothing per shard. */
  publish(record: Head | Manifest, options?: CallOptions): Promise<void>;
  resolveHead(owner: OwnerId, options?: CallOptions): Promise<Head | undefined>;
  resolveManifest(
    owner: OwnerId,
    group: string,
    options?: CallOptions,
  ): Promise<Manifest | undefined>;
}
