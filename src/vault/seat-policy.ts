/**
 * Whether the owner's policy lets this holder keep what it is offered. The policy's text comes with
 * the manifest that names its hash; the holder judges itself, whom it knows best, and the domains
 * that it shares with other members as far as it has heard of them. What it does not know is no
 * reason to refuse: the owner, who drew the group, fails closed on that.
 */
import { createHash } from "node:crypto";
import { HiveError, isFault } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { KnownPeer } from "../base/network.ts";
import type { Manifest, Offer } from "../base/records.ts";
import { DomainNumbers, Tally, boundsOf, unknown } from "../placement/draws/spread.ts";
import { type Facts, factsKnown } from "../placement/judging/facts.ts";
import type { Seen } from "../placement/judging/judge.ts";
import { ownSeen } from "../placement/judging/own.ts";
import { hashOfPolicy } from "../placement/language/policy-hash.ts";
import { parseCanonical } from "../placement/language/policy-parse.ts";
import { type Policy, defaultPolicy } from "../placement/language/policy.ts";
import { breaks } from "../placement/standing/drift.ts";

/** Whom this node has heard of, and what it says of itself. */
export interface Neighbourhood {
  /** Undefined while this node is starting. */
  offer(): Offer | undefined;
  peers(): readonly KnownPeer[];
}

/** Everybody has it: it never travels. */
const builtIn = hashOfPolicy(defaultPolicy);

export class SeatPolicy {
  readonly #neighbours: Neighbourhood | undefined;
  /** By hash, those that came last; undefined for one in words that this node does not know. */
  readonly #known = new Map<string, Policy | undefined>();

  constructor(neighbours: Neighbourhood | undefined) {
    this.#neighbours = neighbours;
  }

  /** Denied when the policy says no to this peer; Invalid for a text that is not the manifest's. */
  check(self: PeerId, manifest: Manifest, text: Uint8Array | undefined): void {
    const { policyHash } = manifest;
    if (text !== undefined) this.#learn(policyHash, text);
    const policy = policyHash === builtIn ? defaultPolicy : this.#known.get(policyHash);
    if (policy === undefined || this.#neighbours === undefined) return;
    const offer = this.#neighbours.offer();
    if (offer === undefined) throw new HiveError("Busy", "vault.policy", "starting");
    const own = ownSeen(policy, offer);
    const others = this.#neighbours.peers().filter(({ offer: { peer } }) => {
      return peer !== self && manifest.peers.includes(peer);
    });
    const isHere = !breaks(policy, own);
    const why = isHere ? crowded(manifest, policy, own, others) : "not on this machine";
    if (why !== undefined) throw new HiveError("Denied", "vault.policy", `${policyHash}: ${why}`);
  }

  #learn(hash: string, text: Uint8Array): void {
    if (this.#known.has(hash)) return;
    const isRight = text.length <= limits.policy.canonicalBytesMax
      && createHash("sha256").update(text).digest("hex") === hash;
    if (!isRight) throw new HiveError("Invalid", "vault.policy", "not the text of its hash");
    this.#known.set(hash, readPolicy(text));
    const [oldest] = this.#known.keys();
    const isFull = this.#known.size > limits.vault.policiesParsedMax;
    if (isFull && oldest !== undefined) this.#known.delete(oldest);
  }
}

/** The first bound that this peer and other members are known to go over together. */
function crowded(
  manifest: Manifest, policy: Policy, own: Seen, others: readonly KnownPeer[],
): string | undefined {
  const bounds = boundsOf(policy, manifest.class);
  const numbers = new DomainNumbers();
  const codesOf = (facts: Facts): readonly number[] => numbers.codesOf(facts, own.evidence);
  const factsOf = factsKnown(others);
  const tally = new Tally(bounds);
  for (const { offer } of others) tally.count({ codes: codesOf(factsOf(offer)), offset: 0 });
  const codes = codesOf(own.facts);
  const full = tally.fullFor({ codes, offset: 0 }).find((at) => codes[at] !== unknown);
  const cap = bounds.caps.findIndex(({ at }) => at === full);
  return full === undefined ? undefined : bounds.clauses[cap];
}

/** Of a later version of the language nothing is known; one of this version must be readable. */
export function readPolicy(text: Uint8Array): Policy | undefined {
  const words = Buffer.from(text).toString("utf8");
  try {
    return parseCanonical(words);
  } catch (error) {
    const isLater = isFault(error, "Invalid") && /^hive-policy (?![12]\n)\d+\n/.test(words);
    if (isLater) return undefined;
    throw error;
  }
}
