/**
 * What a policy makes of a group that is there already: by the policy that is in force now, and by
 * what is known of its members now. Pure. A draw fails closed on what it does not know; a group
 * whose data already lies somewhere is moved at once only for what is certain, since what is
 * measured (a round trip) wavers, and is not known for a while after every start.
 */
import type { PeerId } from "../../base/ids.ts";
import type { ErasureClass, Offer } from "../../base/records.ts";
import { isOfPolicy } from "../draws/classes.ts";
import { type Bounds, type Codes, DomainNumbers, Tally, boundsOf, unknown }
  from "../draws/spread.ts";
import { type Choice, newestOfEach, seenBy } from "../judging/eligible.ts";
import { type Seen, allows, judge } from "../judging/judge.ts";
import type { Policy, Rule } from "../language/policy.ts";

/** Of one member: what the policy's rules say of it. Of the unheard no offer is known. */
export type Standing = "lawful" | "broken" | "doubtful" | "unheard";

export interface Drift {
  /** The group's class is one of the policy's: if not, no substitute helps. */
  readonly isOfClass: boolean;
  /** Members that must not stay. */
  readonly broken: readonly PeerId[];
  /** Members that the policy would not draw now, by what wavers or is not known. */
  readonly doubtful: readonly PeerId[];
  /** Members of whom nothing is known. */
  readonly unheard: readonly PeerId[];
}

export interface Sitting extends Pick<Choice, "offers" | "policy" | "factsOf"> {
  readonly members: readonly PeerId[];
  readonly class: ErasureClass;
}

export function driftOf(sitting: Sitting): Drift {
  const { members, policy } = sitting;
  const isMember = new Set(members);
  const told = newestOfEach(sitting.offers.filter(({ peer }) => isMember.has(peer)));
  const offers = new Map(told.map((offer) => [offer.peer, offer]));
  const standings = new Map(members.map((peer) => {
    return [peer, standingOf(sitting, offers.get(peer))];
  }));
  const rest = members.filter((peer) => {
    return standings.get(peer) === "lawful" || standings.get(peer) === "doubtful";
  });
  const seen = rest.map((peer) => seenBy(sitting, offers.get(peer) as Offer));
  for (const [at, verdict] of spreadOver(seen, boundsOf(policy, sitting.class)).entries()) {
    if (verdict !== "lawful") standings.set(rest[at] as PeerId, verdict);
  }
  const those = (wanted: Standing) => members.filter((peer) => standings.get(peer) === wanted);
  return {
    isOfClass: isOfPolicy(sitting.class, policy),
    broken: those("broken"), doubtful: those("doubtful"), unheard: those("unheard"),
  };
}

/** By the rules alone, which ask of one peer at a time. */
export function standingOf(
  choice: Pick<Choice, "policy" | "factsOf">, offer: Offer | undefined,
): Standing {
  if (offer === undefined) return "unheard";
  const seen = seenBy(choice, offer);
  const refusing = choice.policy.rules.filter((rule) => !allows(rule, seen));
  if (refusing.length === 0) return "lawful";
  return refusing.some((rule) => isCertain(rule, seen)) ? "broken" : "doubtful";
}

/** Whether anything known of the peer breaks a rule, whatever else may come to be known. */
export function breaks(policy: Policy, seen: Seen): boolean {
  return policy.rules.some((rule) => isCertain(rule, seen));
}

/** A clear answer against the peer, and not by its round trip. */
function isCertain({ verb, condition }: Rule, { facts, ...how }: Seen): boolean {
  const steady = { ...how, facts: { ...facts, roundTripMs: undefined } };
  return judge(condition, steady) === (verb === "require" ? "no" : "yes");
}

/** Seat by seat: who is one too many in a domain, and who makes room for one that lacks. */
function spreadOver(seen: readonly Seen[], bounds: Bounds): readonly Standing[] {
  const numbers = new DomainNumbers();
  const codes = seen.map(({ facts, evidence }): Codes => {
    return { codes: numbers.codesOf(facts, evidence), offset: 0 };
  });
  const tally = new Tally(bounds);
  const verdicts = codes.map((who): Standing => {
    const full = tally.fullFor(who);
    // Those of whom a domain is not known share one, and may be in different ones.
    const isCertainlyFull = full.some((at) => who.codes[at] !== unknown);
    if (full.length > 0) return isCertainlyFull ? "broken" : "doubtful";
    tally.count(who);
    return "lawful";
  });
  for (const [seat, verdict] of surplus(codes, verdicts, bounds)) verdicts[seat] = verdict;
  return verdicts;
}

/** Those whose domain has others, from the last seat on: as many as there are domains lacking. */
function surplus(
  codes: readonly Codes[], verdicts: readonly Standing[], bounds: Bounds,
): ReadonlyMap<number, Standing> {
  const chosen = new Map<number, Standing>();
  for (const { at, count } of bounds.floors) {
    const staying = codes.flatMap((who, seat) => {
      const isStaying = verdicts[seat] === "lawful" && !chosen.has(seat);
      return isStaying ? [{ seat, code: who.codes[at] }] : [];
    });
    const members = new Map<number | undefined, number>();
    for (const { code } of staying) members.set(code, (members.get(code) ?? 0) + 1);
    let lacking = count - [...members.keys()].filter((code) => code !== unknown).length;
    for (const { seat, code } of staying.reverse()) {
      const others = (members.get(code) ?? 0) - 1;
      if (lacking <= 0) break;
      if (others === 0 && code !== unknown) continue;
      members.set(code, others);
      chosen.set(seat, code === unknown ? "doubtful" : "broken");
      lacking--;
    }
  }
  return chosen;
}
