/**
 * A large network as one policy sees it, for drawing many groups: built once from all offers, then
 * a group costs some hundred looks, not one at every peer. Pure but for `refresh`: the same offers,
 * policy and seed draw the same peers on every machine. No node draws so yet.
 *
 * The draw itself knows numbers alone, and is circle.ts: a peer's place is the hash of its id.
 *
 * A straw depends on no other peer but through one figure, the median of how full they are: weights
 * fall above it. So one change moves its own peer's seats and no others, unless it moves the median
 * by a step, which in a network that was filled evenly hardly ever happens.
 */
import { createHash } from "node:crypto";
import { GiB } from "../../src/base/bytes.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import type { ErasureClass, Offer } from "../../src/base/records.ts";
import type { Draw } from "../../src/placement/draws/group.ts";
import { DomainNumbers, boundsOf } from "../../src/placement/draws/spread.ts";
import { fullnessOf } from "../../src/placement/draws/straw.ts";
import { type Choice, type ClauseCount, eligible } from "../../src/placement/judging/eligible.ts";
import { type Seen, favourOf } from "../../src/placement/judging/judge.ts";
import { domainWords } from "../../src/placement/language/policy-words.ts";
import type { Policy } from "../../src/placement/language/policy.ts";
import { Circle, levels, noRoom } from "./circle.ts";

export interface ViewWish {
  readonly class: ErasureClass;
  readonly seed: string;
}

export class PeerView {
  readonly #policy: Policy;
  readonly #clauses: readonly ClauseCount[];
  /** In the order of their places on the circle. */
  readonly #peers: readonly PeerId[];
  readonly #indexOf: ReadonlyMap<PeerId, number>;
  readonly #circle: Circle;

  constructor(choice: Choice) {
    const { policy } = choice;
    const { left, clauses } = eligible(choice);
    const placed = left
      .map((seen) => ({ seen, place: placeOf(seen.facts.offer.peer) }))
      // Those of one place stay in the order of their names.
      .sort((a, b) => a.place - b.place);
    const numbers = new DomainNumbers();
    const codes = new Int32Array(placed.length * domainWords.length);
    for (const [at, { seen }] of placed.entries()) {
      codes.set(numbers.codesOf(seen.facts, seen.evidence), at * domainWords.length);
    }
    this.#policy = policy;
    this.#clauses = clauses;
    this.#peers = placed.map(({ seen }) => seen.facts.offer.peer);
    this.#indexOf = new Map(this.#peers.map((peer, at) => [peer, at]));
    this.#circle = new Circle({
      places: Float64Array.from(placed, ({ place }) => place),
      shares: Float64Array.from(placed, ({ seen }) => shareOf(seen, policy)),
      levels: Int16Array.from(placed, ({ seen }) => levelOf(seen.facts.offer)),
      codes,
    });
  }

  /** Peers that the policy lets through. */
  get size(): number {
    return this.#peers.length;
  }

  /** A known peer has more room, or less; whoever is not in the view stays outside. */
  refresh(offer: Offer): void {
    const at = this.#indexOf.get(offer.peer);
    if (at !== undefined) this.#circle.setLevel(at, levelOf(offer));
  }

  /** The peers for a new group, `peers[i]` for seat i. */
  draw(wish: ViewWish): Draw<{ readonly state: "drawn"; readonly peers: readonly PeerId[] }> {
    const { seed, class: { n } } = wish;
    const bounds = boundsOf(this.#policy, wish.class);
    const { taken, most } = this.#circle.draw({ seed, seats: n, bounds });
    if (taken.length === n) {
      return { state: "drawn", peers: taken.map((at) => this.#peers[at] as PeerId) };
    }
    const spread = { clause: bounds.clauses.join(" and "), left: most };
    return { state: "impossible", needed: n, clauses: [...this.#clauses, spread] };
  }
}

/** From 0 up to, not including, 1. */
function placeOf(peer: PeerId): number {
  const hash = createHash("sha256").update(`hive circle 1/${peer}`).digest();
  return hash.readUIntBE(0, 6) / 2 ** 48;
}

/** The GiB that it gives. A claim costs nothing: beyond a limit more of it weighs no more. */
function shareOf(seen: Seen, policy: Policy): number {
  const { quotaBytes } = seen.facts.offer;
  const bytes = Math.min(quotaBytes, limits.placement.weightBytesMax);
  return (bytes / GiB) * favourOf(policy, seen);
}

function levelOf(offer: Offer): number {
  if (offer.freeBytes < limits.placement.freeBytesMin) return noRoom;
  return Math.round(fullnessOf(offer) * levels);
}
