/**
 * What holders did, as transfer saw it: right, wrong, late and offline are four different things.
 * It passes each on to whoever watches, and remembers only what decides whom to ask first.
 */
import { isFault } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import type { PeerNetwork } from "../base/network.ts";

export const verdicts = ["right", "wrong", "late", "offline", "refused"] as const;
export type Verdict = (typeof verdicts)[number];

export interface Observation {
  readonly peer: PeerId;
  readonly verdict: Verdict;
  /** What was asked of it. */
  readonly act: "store" | "read" | "prove";
}

export class Witness {
  readonly #network: PeerNetwork;
  readonly #watchers: ((observation: Observation) => void)[] = [];
  /** Bad answers in a row; a right one forgives all but lies. */
  readonly #doubts = new Map<PeerId, number>();

  constructor(network: PeerNetwork) {
    this.#network = network;
  }

  watch(watcher: (observation: Observation) => void): void {
    this.#watchers.push(watcher);
  }

  saw(observation: Observation): void {
    const { peer, verdict } = observation;
    const before = this.#doubts.get(peer) ?? 0;
    if (verdict === "right") this.#doubts.set(peer, before >= liar ? before : 0);
    else this.#doubts.set(peer, verdict === "wrong" ? liar : Math.max(before, before + 1));
    for (const watcher of this.#watchers) watcher(observation);
  }

  /** Best to ask first: online, no doubts, near. */
  inOrder<T extends { readonly peer: PeerId }>(holders: readonly T[]): T[] {
    const known = new Map(this.#network.peers().map((peer) => [peer.offer.peer, peer]));
    const cost = ({ peer }: T): number => {
      const doubts = Math.min(this.#doubts.get(peer) ?? 0, liar);
      const away = known.get(peer)?.online === true ? 0 : 1;
      return doubts * 1e7 + away * 1e6 + (known.get(peer)?.roundTripMs ?? 500);
    };
    const costs = new Map(holders.map((holder) => [holder, cost(holder)]));
    return [...holders].sort((a, b) => (costs.get(a) ?? 0) - (costs.get(b) ?? 0));
  }

  doubts(peer: PeerId): boolean {
    return (this.#doubts.get(peer) ?? 0) > 0;
  }

  /** Not connected, or silent when it was last asked. */
  isLikelyAway(peer: PeerId): boolean {
    const known = this.#network.peers().find(({ offer }) => offer.peer === peer);
    return known?.online !== true || this.doubts(peer);
  }

  roundTripMs(peer: PeerId): number | undefined {
    return this.#network.peers().find(({ offer }) => offer.peer === peer)?.roundTripMs;
  }
}

/** As many doubts as a proven lie counts for: no silence adds up to it soon. */
const liar = 1000;

/**
 * What a failed call says of the peer that was asked. One from whom no answer came at all counts
 * as offline, whether or not it could be reached; late is said of one that may still answer.
 */
export function verdictOf(error: unknown): Verdict {
  if (isFault(error, "Corrupt", "NotFound", "Stale")) return "wrong";
  if (isFault(error, "Denied", "Quota", "Busy", "Invalid", "NoSpace")) return "refused";
  return "offline";
}
