/**
 * What a person or a script is told of other machines, and
 * asks of them: plain data, ready for JSON.
 */

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

/** The user's word for where a peer is; null takes it back. */
export interface Vouch {
  readonly peer: string;
  readonly country: string | null;
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
  /** It has the drive's words, or was added by a code; or it was shut out. */
  readonly standing: "words" | "added" | "removed";
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
