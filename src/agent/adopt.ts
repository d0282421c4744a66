/**
 * The owner is back: what its groups' members did meanwhile is looked at, and made its own where it
 * holds. A newcomer is asked for leaves of every shard that the log gives it; one that proves some
 * and lies about none keeps its seat in a new manifest, all others lose it to whom they had it
 * from, and repair does the rest. So a log ends, by one word of the owner's.
 */
import type { Clock } from "../base/clock.ts";
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { PeerNetwork } from "../base/network.ts";
import type { Random } from "../base/random.ts";
import type { Step } from "../base/step.ts";
import { type Standing, seatsOf } from "../guard/log.ts";
import { type SegmentState, memberOf } from "../transfer/books.ts";
import type { Health, HeldShard } from "../transfer/health.ts";
import { type Answer, askHolder } from "./ask.ts";

export interface AdoptNeeds {
  readonly network: PeerNetwork;
  readonly health: Health;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

interface Proof extends HeldShard {
  readonly answer: Answer;
}

export class Adopt implements Step {
  readonly name = "adopt";
  readonly #needs: AdoptNeeds;
  readonly #everyMs: number;
  #lookedAtMs = -Infinity;

  constructor(needs: AdoptNeeds, options: { readonly intervalMs: number }) {
    this.#needs = needs;
    this.#everyMs = Math.min(options.intervalMs, limits.agent.adoptEveryMs);
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const { health, clock } = this.#needs;
    if (clock.monotonicMs() - this.#lookedAtMs < this.#everyMs) return "idle";
    this.#lookedAtMs = clock.monotonicMs();
    const standings = await health.standings(signal);
    // Of several devices one alone signs.
    if (!health.seatsOthers()) return "idle";
    for (const standing of standings) await this.#adopt(standing, signal);
    return "idle";
  }

  async #adopt(standing: Standing, signal: AbortSignal): Promise<void> {
    const { health, log } = this.#needs;
    const { group } = standing.manifest;
    const segments = health.segments().filter((state) => state.group === group);
    const proofs = await this.#proofsOf(standing, segments, signal);
    const peers = seatsToAdopt(standing, proofs);
    const isAny = peers.some((peer, seat) => peer !== standing.manifest.peers[seat]);
    if (!isAny) return;
    const right = proofs.filter(({ answer }) => answer === "right");
    const proven = right.filter(({ holder }) => peers.includes(holder));
    await health.adoptSeats(standing, peers, proven);
    log.info("agent.adopted", { group, entries: standing.log.length, shards: proven.length });
  }

  /** What the newcomers prove of all that the log gives them, a few segments at a time. */
  async #proofsOf(
    standing: Standing, segments: readonly SegmentState[], signal: AbortSignal,
  ): Promise<readonly Proof[]> {
    const seats = { ...standing.manifest, peers: seatsOf(standing) };
    const proofs: Proof[] = [];
    for (const state of segments) {
      signal.throwIfAborted();
      const given = state.holders.flatMap((_, index) => {
        const peer = memberOf(state, index, seats);
        const isNew = peer !== memberOf(state, index, standing.manifest);
        return isNew ? [{ segment: state.segment, index, holder: peer }] : [];
      });
      const record = await this.#needs.health.record(state.segment, signal);
      proofs.push(...await Promise.all(given.map(async (shard): Promise<Proof> => {
        const { index, holder: peer } = shard;
        const options = { leaves: limits.agent.leavesPerShard, signal };
        return { ...shard, answer: await askHolder(this.#needs, { record, index, peer }, options) };
      })));
    }
    return proofs;
  }
}

/** Pure: a newcomer is seated by what it proves, and by nothing that it or others say. */
export function seatsToAdopt(
  standing: Standing, proofs: readonly Pick<Proof, "holder" | "answer">[],
): readonly PeerId[] {
  const { manifest: { peers } } = standing;
  const seats = seatsOf(standing).map((peer, seat) => {
    const before = peers[seat] as PeerId;
    const its = proofs.filter(({ holder }) => holder === peer).map(({ answer }) => answer);
    const isProven = its.includes("right") && !its.includes("wrong");
    return peer === before || isProven ? peer : before;
  });
  // A peer that lost one seat and was given another must not sit twice.
  return new Set(seats).size === seats.length ? seats : peers;
}
