/**
 * What is known of a peer, as the judge is given it. An offer claims a household and a country;
 * what this node saw and measured (base/network.ts, Observed) adds to it, and stands above it.
 * What is undefined is unknown, and the judge fails closed on it.
 */
import type { PeerId } from "../../base/ids.ts";
import type { KnownPeer, Observed } from "../../base/network.ts";
import type { Offer } from "../../base/records.ts";
import { type Domain, type EvidenceLevel, isAtLeast } from "../language/policy-words.ts";
import { isCountry } from "../language/regions.ts";

export interface Facts {
  readonly offer: Offer;
  /** Whom it fails together with: its claim, unless its address says more. */
  readonly household: string | undefined;
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
  const { country, version } = offer;
  return {
    offer,
    household: offer.household === "" ? undefined : offer.household,
    location: country === undefined ? undefined : { country, evidence: "claimed" },
    asn: undefined, prefix: undefined, operator: undefined, version, roundTripMs: undefined,
  };
}

/** What the offers, and what this node observed, tell. */
export function factsKnown(peers: readonly KnownPeer[]): (offer: Offer) => Facts {
  const known = new Map<PeerId, KnownPeer>(peers.map((peer) => [peer.offer.peer, peer]));
  return (offer) => {
    const { roundTripMs, observed } = known.get(offer.peer) ?? {};
    const told = { ...factsOf(offer), roundTripMs };
    if (observed === undefined) return told;
    const { asn, prefix, household } = observed;
    return { ...told, asn, prefix, household, location: locationOf(offer, observed) };
  };
}

/**
 * The country with the best evidence. Where claim and address differ, neither is believed, unless
 * round trips uphold one of them and make the other impossible. A claim that they make impossible
 * is a lie, and then nothing is known but where the liar's address is upheld to be.
 */
export function locationOf(offer: Offer, observed: Observed): Location | undefined {
  const { geoip, upheld, refuted, vouched } = observed;
  if (vouched !== undefined) return { country: vouched, evidence: "confined" };
  const claimed = offer.country ?? geoip;
  if (claimed === undefined) return undefined;
  const decided = [claimed, geoip].find((country) => {
    const other = country === claimed ? geoip : claimed;
    const isAlone = other === undefined || other === country || refuted.includes(other);
    return country !== undefined && upheld.includes(country) && isAlone;
  });
  if (decided !== undefined) return { country: decided, evidence: "rtt" };
  if (refuted.includes(claimed)) return undefined;
  if (geoip === undefined) return { country: claimed, evidence: "claimed" };
  return geoip === claimed ? { country: geoip, evidence: "geoip" } : undefined;
}

/** Whether round trips make impossible what it says of itself. */
export function isLying({ offer, observed }: KnownPeer): boolean {
  return offer.country !== undefined && observed?.refuted.includes(offer.country) === true;
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
      return facts.household;
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
