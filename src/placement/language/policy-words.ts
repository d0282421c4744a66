/**
 * The words of the policy language, once: the types of policy.ts, the parser's choices and the
 * lists of hive-policy(5) are made from these tables or compared with them.
 */

/** What a clause begins with. */
export const clauseWords = [
  "protect", "require", "forbid", "evidence", "spread", "prefer", "processing", "unsatisfiable",
] as const;

/** What can be known of a peer. `evidence` is how well its location is known. */
export const factWords = [
  "country", "region", "continent", "asn", "household", "operator", "peer", "version", "evidence",
  "rtt",
] as const;

/** How well a peer's location is known, from its own word to a proof. */
export const evidenceLevels = ["claimed", "geoip", "rtt", "confined", "attested"] as const;
export type EvidenceLevel = (typeof evidenceLevels)[number];

/** What peers can have in common, so that they fail together. */
export const domainWords = ["household", "prefix", "asn", "country", "version"] as const;
export type Domain = (typeof domainWords)[number];

/** What is done with data, other than keeping it. */
export const activityWords = ["encode", "repair", "audit", "cache"] as const;
export type Activity = (typeof activityWords)[number];

/** What a machine is to the drive; a condition of `processing` may ask for it. */
export const roleWords = ["self", "owner-device", "holder"] as const;
export type Role = (typeof roleWords)[number];

/** What becomes of a policy that the known peers cannot satisfy. */
export const answerWords = ["refuse", "queue"] as const;
export type Answer = (typeof answerWords)[number];

export function isAtLeast(level: EvidenceLevel, least: EvidenceLevel): boolean {
  return evidenceLevels.indexOf(level) >= evidenceLevels.indexOf(least);
}
