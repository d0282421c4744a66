/**
 * What a person is told of people and shares: whom she knows, what she gives and to whom, what
 * others give her, and how far each has come. Made by `sharing/`, printed by `cli/`.
 */
import type { Ino, PeerId, PersonId } from "../ids.ts";

export interface ContactView {
  readonly name: string;
  readonly person: PersonId;
}

/** A named set of contacts, and what they are given. */
export interface GroupView {
  readonly name: string;
  readonly people: readonly string[];
  readonly folders: readonly string[];
}

/** A group that a folder is shared with, whoever is in it. */
export interface GivenGroupRow {
  readonly name: string;
  readonly people: number;
  readonly expiresAt: string | null;
  readonly writes: boolean;
}

/** Somebody who may read a folder, or write it too. */
export interface GivenRow {
  readonly name: string;
  /** The groups through which she does. */
  readonly through: readonly string[];
  /** She would without any. */
  readonly isDirect: boolean;
  readonly expiresAt: string | null;
  readonly writes: boolean;
  /** ISO 8601, of the newest of what she wrote that is in the folder; null before the first. */
  readonly wroteAt: string | null;
  /** Why what she wrote since is not, in words. */
  readonly trouble: string | null;
  /** On how many devices she may write. */
  readonly devices: number;
}

/** Somebody who may check and mend what holders keep of a folder, and not read it. */
export interface VerifierRow {
  readonly name: string;
  readonly expiresAt: string | null;
}

/** A folder of this drive that others may read. */
export interface GivenView {
  readonly path: string;
  readonly with: readonly GivenRow[];
  readonly verifiers: readonly VerifierRow[];
  readonly groups: readonly GivenGroupRow[];
  /** How many holders have the newest record, of how many. */
  readonly told: number;
  readonly holders: number;
  /** Why its newest state is not shown to them, in words. */
  readonly trouble: string | null;
}

/** What a holder said of the old copies that it was told to let go of. */
export interface HolderWord {
  readonly peer: PeerId;
  /** Segments that it was to let go of. */
  readonly asked: number;
  /** Of them those of which it signed that they are gone. */
  readonly confirmed: number;
}

/** What was begun when somebody was shut out of a folder of this drive. */
export interface WithdrawalView {
  readonly era: number;
  readonly path: string;
  readonly from: string;
  /** ISO 8601; and since when nothing is left to be sealed anew, if nothing is. */
  readonly since: string;
  readonly sealedAt: string | null;
  /**
   * sealing: what is there is sealed anew, on this machine. finding: until no head names what was
   * there. clearing: segments that have old copies are left. waiting: holders did not confirm yet.
   * held: they did, but snapshots from before still name some.
   */
  readonly phase: "sealing" | "finding" | "clearing" | "waiting" | "held" | "done";
  readonly segmentsLeft: number;
  /** Who had old copies. */
  readonly holders: readonly HolderWord[];
  /** Snapshots from before, which keep old copies as long as they stay. */
  readonly snapshots: number;
  /** The folder whose snapshots are to go, once all is sealed anew; null where they may stay. */
  readonly dropping: Ino | null;
  /** They are gone. */
  readonly isDropped: boolean;
  /** Why it does not go on just now. */
  readonly waitingFor: string | null;
}

/** A folder that somebody else lets us read. */
export interface TakenView {
  readonly name: string;
  readonly from: string;
  readonly writes: boolean;
  /** It came through a group, and goes with it. */
  readonly isThroughGroup: boolean;
  /** ISO 8601, of the state that is shown; null before the first. */
  readonly stateOf: string | null;
  /** Why it cannot be had just now, in words. */
  readonly trouble: string | null;
}

/** What was found of such a folder when it was last looked through. */
export interface TendedView {
  /** ISO 8601. */
  readonly at: string;
  readonly segments: number;
  /** Segments that too few holders could prove. */
  readonly missing: number;
  /** Shards that were made anew, or copied, and brought where they belong. */
  readonly brought: number;
  /** Shards, by what their holders answered; `offline` are those who gave none. */
  readonly right: number;
  readonly wrong: number;
  readonly absent: number;
  readonly late: number;
  readonly offline: number;
}

export interface WardView {
  readonly name: string;
  readonly from: string;
  /** Null before the first time. */
  readonly tended: TendedView | null;
  /** Why it cannot be looked after just now, in words. */
  readonly trouble: string | null;
}

/** Whatever the groups of somebody else's are given that this person is in. */
export interface InboxView {
  readonly from: string;
  readonly folders: number;
  /** Why no newer state of it can be had just now, in words. */
  readonly trouble: string | null;
}

export interface SharesView {
  /** Of a device that was let in by a code: it reads what others give, and knows no more. */
  readonly coded?: {
    /** ISO 8601; null while it waits for a device that has the drive's words. */
    readonly readsUntil: string | null;
  };
  /** Files and folders that got new secrets so far, while that is under way. */
  readonly renewing?: { readonly renewed: number } | null;
  readonly given: readonly GivenView[];
  readonly taken: readonly TakenView[];
  readonly inboxes: readonly InboxView[];
  readonly wards: readonly WardView[];
  /** The newest first. */
  readonly withdrawals: readonly WithdrawalView[];
}
