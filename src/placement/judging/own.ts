/**
 * A node as it knows itself: where it is it need not prove to itself, and it is no way away. With
 * that, what a policy lets it hold and do. Pure.
 */
import type { Offer } from "../../base/records.ts";
import type { Activity, Role } from "../language/policy-words.ts";
import type { Policy } from "../language/policy.ts";
import { type Facts, factsOf } from "./facts.ts";
import { type Seen, mayProcess } from "./judge.ts";

/** Its round trip is from the drive's machine: it is known there, and to nobody else. */
export function ownFacts(offer: Offer): Facts {
  const { location } = factsOf(offer);
  const evidence = "attested";
  return {
    ...factsOf(offer),
    location: location === undefined ? undefined : { ...location, evidence },
  };
}

export function ownSeen(policy: Policy, offer: Offer): Seen {
  return { facts: ownFacts(offer), evidence: policy.evidence ?? "claimed" };
}

/** Whether this machine, being this to the drive, may do this with its data. */
export function mayProcessHere(
  policy: Policy, activity: Activity,
  who: { readonly offer: Offer; readonly roles: readonly Role[] },
): boolean {
  const { roles, offer } = who;
  const { facts, evidence } = ownSeen(policy, offer);
  const roundTripMs = roles.includes("self") ? 0 : undefined;
  return mayProcess(policy, activity, { facts: { ...facts, roundTripMs }, evidence, roles });
}
