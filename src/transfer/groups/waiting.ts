/** What keeps the uploader from going on, for whoever tells people. */
import type { ClauseCount } from "../../placement/judging/eligible.ts";
import type { Activity } from "../../placement/language/policy-words.ts";

/** The policy lets this machine not do it. */
export interface PolicyWaiting {
  readonly for: "policy";
  readonly why: string;
}

export type Waiting =
  | { readonly for: "nothing" }
  | ({ readonly for: "peers" } & TooFew)
  | { readonly for: "members"; readonly why: string }
  | PolicyWaiting
  /** Held back by the user, the link or the hour. */
  | { readonly for: "traffic"; readonly why: string }
  /** So many blocks of the newest root are spoilt on this disk: all else is with the peers. */
  | { readonly for: "disk"; readonly spoiltBlocks: number };

/** Why nothing can be placed: households that the smallest class needs, and those we have. */
export interface TooFew {
  readonly needed: number;
  readonly have: number;
  /** How many of the peers that are online each clause of the policy left. */
  readonly clauses: readonly ClauseCount[];
  /** What the class would need of each bound of the spread that lacks, and what there is. */
  readonly bounds: readonly (ClauseCount & { readonly needed: number })[];
}

export const tooFewTook = { for: "members", why: "too few members took their shards" } as const;

/** What the policy's `processing` lets another machine do, or nobody. */
export function notHere(activity: Activity): PolicyWaiting {
  return { for: "policy", why: `a machine that the policy lets ${activity}` };
}
