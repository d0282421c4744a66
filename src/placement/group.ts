/**
 * Who shall hold a drive's shards: draws a group's n members from signed offers, and a substitute
 * for one that is lost. Pure and deterministic: placer, guardians and auditors who know the same
 * offers draw the same peers. It never relaxes a rule: it says which clause left too few.
 */
import { HiveError, assert } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { ErasureClass, Manifest, Offer } from "../base/records.ts";
import { domainCapOf } from "./classes.ts";
import { type Domain, type Policy, type Spread } from "./policy.ts";
import { allows, clauseOf, domainOf, hashOfPolicy } from "./policy.ts";
import { drawOne } from "./straw.ts";

export type Draw<Found> = Found | Impossible;

/** Too few peers: how many are needed, and how many each clause in turn left over. */
export interface Impossible {
  readonly state: "impossible";
  readonly needed: number;
  readonly clauses: readonly { readonly clause: string; readonly left: number }[];
}

export interface GroupWish {
  readonly class: ErasureClass;
  readonly offers: readonly Offer[];
  readonly policy: Policy;
  /** Another seed, another group; the group's id serves well. */
  readonly seed: string;
  readonly nowMs: number;
}

export interface SubstituteWish {
  readonly manifest: Manifest;
  readonly lostIndex: number;
  /** Those who may come, and those of the members, so that their households are known. */
  readonly offers: readonly Offer[];
  readonly policy: Policy;
  readonly seed: string;
  readonly nowMs: number;
}

/** The peers for a new group, `peers[i]` for seat i. */
export function drawGroup(
  wish: GroupWish,
): Draw<{ readonly state: "drawn"; readonly peers: readonly PeerId[] }> {
  const { left, clauses } = eligible(wish);
  const caps = new Caps(wish.policy, wish.class);
  const peers: PeerId[] = [];
  const waiting = new Map(left.map((offer) => [offer.peer, offer]));
  for (let seat = 0; seat < wish.class.n; seat++) {
    const drawn = drawOne(wish.seed, seat, waiting.values());
    if (drawn === undefined) break;
    caps.count(drawn);
    peers.push(drawn.peer);
    waiting.delete(drawn.peer);
    for (const offer of waiting.values()) if (!caps.hasRoom(offer)) waiting.delete(offer.peer);
  }
  assert(new Set(peers).size === peers.length, "a peer sits twice");
  if (peers.length === wish.class.n) return { state: "drawn", peers };
  const spread = { clause: caps.clause, left: peers.length };
  return { state: "impossible", needed: wish.class.n, clauses: [...clauses, spread] };
}

/** The peer that takes over one seat; all others stay where they are. */
export function replaceMember(
  wish: SubstituteWish,
): Draw<{ readonly state: "drawn"; readonly peer: PeerId }> {
  const { manifest, lostIndex, policy } = wish;
  assert(lostIndex >= 0 && lostIndex < manifest.peers.length, `seat ${lostIndex}`);
  if (hashOfPolicy(policy) !== manifest.policyHash) {
    throw new HiveError("Invalid", "placement.replace", "this is not the manifest's policy");
  }
  const { left, clauses } = eligible(wish);
  const caps = new Caps(policy, manifest.class);
  const known = new Map(wish.offers.map((offer) => [offer.peer, offer]));
  const staying = manifest.peers.filter((_, index) => index !== lostIndex);
  for (const peer of staying) caps.count(known.get(peer));
  const newcomers = left.filter(({ peer }) => !manifest.peers.includes(peer));
  const fitting = newcomers.filter((offer) => caps.hasRoom(offer));
  const drawn = drawOne(wish.seed, lostIndex, fitting);
  if (drawn !== undefined) return { state: "drawn", peer: drawn.peer };
  return {
    state: "impossible",
    needed: 1,
    clauses: [
      ...clauses,
      { clause: "not a member yet", left: newcomers.length },
      { clause: caps.clause, left: fitting.length },
    ],
  };
}

/** The offers that every clause lets through, and how many each clause left. */
function eligible({ offers, policy, nowMs }: {
  readonly offers: readonly Offer[]; readonly policy: Policy; readonly nowMs: number;
}): { left: readonly Offer[]; clauses: Impossible["clauses"] } {
  const { offerAgeMsMax, freeBytesMin } = limits.placement;
  const filters = [
    { clause: "a fresh offer", test: (offer: Offer) => nowMs - offer.atMs <= offerAgeMsMax },
    { clause: "free space", test: (offer: Offer) => offer.freeBytes >= freeBytesMin },
    ...policy.rules.map((rule) => ({
      clause: clauseOf(rule),
      test: (offer: Offer) => allows(rule, offer),
    })),
  ];
  let left = newestOfEach(offers);
  const clauses = [{ clause: "any offer", left: left.length }];
  for (const { clause, test } of filters) {
    left = left.filter(test);
    clauses.push({ clause, left: left.length });
  }
  return { left, clauses };
}

/** One offer a peer, the newest, in an order that does not depend on who told us first. */
function newestOfEach(offers: readonly Offer[]): readonly Offer[] {
  const newest = new Map<PeerId, Offer>();
  for (const offer of offers) {
    if (offer.atMs > (newest.get(offer.peer)?.atMs ?? -Infinity)) newest.set(offer.peer, offer);
  }
  return [...newest.values()].sort((left, right) => (left.peer < right.peer ? -1 : 1));
}

/** Counts members per domain, and knows who would be one too many. */
class Caps {
  readonly #caps: readonly Spread[];
  readonly #members = new Map<string, number>();

  constructor(policy: Policy, erasureClass: ErasureClass) {
    // Whatever a policy allows, a household lost whole at the repair threshold must leave k.
    const most = domainCapOf(erasureClass);
    const wished = policy.spread.filter(({ domain }) => domain === "household");
    const max = Math.min(most, ...wished.map((spread) => spread.max));
    this.#caps = [{ domain: "household", max }];
  }

  get clause(): string {
    return this.#caps.map(({ domain, max }) => `spread max ${max} per ${domain}`).join(" and ");
  }

  hasRoom(offer: Offer): boolean {
    return this.#caps.every(({ domain, max }) => this.#at(domain, offer) < max);
  }

  count(offer: Offer | undefined): void {
    for (const { domain } of this.#caps) {
      this.#members.set(keyOf(domain, offer), this.#at(domain, offer) + 1);
    }
  }

  #at(domain: Domain, offer: Offer | undefined): number {
    return this.#members.get(keyOf(domain, offer)) ?? 0;
  }
}

function keyOf(domain: Domain, offer: Offer | undefined): string {
  return `${domain}/${domainOf(domain, offer)}`;
}
