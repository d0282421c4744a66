/**
 * What holders did, as transfer saw it: right, wrong, late and offline are four different things.
 * It passes each on to whoever watches, and remembers only what decides whom to ask first.
 */
import type { Clock } from "../base/clock.ts";
import { isFault } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import { isOnline, knownPeer } from "../base/known-peers.ts";
import { limits } from "../base/limits.ts";
import type { PeerNetwork } from "../base/network.ts";

const verdicts = ["right", "wrong", "late", "offline", "refused"] as const;
export type Verdict = (typeof verdicts)[number];

export interface Observation {
  readonly peer: PeerId;
  readonly verdict: Verdict;
  /** What was asked of it. */
  readonly act: "store" | "read" | "prove";
}

export class Witness {
  readonly #network: PeerNetwork;
  readonly #clock: Clock;
  readonly #watchers: ((observation: Observation) => void)[] = [];
  readonly #doubts = new Map<PeerId, Doubt>();
  #answeredAtMs = -Infinity;

  constructor(needs: { readonly network: PeerNetwork; readonly clock: Clock }) {
    this.#network = needs.network;
    this.#clock = needs.clock;
  }

  watch(watcher: (observation: Observation) => void): void {
    this.#watchers.push(watcher);
  }

  saw(observation: Observation): void {
    const { peer, verdict } = observation;
    const before = this.#doubts.get(peer);
    const answered = verdict === "right" || verdict === "wrong" || verdict === "refused";
    if (answered) this.#answeredAtMs = this.#clock.monotonicMs();
    if (verdict === "right") this.#forgive(peer, before);
    else this.#doubts.set(peer, this.#grown(before, verdict));
    for (const watcher of this.#watchers) watcher(observation);
  }

  /** Whether any peer at all answered since then: if none did, our own line is down. */
  heardSince(monotonicMs: number): boolean {
    if (this.#answeredAtMs >= monotonicMs) return true;
    const sinceMs = this.#clock.now() - (this.#clock.monotonicMs() - monotonicMs);
    return this.#network.peers().some(({ online, lastSeenMs }) => online && lastSeenMs >= sinceMs);
  }

  /** Best to ask first: online, no doubts, near. */
  inOrder<T extends { readonly peer: PeerId }>(holders: readonly T[]): T[] {
    const cost = ({ peer }: T): number => {
      const doubts = this.doubts(peer) ? this.#doubts.get(peer)?.count ?? 0 : 0;
      const away = isOnline(this.#network, peer) ? 0 : 1;
      return doubts * 1e7 + away * 1e6 + (this.roundTripMs(peer) ?? unknownTripMs);
    };
    const costs = new Map(holders.map((holder) => [holder, cost(holder)]));
    return [...holders].sort((a, b) => (costs.get(a) ?? 0) - (costs.get(b) ?? 0));
  }

  /** Not to be asked first: it failed lately, the longer ago the more often it did, or it lied. */
  doubts(peer: PeerId): boolean {
    const doubt = this.#doubts.get(peer);
    return doubt !== undefined && this.#clock.monotonicMs() < doubt.untilMs;
  }

  /** Not connected, or silent when it was last asked. */
  isLikelyAway(peer: PeerId): boolean {
    return !isOnline(this.#network, peer) || this.doubts(peer);
  }

  roundTripMs(peer: PeerId): number | undefined {
    return knownPeer(this.#network, peer)?.roundTripMs;
  }

  /** A right answer makes up for all but a lie, which counts for as long as this node runs. */
  #forgive(peer: PeerId, before: Doubt | undefined): void {
    if ((before?.count ?? 0) < liar) this.#doubts.delete(peer);
  }

  #grown(before: Doubt | undefined, verdict: Verdict): Doubt {
    if (verdict === "wrong" || before?.count === liar) return { count: liar, untilMs: Infinity };
    const count = Math.min((before?.count ?? 0) + 1, liar - 1);
    const { doubtMsMin, doubtMsMax } = limits.transfer;
    const lastsMs = Math.min(doubtMsMin * 2 ** (count - 1), doubtMsMax);
    return { count, untilMs: this.#clock.monotonicMs() + lastsMs };
  }
}

/** Bad answers in a row, and until when they count: a hiccup must not cost k reads for long. */
interface Doubt {
  readonly count: number;
  readonly untilMs: number;
}

/** As many doubts as a proven lie counts for: no silence adds up to it soon. */
const liar = 1000;
const unknownTripMs = 500;

/**
 * What a failed call says of the peer that was asked. One from whom no answer came at all counts
 * as offline, whether or not it could be reached; late is said of one that may still answer.
 * Whoever knows a newer manifest than ours tells the truth: a seat changed while we sent.
 */
export function verdictOf(error: unknown, act: Observation["act"]): Verdict {
  if (isFault(error, "Corrupt")) return "wrong";
  if (isFault(error, "NotFound")) return act === "store" ? "refused" : "wrong";
  if (isFault(error, "Denied", "Quota", "Busy", "Invalid", "NoSpace", "Stale")) return "refused";
  return "offline";
}
