/**
 * What the members of a placement group say to each other while its owner is away, as typed values,
 * and the ports over which they say it. `crypt/records/guard-records.ts` signs and checks them;
 * what they are good for is told in guard/log.ts.
 */
import type { ActHost, ActNetwork } from "./acts.ts";
import type { BaseId, EntryId, GroupId, OwnerId, PeerId } from "./ids.ts";

/**
 * One entry of a group's log: a seat goes from a lost peer to another. The log begins where an
 * owner's manifest ends, and a newer manifest ends the log. Signed by the member that drew it up.
 */
export interface Replacement {
  readonly id: EntryId;
  readonly owner: OwnerId;
  readonly group: GroupId;
  /** Of the manifest, and its hash: an entry is for that one alone. */
  readonly epoch: number;
  readonly base: BaseId;
  readonly position: number;
  /** The entry before this one; of the first, the manifest. */
  readonly previous: EntryId | BaseId;
  readonly seat: number;
  readonly lost: PeerId;
  readonly peer: PeerId;
  readonly why: ReplacementReason;
  readonly by: PeerId;
  readonly atMs: number;
  readonly bytes: Uint8Array;
}

/** Leaving: it said so itself, and is there to be copied from. */
export const replacementReasons = ["dead", "leaving"] as const;
export type ReplacementReason = (typeof replacementReasons)[number];

/**
 * A member's word that at this position it will vote in no older term; and what it last voted for
 * there, if it ever did.
 */
export interface Pledge {
  readonly voter: PeerId;
  readonly base: BaseId;
  readonly position: number;
  readonly term: number;
  readonly voted: { readonly term: number; readonly entry: EntryId } | undefined;
  readonly bytes: Uint8Array;
}

/** A member's voice for an entry, which names its place in the log. One a term, whatever comes. */
export interface Vote {
  readonly voter: PeerId;
  readonly term: number;
  readonly entry: EntryId;
  readonly bytes: Uint8Array;
}

/** An entry that enough members voted for in one term. */
export interface Accepted {
  readonly entry: Replacement;
  readonly votes: readonly Vote[];
}

/**
 * word: what is known of a group. tell: the same, told unasked. pledge, vote: the two rounds by
 * which an entry is accepted. notice: the asker gives up seats, or takes that back.
 */
export const guardActs = ["word", "tell", "pledge", "vote", "notice"] as const;
export type GuardAct = (typeof guardActs)[number];
export type GuardHost = ActHost<"guard", GuardAct>;
export type GuardNetwork = ActNetwork<"guard", GuardAct>;
