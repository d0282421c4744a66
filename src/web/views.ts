/** What the dashboard's page draws: the answer that dashboard.ts gives and page.html reads. */
import type { DriveStatus } from "../base/views/drive.ts";
import type { PeerRow } from "../base/views/peers.ts";

/** One answer to the page: all that it draws at once. */
export interface DashboardView {
  readonly status: DriveStatus;
  /** The class's code; null while there is no class. */
  readonly code: { readonly k: number; readonly n: number; readonly r: number } | null;
  readonly peers: readonly PeerRow[];
  /** Peers beyond those listed. */
  readonly peersLeftOut: number;
}
