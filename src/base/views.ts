/** What a person or a script is told of a node and a drive: plain data, ready for JSON. */
import type { Alert, PartView, RepairStatus } from "./safety.ts";
import type { BrakeStatus } from "./snapshots.ts";

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

/** What goes over the line now, and what is held back. */
export interface TrafficStatus {
  /** Null while uploads may go on. */
  readonly paused: {
    /** ISO 8601; null where nobody noted it. */
    readonly since: string | null;
    /** ISO 8601; null when no time ends it. */
    readonly until: string | null;
    /** What ends it, in words. */
    readonly waitsFor: string;
  } | null;
  readonly upload: LineStatus;
  readonly download: LineStatus;
  /** Whether peers on this machine and its local network count. */
  readonly limitLan: boolean;
  /** Whether the link is metered, as far as the system tells: yes, no or unknown. */
  readonly metered: string;
  /** Of our own protocol, small and large, near and far, since the daemon's start. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

export interface LineStatus {
  /** Bytes; null without a limit. */
  readonly perSecond: number | null;
  /** False: nothing goes that no program waits for. */
  readonly isOpen: boolean;
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
  readonly policy: PolicyStatus;
}

/** How the drive stands to the user's policies. */
export interface PolicyStatus {
  /** What is wrong with a file, and where: what was in force before it stays so. */
  readonly problem: string | null;
  /** Policies that data is being moved to: how many of its segments are left. */
  readonly moving: readonly {
    readonly policy: string; readonly left: number; readonly total: number;
  }[];
  /** Groups that lie against their policy, and cannot be moved: too few peers satisfy it. */
  readonly stuck: number;
  /** What `processing` lets this machine not do. */
  readonly notHere: readonly { readonly policy: string; readonly activities: readonly string[] }[];
}

/** The texts of the user's policies: of the whole drive's, undefined for the built-in one. */
export interface PolicyTexts {
  readonly drive: string | undefined;
  readonly named: Readonly<Record<string, string>>;
  /** What is wrong with one that could not be read. */
  readonly problem: string | null;
}

/** What of one policy's data is not with peers yet, and why. */
export interface PolicyQueue {
  /** Null for the drive's default, "?" for blocks of which nobody knows it. */
  readonly policy: string | null;
  readonly blocks: number;
  readonly bytes: number;
  readonly waitingFor: string | null;
}

/** What was written under one policy and is being sealed anew under another. */
export interface ResealStatus {
  readonly files: number;
  readonly bytes: number;
  readonly waitingFor: string | null;
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

/** The policy that a path goes by. */
export interface PathPolicy {
  /** Null for the drive's default. */
  readonly policy: string | null;
  /** The folder that says so, seen from the drive's root; null for a file of several names. */
  readonly folder: string | null;
  /** Its text; null for the one that is built in, or that is known nowhere. */
  readonly text: string | null;
}

export interface DriveStatus {
  readonly pid: number;
  readonly mount: string;
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
  readonly resealing: ResealStatus | null;
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

export interface PeerRow {
  readonly peer: string;
  readonly online: boolean;
  readonly roundTripMs: number | null;
  readonly household: string;
  /** Where it is, as far as that is known; null when it is not, or when it says what is not so. */
  readonly country: string | null;
  /** How well its country is known: claimed, geoip, rtt, confined or attested. */
  readonly evidence: string | null;
  /** What it says of itself. */
  readonly claimedCountry: string | null;
  /** Round trips make impossible what it says. */
  readonly isLying: boolean;
  readonly asn: number | null;
  readonly freeBytes: number;
  /** What its history says of it, and its proofs so far. */
  readonly state: string;
  /** Why it stands so, in words. */
  readonly why: string;
}

/** Who owes whom, from this node's own books. */
export interface LedgerView {
  /** GB kept for others that are asked of strangers for each GB of files; 0 asks nothing. */
  readonly ratio: number;
  /** Whom we owe most first. */
  readonly rows: readonly LedgerRow[];
}

export interface LedgerRow {
  readonly peer: string;
  readonly isFriend: boolean;
  /** What is kept now, on average of late, by proofs. */
  readonly keptForUsBytes: number;
  readonly keptForThemBytes: number;
  /** All that was ever proven, to the last audit for us, to the last signed entry for them. */
  readonly provenForUsKiBHours: number;
  readonly provenForThemKiBHours: number;
  readonly sentToUsBytes: number;
  readonly sentToThemBytes: number;
  /** What we keep for them less what they keep for us. */
  readonly balanceBytes: number;
  /** What they could have here by all the debts that we know. */
  readonly standingBytes: number;
  /** What they have here beyond that, and what they say that we have with them. */
  readonly theyOweBytes: number;
  readonly weOweBytes: number;
  /** What follows, in words. */
  readonly follows: string;
}

/** What others say that this node's drives owe them. */
export interface OwedStatus {
  readonly peers: number;
  readonly bytes: number;
}

/** What a policy's text makes of the peers that are known now, or of one of them. */
export interface PolicyQuestion {
  readonly text: string;
  readonly peer: string | null;
}

/** The user's word for where a peer is; null takes it back. */
export interface Vouch {
  readonly peer: string;
  readonly country: string | null;
}

export interface PolicyReport {
  readonly name: string;
  readonly hash: string;
  /** How many peers each clause in turn left over. */
  readonly clauses: readonly { readonly clause: string; readonly left: number }[];
  /** The classes that it allows, and whether there are peers enough for them. */
  readonly classes: readonly {
    readonly class: string;
    readonly needed: number;
    readonly isEnough: boolean;
    readonly bounds: readonly {
      readonly clause: string; readonly left: number; readonly needed: number;
    }[];
  }[];
  /** What a new group would be of; null when there are too few peers. */
  readonly class: string | null;
  readonly unsatisfiable: "refuse" | "queue";
  readonly peer: {
    readonly peer: string;
    /** The country, and how well that is known, as the judge sees it; null when it is not. */
    readonly place: { readonly country: string; readonly evidence: string } | null;
    readonly state: string;
    readonly why: string;
    readonly clauses: readonly {
      readonly clause: string; readonly answer: "yes" | "no" | "unknown";
    }[];
  } | null;
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

/** One device of a drive, as another one knows it. */
export interface DeviceRow {
  readonly peer: string;
  /** What it calls itself; null as long as nothing of it was merged. */
  readonly name: string | null;
  readonly isThis: boolean;
  readonly online: boolean;
  /** ISO 8601; null before the first. */
  readonly lastHeadAt: string | null;
  /** False while its last head waits to be merged. */
  readonly isMerged: boolean;
  readonly isForgotten: boolean;
  /** Nothing is given back on peers because of it. */
  readonly holdsBack: boolean;
}

/** How far a node is with giving up what it keeps for others. */
export interface LeaveView {
  readonly state: "staying" | "leaving" | "gone";
  /** ISO 8601; null while it stays. */
  readonly since: string | null;
  /** Still here. */
  readonly shards: number;
  readonly bytes: number;
  /** Here when it began; null while it stays. */
  readonly before: { readonly shards: number; readonly bytes: number } | null;
  /** By what went of late; null while nothing did. */
  readonly secondsLeft: number | null;
  /** What keeps shards here, in words. */
  readonly waiting: readonly string[];
}

/** What is wanted of it; `status` changes nothing. */
export type LeaveOrder = "begin" | "cancel" | "status";

/** An invite as the command line shows it. */
export interface InviteView {
  readonly invite: string;
  readonly expiresAt: string;
}
