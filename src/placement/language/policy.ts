/**
 * The user's rules for where data may be kept and processed, as a value. Pure, and nothing but
 * types: policy-parse.ts makes one from text, policy-text.ts writes it and has its hash, judge.ts
 * says what it makes of a peer, spread.ts of a group. hive-policy(5) explains each clause.
 */
import type { Activity, Answer, Domain, EvidenceLevel, Role } from "./policy-words.ts";

export interface Policy {
  /** A class's name, or "auto" for what the number of households allows. */
  readonly class: string;
  /** The least a class must promise; see classes.ts. */
  readonly durabilityNines?: number;
  readonly availabilityNines?: number;
  readonly rules: readonly Rule[];
  /** Locations known less well than this are unknown; "claimed" when absent. */
  readonly evidence?: EvidenceLevel;
  readonly spread: readonly Spread[];
  readonly preferences?: readonly Preference[];
  readonly processing?: readonly Processing[];
  /** "refuse" when absent. */
  readonly unsatisfiable?: Answer;
}

/** What must hold of every holder, or must not. */
export interface Rule {
  readonly verb: "require" | "forbid";
  readonly condition: Condition;
}

/** Facts that are one of several names. */
export type NamedFact =
  | "country" | "region" | "continent" | "asn" | "household" | "operator" | "peer" | "version";

export type Condition =
  | { readonly fact: NamedFact; readonly among: readonly string[] }
  | { readonly fact: "role"; readonly among: readonly Role[] }
  | { readonly fact: "version"; readonly atLeast: string }
  | { readonly fact: "evidence"; readonly atLeast: EvidenceLevel }
  | { readonly fact: "rtt"; readonly atMostMs: number }
  | { readonly all: readonly Condition[] }
  | { readonly any: readonly Condition[] }
  | { readonly not: Condition };

/** How a group's members must be spread over domains. */
export type Spread =
  | { readonly domain: Domain; readonly max: number }
  | { readonly domain: Domain; readonly maxPercent: number }
  | { readonly domain: Domain; readonly atLeast: number };

/** Whoever satisfies the condition weighs so many times as much in the draw. */
export interface Preference {
  readonly condition: Condition;
  readonly weight: number;
}

/** Who may do this with the data; nobody else may. */
export interface Processing {
  readonly activity: Activity;
  readonly by: Condition;
}

/** Anywhere, in the largest class there is room for, one shard per household. */
export const defaultPolicy: Policy = {
  class: "auto",
  rules: [],
  spread: [{ domain: "household", max: 1 }],
};
