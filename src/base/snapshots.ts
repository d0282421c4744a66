/** What a drive was: which moments are kept, and what a person or a script is told of them. */

/** The state at each full `everyMs`, in the time that began with 1970, of the last `forMs`. */
export interface KeepTier {
  readonly everyMs: number;
  readonly forMs: number;
}

/** What any tier keeps is kept. */
export type KeepRule = readonly KeepTier[];

/** Why a moment is kept; only what is kept by the rule goes by the rule. */
export const reasons = ["rule", "asked", "restore", "brake"] as const;
export type Reason = (typeof reasons)[number];

export interface Snapshot {
  /** By which it is found, as a folder too: the second from which on the drive was so. */
  readonly name: string;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly why: Reason;
  /** Of the whole drive. */
  readonly files: number;
  readonly bytes: number;
}

export interface Difference {
  readonly kind: "made" | "gone" | "changed";
  /** From the drive's root; a folder's that is new or gone ends with a slash. */
  readonly path: string;
}

export interface Comparison {
  readonly differences: readonly Difference[];
  /** There are more than are told. */
  readonly isCut: boolean;
}

export interface RestoreReport {
  /** Files that were not there, or were others. */
  readonly restored: number;
  readonly removed: number;
  readonly same: number;
  /** The snapshot of what there was before. */
  readonly before: string;
}

/** Paths are names from the drive's root. */
export interface DriveSnapshots {
  /** The oldest first; with a path, those that have something there. */
  list(path: readonly string[]): Promise<readonly Snapshot[]>;
  /** Keeps the drive as it is now until it is removed; answers its name. */
  create(): Promise<string>;
  remove(name: string): Promise<void>;
  /** To another moment, or to now. */
  compare(
    path: readonly string[], moments: { readonly from: string; readonly to?: string },
  ): Promise<Comparison>;
  /** `exact`: what lies there now and did not then goes. */
  restore(
    name: string, path: readonly string[],
    options: { readonly exact: boolean; readonly to?: readonly string[] },
  ): Promise<RestoreReport>;
  /** Which moments are kept from now on. */
  keep(rule: KeepRule): void;
}

/** When so many files are lost at once, deleted or written over, that somebody should be asked. */
export interface BrakeRule {
  /** Of the drive's files ... */
  readonly share: number;
  /** ... within such a while ... */
  readonly withinMs: number;
  /** ... and no fewer than this. */
  readonly filesMin: number;
}

export interface MassChange {
  readonly sinceMs: number;
  readonly deleted: number;
  readonly overwritten: number;
  /** What the drive had before. */
  readonly files: number;
}

/** What is held back, until somebody says what it is. */
export interface BrakeStatus {
  /** Null after a restart: that it was so is kept, and not how much. */
  readonly change: MassChange | null;
  /** The snapshot of the moment before; null while it is not known yet. */
  readonly before: string | null;
}

export interface DriveBrake {
  status(): BrakeStatus | null;
  /** It was meant: it goes up. */
  goOn(): Promise<void>;
  /** Puts everything back as it was before. */
  undo(): Promise<RestoreReport>;
}
