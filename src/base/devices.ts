/**
 * Which devices a drive has, and what they say to each other directly: how a new one is let in
 * (`crypt/devices/pairing.ts`), who was shut out (`crypt/drive/device-roll.ts`), and, while those
 * of one drive are connected, that there is a newer root, and blocks of it that peers may not have
 * yet. That is quicker than by way of the peers, and takes nothing from what must hold there: what
 * came so counts as kept by nobody else.
 */
import type { ActHost, ActNetwork } from "./acts.ts";
import type { Cid, OwnerId, PeerId } from "./ids.ts";

/**
 * The roll of a drive's devices, signed by its owner: the highest sequence counts. Devices that
 * have the drive's seed need no entry, until they are shut out.
 */
export interface DeviceRoll {
  readonly owner: OwnerId;
  readonly sequence: number;
  readonly signedAtMs: number;
  readonly added: readonly RolledDevice[];
  /** As many as there are, such is the drive's epoch. */
  readonly removed: readonly RemovedDevice[];
  readonly bytes: Uint8Array;
}

export interface RolledDevice {
  readonly peer: PeerId;
  readonly name: string;
  /** The secret of the epoch, for this device alone. */
  readonly sealed: Uint8Array;
}

export interface RemovedDevice {
  readonly peer: PeerId;
  readonly atMs: number;
}

/**
 * pair: between a device that shows a code and the one where the code is typed. roll: a newer roll,
 * to devices and holders; askRoll: give me yours, if it is another. Between devices of one drive,
 * root: my newest root record, sealed; block: give me the block of this CID.
 */
export const deviceActs = ["pair", "roll", "askRoll", "root", "block"] as const;
export type DeviceAct = (typeof deviceActs)[number];
export type DeviceHost = ActHost<"device", DeviceAct>;
export type DeviceNetwork = ActNetwork<"device", DeviceAct>;

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
export interface BlockLender {
  /** Those of these that no holder is known to have. */
  unplaced(cids: readonly Cid[]): Promise<readonly Cid[]>;
  /** From holders where it has a place with them, else from that device; checked by its CID. */
  borrow(cid: Cid, options: LoanOptions): Promise<Uint8Array>;
}

/** What a device gives along that tells of its root directly: its blocks, until peers have them. */
export interface Loan {
  readonly lender: BlockLender;
  readonly from: PeerId;
}

/** A device that was shut out. */
export interface RemovedView extends AddedView {
  /** It has the drive's words, or had: it can come back under another key. */
  readonly hadWords: boolean;
  /** How many holders know by now, of how many. */
  readonly told: number;
  readonly holders: number;
}

/** The epoch that the drive is in, for the tree. */
export interface EpochView {
  readonly epoch: number;
  /** What chunks are sealed with from now on; null in the first. */
  readonly treeSecret: Uint8Array | null;
  /** Nothing that is written any more is under secrets of an earlier one. */
  readonly isRenewed: boolean;
  /** When this very device was shut out. */
  readonly removedAtMs: number | null;
}

/** For the device that was shut out. */
export function removedText(atMs: number): string {
  return `this device was removed from its drive at ${new Date(atMs).toISOString()}`;
}
