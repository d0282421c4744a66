/**
 * Which offers a policy lets through, and how many each clause left: the first half of every draw.
 * Pure; spread.ts and the straws come after.
 */
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Offer } from "../../base/records.ts";
import { clauseOf } from "../language/policy-text.ts";
import type { Policy } from "../language/policy.ts";
import { type Facts, factsOf } from "./facts.ts";
import { type Seen, allows } from "./judge.ts";

/** How many peers were left after a clause. */
export interface ClauseCount {
  readonly clause: string;
  readonly left: number;
}

export interface Choice {
  readonly offers: readonly Offer[];
  readonly policy: Policy;
  readonly nowMs: number;
  /** What is known of a peer beyond its offer; the offer alone by default. */
  readonly factsOf?: (offer: Offer) => Facts;
}

/** One clause as a question about a peer. */
export interface Filter {
  readonly clause: string;
  readonly test: (seen: Seen) => boolean;
}

/** The offers that every clause lets through, and how many each clause left. */
export function eligible(
  choice: Choice, filters = filtersOf(choice.policy, choice.nowMs),
): { readonly left: readonly Seen[]; readonly clauses: readonly ClauseCount[] } {
  const { offers } = choice;
  let left = newestOfEach(offers).map((offer) => seenBy(choice, offer));
  const clauses = [{ clause: "any offer", left: left.length }];
  for (const { clause, test } of filters) {
    left = left.filter(test);
    clauses.push({ clause, left: left.length });
  }
  return { left, clauses };
}

/** In the order in which they are asked: what no policy can do without, then its rules. */
export function filtersOf(policy: Policy, nowMs: number): readonly Filter[] {
  const { offerAgeMsMax, freeBytesMin } = limits.placement;
  return [
    {
      clause: "a fresh offer",
      test: ({ facts: { offer } }) => nowMs - offer.atMs <= offerAgeMsMax,
    },
    { clause: "free space", test: ({ facts: { offer } }) => offer.freeBytes >= freeBytesMin },
    ...policy.rules.map((rule): Filter => ({
      clause: clauseOf(rule),
      test: (seen) => allows(rule, seen),
    })),
  ];
}

/**
 * The rules alone, as if everybody known were online, had room and, where its round trip is not
 * known, a good one: whom they bar is barred whatever one waits for.
 */
export function hopesOf({ rules }: Policy): readonly Filter[] {
  return rules.map((rule) => ({
    clause: clauseOf(rule),
    test: (seen) => tripsOf(seen).some((roundTripMs) => {
      return allows(rule, { ...seen, facts: { ...seen.facts, roundTripMs } });
    }),
  }));
}

/** Those that it may turn out to have: a rule may want a short one or a long one. */
function tripsOf({ facts: { roundTripMs } }: Seen): readonly number[] {
  return roundTripMs === undefined ? [0, Infinity] : [roundTripMs];
}

export function seenBy(choice: Pick<Choice, "policy" | "factsOf">, offer: Offer): Seen {
  const facts = (choice.factsOf ?? factsOf)(offer);
  return { facts, evidence: choice.policy.evidence ?? "claimed" };
}

/** One offer a peer, the newest, in an order that does not depend on who told us first. */
export function newestOfEach(offers: readonly Offer[]): readonly Offer[] {
  const newest = new Map<PeerId, Offer>();
  for (const offer of offers) {
    if (offer.atMs > (newest.get(offer.peer)?.atMs ?? -Infinity)) newest.set(offer.peer, offer);
  }
  return [...newest.values()].sort((left, right) => (left.peer < right.peer ? -1 : 1));
}
