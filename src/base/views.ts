/** What a person or a script is told of a node and a drive: plain data, ready for JSON. */

export interface NodeStatus {
  readonly peer: string;
  readonly addresses: readonly string[];
  readonly vault: {
    readonly shards: number;
    readonly usedBytes: number;
    readonly quotaBytes: number;
  };
  readonly peers: { readonly known: number; readonly online: number };
  /** Undefined on a node without a drive. */
  readonly drive: SafetyStatus | undefined;
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
}

export interface DriveStatus {
  readonly pid: number;
  readonly mount: string;
  readonly driver: string;
  readonly state: "safe" | "uploading" | "degraded" | "local";
  readonly class: string | null;
  readonly segments: SafetyStatus["segments"];
  readonly survives: number | null;
  readonly away: SafetyStatus["away"];
  readonly waitingFor: string | null;
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
  /** Kernel requests served so far, by name. */
  readonly requests: Readonly<Record<string, number>>;
}

export interface PeerRow {
  readonly peer: string;
  readonly online: boolean;
  readonly roundTripMs: number | null;
  readonly household: string;
  readonly country: string | null;
  readonly freeBytes: number;
  /** What its history says of it, and its proofs so far. */
  readonly state: string;
}

export interface CacheReport {
  readonly limitBytes: number;
  readonly usedBytes: number;
  readonly dirtyBytes: number;
  readonly droppedBytes: number;
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
