/**
 * The substitute that a lost member's seat goes to: placement's own draw, under the owner's policy,
 * by what is known without the owner's machine. Pure. Members know different offers of different
 * peers; so each voter names the best that it knows, and all draw from what was named.
 */
import type { Replacement } from "../base/guard.ts";
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { KnownPeer } from "../base/network.ts";
import type { Offer } from "../base/records.ts";
import { replaceMember } from "../placement/draws/group.ts";
import { newestOfEach } from "../placement/judging/eligible.ts";
import { type Facts, factsKnown } from "../placement/judging/facts.ts";
import type { Policy } from "../placement/language/policy.ts";
import { type Standing, seatsOf } from "./log.ts";

/** What one member draws from. */
export interface Pot {
  readonly standing: Standing;
  readonly policy: Policy;
  readonly nowMs: number;
  /** All that it has heard of, itself among them. */
  readonly known: readonly KnownPeer[];
  /** Named by voters. */
  readonly told: readonly Offer[];
  /** The owner's own machines: what lies there is with the owner already. */
  readonly owners: ReadonlySet<PeerId>;
}

/** Who takes the seat, if anybody may. */
export function substituteFor(pot: Pot, seat: number): PeerId | undefined {
  return draw(pot, seat, candidatesOf(pot, pot.told));
}

/** The offers of those that would be drawn first, of whom a voter knows that they are there. */
export function bestFor(pot: Pot, seat: number): readonly Offer[] {
  let left = candidatesOf(pot, pot.known.filter(({ online }) => online).map(({ offer }) => offer));
  const best: Offer[] = [];
  while (best.length < limits.guard.offersPerVoter) {
    const drawn = draw(pot, seat, left);
    const offer = left.find(({ peer }) => peer === drawn);
    if (offer === undefined) break;
    best.push(offer);
    left = left.filter(({ peer }) => peer !== drawn);
  }
  return best;
}

/**
 * Of what voters named as much as one of them can be told: whom each named first before whom it
 * named next. A leader draws from this and from nothing else, or voters would refuse whom it drew.
 */
export function offersToTell(named: readonly (readonly Offer[])[]): readonly Offer[] {
  const { offersPerVoter, offersMax } = limits.guard;
  const ranks = Array.from({ length: offersPerVoter }, (_, rank) => rank);
  const inOrder = ranks.flatMap((rank) => named.flatMap((own) => own.slice(rank, rank + 1)));
  const peers = new Set([...new Set(inOrder.map(({ peer }) => peer))].slice(0, offersMax));
  return newestOfEach(inOrder.filter(({ peer }) => peers.has(peer)));
}

/** By the draw, or, where nothing else may be chosen, by the policy alone. */
export function isRightful(
  pot: Pot, entry: Replacement, { isBound }: { readonly isBound: boolean },
): boolean {
  const { seat, peer } = entry;
  if (!isBound) return substituteFor(pot, seat) === peer;
  const offers = [...pot.told, ...pot.known.map(({ offer }) => offer)];
  const alone = candidatesOf(pot, offers).filter((offer) => offer.peer === peer);
  return draw(pot, seat, alone) === peer;
}

function candidatesOf({ standing, owners }: Pot, offers: readonly Offer[]): readonly Offer[] {
  const seats = new Set(seatsOf(standing));
  return newestOfEach(offers.filter(({ peer }) => !seats.has(peer) && !owners.has(peer)));
}

function draw(pot: Pot, seat: number, candidates: readonly Offer[]): PeerId | undefined {
  const { standing, policy, nowMs, known } = pot;
  const peers = seatsOf(standing);
  const members = known.map(({ offer }) => offer).filter(({ peer }) => peers.includes(peer));
  const drawn = replaceMember({
    manifest: { ...standing.manifest, peers }, lostIndex: seat, policy, nowMs,
    seed: `${standing.manifest.group}/${standing.manifest.epoch}/${standing.log.length}`,
    offers: [...members, ...candidates], factsOf: factsFromAfar(known),
  });
  return drawn.state === "drawn" ? drawn.peer : undefined;
}

/** A round trip in a policy is one from the drive's machine: nobody else knows it. */
function factsFromAfar(known: readonly KnownPeer[]): (offer: Offer) => Facts {
  const facts = factsKnown(known);
  return (offer) => ({ ...facts(offer), roundTripMs: undefined });
}
