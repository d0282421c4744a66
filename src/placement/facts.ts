/**
 * What is known of a peer, as the judge is given it. An offer tells its household and claims a
 * country; whoever has measured more (a round trip, an AS number, a better proof of location) adds
 * it. What is undefined is unknown, and the judge fails closed on it.
 */
import type { PeerId } from "../base/ids.ts";
import type { KnownPeer } from "../base/network.ts";
import type { Offer } from "../base/records.ts";
import { type Domain, type EvidenceLevel, isAtLeast } from "./policy-words.ts";
import { isCountry } from "./regions.ts";

export interface Facts {
  readonly offer: Offer;
  readonly location: Location | undefined;
  readonly asn: number | undefined;
  /** The network that its address lies in, such as 192.0.2.0/24. */
  readonly prefix: string | undefined;
  readonly operator: string | undefined;
  /** Of its Hive. */
  readonly version: string | undefined;
  /** From here to the peer and back. */
  readonly roundTripMs: number | undefined;
}

export interface Location {
  readonly country: string;
  readonly evidence: EvidenceLevel;
}

/** What the offer alone tells: a claim. */
export function factsOf(offer: Offer): Facts {
  const { country } = offer;
  return {
    offer,
    location: country === undefined ? undefined : { country, evidence: "claimed" },
    asn: undefined, prefix: undefined, operator: undefined, version: undefined,
    roundTripMs: undefined,
  };
}

/** What the offers and this node's own round trips tell. */
export function factsKnown(peers: readonly KnownPeer[]): (offer: Offer) => Facts {
  const trips = new Map<PeerId, number | undefined>();
  for (const { offer, roundTripMs } of peers) trips.set(offer.peer, roundTripMs);
  return (offer) => ({ ...factsOf(offer), roundTripMs: trips.get(offer.peer) });
}

/** Where it is, as far as that is known this well. A code of no country is no place. */
export function countryOf(facts: Facts, least: EvidenceLevel): string | undefined {
  const { location } = facts;
  if (location === undefined || !isAtLeast(location.evidence, least)) return undefined;
  return isCountry(location.country) ? location.country : undefined;
}

/** The domain's name for this peer. Those of whom none is known share one: it might be the same. */
export function domainOf(
  domain: Domain, facts: Facts, least: EvidenceLevel,
): string | undefined {
  switch (domain) {
    case "household":
      return facts.offer.household === "" ? undefined : facts.offer.household;
    case "country":
      return countryOf(facts, least);
    case "asn":
      return facts.asn === undefined ? undefined : String(facts.asn);
    case "prefix":
      return facts.prefix;
    case "version":
      return facts.version;
  }
}
