/**
 * What the dashboard shows, as types of its own: the room knows neither the front door nor peers.
 * DriveStatus and PeerRow of hive.ts have at least these fields; the compiler compares them in the
 * room's test.
 */

/** How safe the drive is now, and what it is doing. */
export interface StatusView {
  readonly mount: string;
  readonly driver: string;
  readonly state: "serving" | "uploading" | "repairing";
  /** Null while the data is on this machine only. */
  readonly class: string | null;
  readonly segments: {
    readonly total: number;
    readonly healthy: number;
    readonly degraded: number;
    readonly lost: number;
  };
  /** How many more holders the worst segment can lose; null before the first upload. */
  readonly survives: number | null;
  readonly lastProvenAt: string | null;
  readonly dirtyBytes: number;
  readonly cacheBytes: number;
  readonly cacheLimitBytes: number;
  readonly files: number;
  readonly peers: {
    readonly known: number;
    readonly online: number;
    readonly households: number;
    readonly householdsNeeded: number;
  };
  readonly requests: Readonly<Record<string, number>>;
}

/** One known peer. Household, country and free space are the peer's own claims. */
export interface PeerView {
  readonly peer: string;
  readonly online: boolean;
  readonly roundTripMs: number | null;
  readonly household: string;
  readonly country: string | null;
  readonly freeBytes: number;
  readonly state: string;
}

/** One answer to the page: all that it draws at once. */
export interface DashboardView {
  readonly status: StatusView;
  /** The class's code; null while there is no class. */
  readonly code: { readonly k: number; readonly n: number; readonly r: number } | null;
  readonly peers: readonly PeerView[];
  /** Peers beyond those listed. */
  readonly peersLeftOut: number;
}
