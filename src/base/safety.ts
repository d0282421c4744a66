/** What an owner is told of how safe the data is: by policy, what is repaired, what is amiss. */

/** How safe what goes by one policy is. */
export interface PartView {
  /** Null for the drive's default. */
  readonly policy: string | null;
  readonly class: string | null;
  readonly segments: number;
  /** With fewer shards than repair should leave, and so few that they cannot be read now. */
  readonly endangered: number;
  readonly lost: number;
  /** How many more holders the worst of its segments can lose. */
  readonly survives: number;
  /** ISO 8601; null when a segment of it was never proven. */
  readonly lastProvenAt: string | null;
  /** Countries, "?" where none is known, and how many holders are there; most first. */
  readonly places: readonly { readonly place: string; readonly holders: number }[];
  readonly households: number;
  /** What is not with the living member who should have it; some of it may wait. */
  readonly lacking: { readonly shards: number; readonly segments: number };
}

export interface RepairStatus {
  readonly shards: number;
  readonly segments: number;
  /** By what was repaired of late; null while nothing was. */
  readonly secondsLeft: number | null;
}

const alertKinds = [
  "removed", "lost", "endangered", "doubted", "refused", "unplaced", "unheld", "unlawful",
] as const;

/** hive(1) tells what each kind means. */
export interface Alert {
  readonly kind: (typeof alertKinds)[number];
  /** Null for the drive's default, or for all of it. */
  readonly policy: string | null;
  readonly text: string;
}
