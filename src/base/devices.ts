/**
/**
 * What devices say to each other directly: how a new one is let in (`crypt/pairing.ts`), and, while
 * those of one drive are connected, that there is a newer root, and blocks of it that peers may not
 * have yet. That is quicker than by way of the peers, and takes nothing from what must hold there:
 * what came so counts as kept by nobody else.
 */
import type { Cid, PeerId } from "./ids.ts";
import type { CallOptions, Requester } from "./network.ts";

/**
 * pair: between a device that shows a code and the one where the code is typed. Between devices of
 * one drive, root: my newest root record, sealed; block: give me the block of this CID.
 */
export const deviceActs = ["pair", "root", "block"] as const;
export type DeviceAct = (typeof deviceActs)[number];

/** Answers what other devices ask; refusals are HiveErrors, as a ShardHost's are. */
export interface DeviceHost {
  device(from: Requester, act: DeviceAct, payload: Uint8Array): Promise<Uint8Array>;
}

/** Asks others; the truth of an answer is the caller's to check. */
export interface DeviceNetwork {
  device(
    to: PeerId, act: DeviceAct, payload: Uint8Array, options?: CallOptions,
  ): Promise<Uint8Array>;
}

/** A device that was let in. */
export interface AddedView {
  readonly peer: PeerId;
  /** What it calls itself. */
  readonly name: string;
}

/** This device's newest root that has something of its own. */
export interface OwnNews {
  readonly root: Uint8Array;
  /** How much this device had made by then: what others are told grows. */
  readonly count: number;
}

export interface LoanOptions {
  readonly from: PeerId;
  /** It is to stay here, as dirty, until it has a place with peers; else it is only looked at. */
  readonly isKept: boolean;
}

/** Hands over blocks that another device made, wherever they are by now. */
export interface Lender {
  /** Those of these that no holder is known to have. */
  unplaced(cids: readonly Cid[]): Promise<readonly Cid[]>;
  /** From holders where it has a place with them, else from that device; checked by its CID. */
  borrow(cid: Cid, options: LoanOptions): Promise<Uint8Array>;
}
