/**
 * How groups, peers and this machine stand to the policies in force: by what is known of them now.
 * It draws, signs and moves nothing; placement judges, and the agent acts on it.
 */
import type { PeerId } from "../../base/ids.ts";
import type { KnownPeer, PeerNetwork } from "../../base/network.ts";
import type { Manifest } from "../../base/records.ts";
import { factsKnown } from "../../placement/judging/facts.ts";
import { mayProcessHere } from "../../placement/judging/own.ts";
import { hashOfPolicy } from "../../placement/language/policy-hash.ts";
import { type Activity, type Role, activityWords } from "../../placement/language/policy-words.ts";
import type { Policy } from "../../placement/language/policy.ts";
import { type Drift, driftOf, standingOf } from "../../placement/standing/drift.ts";
import type { Policies } from "./policies.ts";

export interface LawNeeds {
  readonly network: PeerNetwork;
  readonly policies: Policies;
  /** The newest manifest of every group. */
  readonly all: () => readonly Manifest[];
}

/** How a group stands to the policy that governs it now. */
export interface GroupDrift extends Drift {
  readonly manifest: Manifest;
  readonly policy: Policy;
  /** What the group was drawn for. */
  readonly name: string;
  /** Its manifest says that it is of this policy. */
  readonly isSigned: boolean;
}

/** What the machine that a drive is mounted on is to it. */
const ownerRoles: readonly Role[] = ["self", "owner-device"];

export class Law {
  readonly #needs: LawNeeds;

  constructor(needs: LawNeeds) {
    this.#needs = needs;
  }

  /** How each group stands to the policy that governs it now; not of one whose text was lost. */
  drifts(): readonly GroupDrift[] {
    const known = choiceOf(this.#needs.network.peers());
    return this.#needs.all().flatMap((manifest) => this.#driftOf(manifest, known) ?? []);
  }

  /** Those of which no member is barred, for certain, from what it has not got yet. */
  lawful(manifests: readonly Manifest[]): readonly Manifest[] {
    const known = choiceOf(this.#needs.network.peers());
    return manifests.filter((manifest) => {
      const drift = this.#driftOf(manifest, known);
      return drift === undefined || (drift.isOfClass && drift.broken.length === 0);
    });
  }

  isLawful(manifest: Manifest): boolean {
    return this.lawful([manifest]).length > 0;
  }

  /** Whether this machine may do this with what lies in the group. */
  mayHere(activity: Activity, manifest: Manifest): boolean {
    const policy = this.#needs.policies.governing(manifest);
    if (policy === undefined) return true;
    const { network } = this.#needs;
    const isHolder = manifest.peers.includes(network.self);
    const roles = [...ownerRoles, ...(isHolder ? ["holder"] as const : [])];
    return mayProcessHere(policy, activity, { offer: network.offer(), roles });
  }

  /** What the policies in force let this machine not do, by what people call them. */
  notHere(): readonly { readonly policy: string; readonly activities: readonly Activity[] }[] {
    const who = { offer: this.#needs.network.offer(), roles: ownerRoles };
    return this.#needs.policies.names().flatMap((name) => {
      const policy = this.#needs.policies.named(name);
      if (policy === undefined) return [];
      const activities = activityWords.filter((one) => !mayProcessHere(policy, one, who));
      const told = { policy: this.#needs.policies.labelOf(name), activities };
      return activities.length > 0 ? [told] : [];
    });
  }

  /** What people call the policy of this name. */
  labelOf(name: string): string {
    return this.#needs.policies.labelOf(name);
  }

  /** Those whose rules keep out, for certain, whoever is known. */
  unlawful(policy: Policy): ReadonlySet<PeerId> {
    const { offers, factsOf } = choiceOf(this.#needs.network.peers());
    const out = offers.filter((offer) => standingOf({ policy, factsOf }, offer) === "broken");
    return new Set(out.map(({ peer }) => peer));
  }

  #driftOf(manifest: Manifest, known: ReturnType<typeof choiceOf>): GroupDrift | undefined {
    const policy = this.#needs.policies.governing(manifest);
    if (policy === undefined) return undefined;
    const sitting = { ...known, policy, members: manifest.peers, class: manifest.class };
    return {
      manifest, policy, name: this.#needs.policies.nameOf(manifest.group),
      isSigned: hashOfPolicy(policy) === manifest.policyHash, ...driftOf(sitting),
    };
  }
}

/** These peers as placement is told of them. */
export function choiceOf(known: readonly KnownPeer[]) {
  return { offers: known.map(({ offer }) => offer), factsOf: factsKnown(known) };
}
