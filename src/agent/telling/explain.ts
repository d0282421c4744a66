/** What a policy makes of the peers that are known now, as the view that people are given. Pure. */
import type { PeerId } from "../../base/ids.ts";
import type { KnownPeer } from "../../base/network.ts";
import { type ErasureClass, type Manifest, erasureClasses } from "../../base/records.ts";
import type { PolicyQuestion, PolicyReport } from "../../base/views/policies.ts";
import { classNamed, largestFor } from "../../placement/draws/classes.ts";
import { drawGroup } from "../../placement/draws/group.ts";
import { type Choice, hopesOf } from "../../placement/judging/eligible.ts";
import { factsKnown } from "../../placement/judging/facts.ts";
import { hashOfPolicy } from "../../placement/language/policy-hash.ts";
import { parsePolicy } from "../../placement/language/policy-parse.ts";
import type { Policy } from "../../placement/language/policy.ts";
import { type Explanation, explain, explainPeer } from "../../placement/telling/explain.ts";
import { lackText } from "./waiting-words.ts";

export interface Surroundings {
  readonly known: readonly KnownPeer[];
  /** The drive's groups: whoever sits in one of this policy is chosen. */
  readonly groups: readonly Manifest[];
  readonly nowMs: number;
}

export function policyReportOf(
  { text, peer }: PolicyQuestion, { known, groups, nowMs }: Surroundings,
): PolicyReport {
  const { name, policy } = parsePolicy(text);
  const online = known.filter((one) => one.online);
  const offers = online.map(({ offer }) => offer);
  const choice: Choice = { policy, offers, nowMs, factsOf: factsKnown(online) };
  const told = explain(choice);
  const possible = possibleClass(policy, told);
  const [, ...clauses] = told.clauses;
  return {
    name,
    hash: hashOfPolicy(policy),
    clauses: [
      { clause: "a known peer", left: known.length },
      { clause: "online", left: online.length },
      ...clauses,
    ],
    classes: told.classes,
    class: possible?.name ?? null,
    hopeless: hopelessOf({ ...choice, offers: known.map(({ offer }) => offer) }, known),
    unsatisfiable: policy.unsatisfiable ?? "refuse",
    peer: peer === null ? null : {
      peer, place: placeOf(peer, choice), ...answerFor(peer as PeerId, choice, groups, possible),
    },
  };
}

/** What even all known peers together are too few for, in words; null where they may do. */
function hopelessOf(choice: Choice, known: readonly KnownPeer[]): string | null {
  const { policy } = choice;
  const best = explain({ ...choice, factsOf: factsKnown(known) }, hopesOf(policy));
  const [least] = best.classes;
  if (least === undefined) return "no class promises what it asks for";
  if (best.classes.some(({ isEnough }) => isEnough)) return null;
  const { needed, bounds } = least;
  const lacking = bounds.filter((bound) => bound.left < bound.needed);
  return lackText({ clauses: best.clauses, bounds: lacking, needed }, "known");
}

function placeOf(peer: string, { offers, factsOf }: Choice) {
  const offer = offers.find((one) => one.peer === peer);
  return (offer === undefined ? undefined : factsOf?.(offer).location) ?? null;
}

/** The class that a new group would be of. */
function possibleClass(policy: Policy, { classes }: Explanation): ErasureClass | undefined {
  const largest = classNamed(policy.class === "auto" ? largestFor(policy) : policy.class);
  const enough = classes.filter(({ isEnough, needed }) => isEnough && needed <= (largest?.n ?? 0));
  const best = enough.at(-1);
  return best === undefined ? undefined : classNamed(best.class);
}

/** Among the members of a group that there is, or of one drawn for the sake of the answer. */
function answerFor(
  peer: PeerId, choice: Choice, groups: readonly Manifest[], possible: ErasureClass | undefined,
) {
  const hash = hashOfPolicy(choice.policy);
  const group = groups.findLast(({ policyHash }) => policyHash === hash);
  const erasureClass = group?.class ?? possible ?? (erasureClasses[0] as ErasureClass);
  const drawn = drawGroup({ ...choice, class: erasureClass, seed: "explain", isWide: true });
  const example = drawn.state === "drawn" ? drawn.peers : [];
  return explainPeer(choice, { peer, members: group?.peers ?? example, class: erasureClass });
}
