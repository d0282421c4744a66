/** What a person or a script is told of a node and a drive: plain data, ready for JSON. */
import type { Alert, PartView, RepairStatus } from "../safety.ts";
import type { BrakeStatus } from "../snapshots.ts";
import type { HeldBack } from "../stand-in.ts";
import type { OwedStatus } from "./peers.ts";
import type { PolicyQueue, PolicyStatus } from "./policies.ts";
import type { TrafficStatus } from "./traffic.ts";

export interface NodeStatus {
  readonly peer: string;
  readonly addresses: readonly string[];
  readonly vault: {
    readonly shards: number;
    readonly usedBytes: number;
    readonly quotaBytes: number;
    /** Less than the quota where the disk has no room for it; over it, shards go elsewhere. */
    readonly ceilingBytes: number;
  };
  readonly peers: { readonly known: number; readonly online: number };
  /** Undefined on a node without a drive. */
  readonly drive: SafetyStatus | undefined;
  /** What others say that we owe them; null when nobody does. */
  readonly owed: OwedStatus | null;
  readonly traffic: TrafficStatus;
}

/** How safe a drive's data is. */
export interface SafetyStatus {
  /** The erasure class in use; null while the data is on this machine only. */
  readonly class: string | null;
  readonly segments: {
    readonly total: number;
    readonly healthy: number;
    readonly degraded: number;
    readonly lost: number;
  };
  /** How many more holders the worst segment can lose; null before the first upload. */
  readonly survives: number | null;
  /** The same for each policy that anything is placed under. */
  readonly parts: readonly PartView[];
  /** What is being brought back to where it belongs; null when nothing is. */
  readonly repair: RepairStatus | null;
  /** What somebody has to see to, the worst first. */
  readonly alerts: readonly Alert[];
  /** Of the holders of this drive's shards, how many do not answer right now. */
  readonly away: { readonly holders: number; readonly of: number };
  /** ISO 8601: since when every segment has been proven; null when one never was. */
  readonly lastProvenAt: string | null;
  readonly households: number;
  readonly householdsNeeded: number;
  /** Blocks on their way to the peers. */
  readonly pendingBlocks: number;
  /** What keeps uploads from going on, in words; null when nothing does. */
  readonly waitingFor: string | null;
  /** What is pending, by policy, where folders go by several. */
  readonly queues: readonly PolicyQueue[];
  /** Where what peers have of the drive is not as new as the rest; null when nowhere. */
  readonly heldBack: HeldBack | null;
  readonly policy: PolicyStatus;
}

/** What was written under one policy and is being sealed anew under another. */
export interface ResealStatus {
  /** Folders that somebody was shut out of: these go before what policies move. */
  readonly owed: number;
  readonly files: number;
  readonly bytes: number;
  readonly waitingFor: string | null;
}

/** Parts of it were written here over what only peers have, and none of them has given yet. */
export interface LackingFile {
  /** As people write it, from the drive's root on. */
  readonly path: string;
  /** So much was written; it is safe here, and on this machine alone. */
  readonly bytes: number;
}

/** All such files: how many, and a few of them. */
export interface LackingFiles {
  readonly count: number;
  readonly bytes: number;
  readonly some: readonly LackingFile[];
}

/** How far what is pinned is on this machine. */
export interface PinStatus {
  readonly files: number;
  /** Of plain content. */
  readonly hereBytes: number;
  readonly missingBytes: number;
  /** What pins may take of the local store, and by how much they would be over that. */
  readonly pinnedBytesMax: number;
  readonly overBytes: number;
  /** Nothing of it is missing. */
  readonly isSettled: boolean;
  readonly waitingFor: "room" | "peers" | "policy" | null;
}

export interface PinRow {
  /** From the drive's root. */
  readonly path: string;
  /** False for what is left out of a folder that is kept. */
  readonly isKept: boolean;
  readonly files: number;
  readonly hereBytes: number;
  readonly missingBytes: number;
}

/** A folder outside the drive that is backed up into it, and how that goes. */
export interface WatchStatus {
  readonly directory: string;
  /** From the drive's root. */
  readonly into: string;
  /** What is deleted there is deleted in the drive, too. */
  readonly deletes: boolean;
  readonly state: "looking" | "watching" | "waiting" | "ended";
  /** Since the process that does it was started. */
  readonly looked: number;
  readonly copied: number;
  readonly copiedBytes: number;
  readonly removed: number;
  /** Sockets, pipes and devices. */
  readonly skipped: number;
  readonly failed: number;
  /** The last one, in words. */
  readonly problem: string | null;
  readonly waitingFor: string | null;
}

export interface DriveStatus {
  readonly pid: number;
  readonly mount: string;
  /** False once it was taken off while programs had files open there: it ends with the last. */
  readonly isMounted: boolean;
  readonly driver: string;
  readonly state: "safe" | "uploading" | "degraded" | "local";
  readonly class: string | null;
  readonly segments: SafetyStatus["segments"];
  readonly survives: number | null;
  readonly parts: SafetyStatus["parts"];
  readonly repair: SafetyStatus["repair"];
  readonly alerts: SafetyStatus["alerts"];
  readonly away: SafetyStatus["away"];
  readonly waitingFor: string | null;
  readonly queues: readonly PolicyQueue[];
  readonly heldBack: HeldBack | null;
  readonly resealing: ResealStatus | null;
  /** What was written and waits for peers to give what lies below it; null when nothing does. */
  readonly lackingFiles: LackingFiles | null;
  /** Null when nothing is pinned on this machine. */
  readonly pins: PinStatus | null;
  /** What is held back because too much was lost at once; null when nothing is. */
  readonly brake: BrakeStatus | null;
  readonly policy: PolicyStatus;
  readonly traffic: TrafficStatus;
  /** What is wrong with the local store, and what to do about it; null when all is well. */
  readonly trouble: string | null;
  readonly lastProvenAt: string | null;
  readonly dirtyBytes: number;
  readonly cacheBytes: number;
  readonly cacheLimitBytes: number;
  readonly peers: {
    readonly known: number;
    readonly online: number;
    readonly households: number;
    readonly householdsNeeded: number;
  };
  /** What others say that we owe them; null when nobody does. */
  readonly owed: OwedStatus | null;
  /** Kernel requests served so far, by name. */
  readonly requests: Readonly<Record<string, number>>;
}

export interface CacheReport {
  readonly limitBytes: number;
  readonly usedBytes: number;
  readonly dirtyBytes: number;
  /** What stays here though peers have it, and what may have to. */
  readonly pinnedBytes: number;
  readonly droppedBytes: number;
}

/** What peers need not keep any more. */
export interface ReclaimReport {
  /** Blocks that nothing refers to. */
  readonly blocks: number;
  /** Segments that held nothing else, and what their shards took at all holders. */
  readonly segments: number;
  readonly bytes: number;
  /** Folders of others that were left as they are, since their books were damaged. */
  readonly doubted?: number;
}

export interface VerifyReport {
  readonly blocks: number;
  readonly segments: number;
  readonly proofsRight: number;
  readonly proofsWrong: number;
  readonly late: number;
  readonly offline: number;
  /** Segments or blocks that too few holders can answer for. */
  readonly missing: number;
  readonly bad: readonly { readonly peer: string; readonly what: string }[];
}

/** Of a file or folder; of a block in several files, each counts. */
export interface PathVerifyReport extends VerifyReport {
  /** Blocks that no peer is known to have yet. */
  readonly onlyHere: number;
}
