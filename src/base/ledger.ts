/**
 * The ports of the ledger: `agent` and whoever watches transfers tell a ServiceTally what others
 * did for us, `vault` asks a Lender whether a stranger's data may come in, and `peers` carries the
 * messages by which two books agree. `ledger` is all three; the node introduces them.
 */
import type { OwnerId, PeerId, SegmentId } from "./ids.ts";
import type { CallOptions, KnownPeer, Requester } from "./network.ts";

/** How holders of one segment answered for their shards, just now. */
export interface Proved {
  readonly segment: SegmentId;
  readonly shardBytes: number;
  readonly answers: readonly {
    readonly peer: PeerId;
    readonly index: number;
    /** A late answer neither earns nor breaks what was earned; a wrong one or none breaks it. */
    readonly outcome: "right" | "wrong" | "late" | "offline";
  }[];
}

/** How a holder answered for leaves drawn from all that it keeps of our drive, just now. */
export interface SampleProved {
  readonly peer: PeerId;
  /** All that it was drawn from. */
  readonly keptBytes: number;
  readonly outcome: Proved["answers"][number]["outcome"];
}

export interface ServiceTally {
  proved(proved: Proved): Promise<void>;
  sampled(proved: SampleProved): Promise<void>;
  /** Bytes that a peer handed out to us. */
  sent(peer: PeerId, bytes: number): void;
}

/** What a vault keeps for one owner. */
export interface Lodger {
  readonly bytes: number;
  /** The part of the internet that it was brought from; undefined while nobody knows. */
  readonly prefix?: string | undefined;
  /** A friend's drive, or one of this very machine: nothing is asked for it. */
  readonly isWelcome: boolean;
}

export type Lodgers = ReadonlyMap<OwnerId, Lodger>;

export interface LoanRequest {
  readonly owner: OwnerId;
  readonly bytes: number;
  readonly prefix: string | undefined;
}

export interface Lender {
  /** A connection proved that this peer acts for these owners. */
  met(from: Requester): void;
  /** Whether so many more bytes of a stranger may be kept, beside what is kept already. */
  lends(asked: LoanRequest, lodgers: () => Lodgers): boolean;
}

export interface LedgerHost {
  /** One message of the asker's books for one of ours. */
  settle(from: Requester, message: Uint8Array): Promise<Uint8Array>;
}

export interface LedgerNetwork {
  readonly self: PeerId;
  peers(): readonly KnownPeer[];
  settle(to: PeerId, message: Uint8Array, options?: CallOptions): Promise<Uint8Array>;
}
