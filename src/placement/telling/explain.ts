/**
 * Why a policy has the peers that it has: clause by clause how many of the known ones are left, for
 * which classes that is enough, and for one peer why it is chosen or not. Pure, for people.
 */
import type { PeerId } from "../../base/ids.ts";
import { type ErasureClass, type Offer, erasureClasses } from "../../base/records.ts";
import { isOfPolicy } from "../draws/classes.ts";
import { type Bounds, type Codes, DomainNumbers, Tally, boundsOf } from "../draws/spread.ts";
import { needsOf, roomsOf } from "../draws/spread.ts";
import { type Choice, type ClauseCount, type Filter, eligible, filtersOf }
  from "../judging/eligible.ts";
import { newestOfEach, seenBy } from "../judging/eligible.ts";
import { type Seen, allows, judge } from "../judging/judge.ts";
import { clauseOf } from "../language/policy-text.ts";

export interface Explanation {
  /** After each clause in turn. */
  readonly clauses: readonly ClauseCount[];
  readonly classes: readonly ClassRoom[];
}

/** Whether those left are enough for a class that the policy allows. */
export interface ClassRoom {
  readonly class: string;
  readonly needed: number;
  /** Seats that each bound of the spread would fill, or domains that it would find. */
  readonly bounds: readonly (ClauseCount & { readonly needed: number })[];
  /** Every bound is met; several together may still be too many. */
  readonly isEnough: boolean;
}

export function explain(choice: Choice, filters?: readonly Filter[]): Explanation {
  const { left, clauses } = eligible(choice, filters);
  const numbers = new DomainNumbers();
  const peers = left.map(({ facts, evidence }): Codes => {
    return { codes: numbers.codesOf(facts, evidence), offset: 0 };
  });
  const allowed = erasureClasses.filter((one) => isOfPolicy(one, choice.policy));
  const classes = allowed.map((one) => roomOf(one, boundsOf(choice.policy, one), peers));
  return { clauses, classes };
}

function roomOf({ name, n }: ErasureClass, bounds: Bounds, peers: readonly Codes[]): ClassRoom {
  const needs = needsOf(bounds, n);
  const told = roomsOf(bounds, peers).map((left, at) => {
    return { clause: bounds.clauses[at] as string, left, needed: needs[at] as number };
  });
  const isEnough = peers.length >= n && told.every(({ left, needed }) => left >= needed);
  return { class: name, needed: n, bounds: told, isEnough };
}

/** Of one peer: which clauses it satisfies, and what it comes to. */
export interface PeerExplanation {
  readonly clauses: readonly { readonly clause: string; readonly answer: Answer }[];
  readonly state: "unknown" | "refused" | "full" | "not drawn" | "chosen";
  /** In words. */
  readonly why: string;
}

type Answer = "yes" | "no" | "unknown";

/** Why the peer is among these members, or why it is not. */
export function explainPeer(
  choice: Choice,
  { peer, members, class: erasureClass }: {
    readonly peer: PeerId; readonly members: readonly PeerId[]; readonly class: ErasureClass;
  },
): PeerExplanation {
  const offers = newestOfEach(choice.offers);
  const offer = offers.find((one) => one.peer === peer);
  if (offer === undefined) return { clauses: [], state: "unknown", why: "no offer of it is known" };
  const seen = seenBy(choice, offer);
  const clauses = answersOf(choice, seen);
  const refusing = clauses.find(({ answer }) => answer !== "yes");
  const made = (state: PeerExplanation["state"], why: string) => ({ clauses, state, why });
  if (refusing !== undefined) {
    const isUnknown = refusing.answer === "unknown";
    return made("refused", `${refusing.clause}: ${isUnknown ? "what it asks is not known" : "no"}`);
  }
  if (members.includes(peer)) return made("chosen", "every clause lets it in, and it was drawn");
  const full = fullBound(choice, { seen, offers, members, erasureClass });
  if (full !== undefined) return made("full", `${full}: there are so many already`);
  return made("not drawn", "every clause lets it in; others drew shorter straws");
}

/** Whether each clause lets the peer in; unknown where a rule does not know. */
function answersOf({ policy, nowMs }: Choice, seen: Seen): PeerExplanation["clauses"] {
  const unknown = new Set(policy.rules.filter((rule) => {
    return !allows(rule, seen) && judge(rule.condition, seen) === "unknown";
  }).map(clauseOf));
  return filtersOf(policy, nowMs).map(({ clause, test }) => {
    if (test(seen)) return { clause, answer: "yes" };
    return { clause, answer: unknown.has(clause) ? "unknown" : "no" };
  });
}

/** The first bound that has no room for one more such peer. */
function fullBound(
  choice: Choice, { seen, offers, members, erasureClass }: {
    readonly seen: Seen; readonly offers: readonly Offer[];
    readonly members: readonly PeerId[]; readonly erasureClass: ErasureClass;
  },
): string | undefined {
  const bounds = boundsOf(choice.policy, erasureClass);
  const numbers = new DomainNumbers();
  const codesOf = ({ facts, evidence }: Seen): Codes => {
    return { codes: numbers.codesOf(facts, evidence), offset: 0 };
  };
  const sitting = offers.filter(({ peer }) => members.includes(peer));
  const at = bounds.caps.findIndex((cap) => {
    const tally = new Tally({ ...bounds, caps: [cap], floors: [], counted: [cap.at] });
    for (const offer of sitting) tally.count(codesOf(seenBy(choice, offer)));
    return !tally.hasRoom(codesOf(seen));
  });
  return at < 0 ? undefined : bounds.clauses[at];
}
