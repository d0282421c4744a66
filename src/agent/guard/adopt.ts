/**
 * The owner is back: what its groups' members did meanwhile is looked at, and made its own where it
 * holds. A newcomer is asked for leaves of every shard that the log gives it; one that proves some
 * and lies about none keeps its seat in a new manifest, all others lose it to whom they had it
 * from, and repair does the rest. So a log ends, by one word of the owner's; until it was looked
 * at, nothing else ends it: after a start members are asked again soon, until enough of them tell.
 */
import type { Clock } from "../../base/clock.ts";
import type { GroupId, PeerId } from "../../base/ids.ts";
import { isOnline } from "../../base/known-peers.ts";
import { limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { PeerNetwork } from "../../base/network.ts";
import type { Random } from "../../base/random.ts";
import type { Step } from "../../base/step.ts";
import { type Standing, seatsOf, tipOf } from "../../guard/log.ts";
import { type SegmentState, memberOf } from "../../transfer/books.ts";
import type { Health, HeldShard } from "../../transfer/health.ts";
import { type Answer, askHolder } from "../asking/ask.ts";
import type { Conduct } from "../conduct/conduct.ts";

export interface AdoptNeeds {
  readonly network: PeerNetwork;
  readonly health: Health;
  readonly conduct: Pick<Conduct, "dead">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

interface Proof extends HeldShard {
  readonly answer: Answer;
}

/** A log that is looked at, by what its last entry is. */
interface Look {
  readonly tip: string;
  /** When it was first heard. */
  readonly sinceMs: number;
  /** Its newcomers proved nothing: they are asked again, and how much later than the last time. */
  readonly untilMs: number;
  readonly pauseMs: number;
}

export class Adopt implements Step {
  readonly name = "adopt";
  readonly #needs: AdoptNeeds;
  readonly #everyMs: number;
  #lookedAtMs = -Infinity;
  /** While something is not heard, it is asked again sooner, and later each time. */
  #pauseMs: number = limits.agent.failureMsMin;
  readonly #looks = new Map<GroupId, Look>();

  constructor(needs: AdoptNeeds, options: { readonly intervalMs: number }) {
    this.#needs = needs;
    this.#everyMs = Math.min(options.intervalMs, limits.agent.adoptEveryMs);
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const { health, conduct, clock } = this.#needs;
    const restMs = this.#areHeard() ? this.#everyMs : this.#pauseMs;
    if (clock.monotonicMs() - this.#lookedAtMs < restMs) return "idle";
    const standings = await health.standings(conduct.dead(), signal);
    // Of several devices one alone signs.
    const due = health.seatsOthers() ? standings.filter((one) => this.#isReady(one)) : [];
    for (const standing of due) await this.#adopt(standing, signal);
    const { failureMsMin } = limits.agent;
    this.#pauseMs = this.#areHeard() ? failureMsMin : Math.min(2 * this.#pauseMs, this.#everyMs);
    this.#lookedAtMs = clock.monotonicMs();
    return "idle";
  }

  #areHeard(): boolean {
    const { health } = this.#needs;
    return health.groups().every(({ group }) => health.isHeard(group));
  }

  /** Peers arrive one by one after a start: who is not there yet would lose its seat. */
  #isReady(standing: Standing): boolean {
    const look = this.#lookAt(standing);
    const nowMs = this.#needs.clock.monotonicMs();
    const isEarly = nowMs - look.sinceMs < limits.agent.doubtMs && !this.#areThere(standing);
    return !isEarly && nowMs >= look.untilMs;
  }

  #lookAt(standing: Standing): Look {
    const { group } = standing.manifest;
    const tip = tipOf(standing);
    const known = this.#looks.get(group);
    if (known?.tip === tip) return known;
    const nowMs = this.#needs.clock.monotonicMs();
    const look = { tip, sinceMs: nowMs, untilMs: nowMs, pauseMs: this.#everyMs / 2 };
    this.#looks.set(group, look);
    return look;
  }

  /** All whom the log gives a seat. */
  #areThere(standing: Standing): boolean {
    const { network } = this.#needs;
    const { manifest: { peers } } = standing;
    return seatsOf(standing).every((peer) => peers.includes(peer) || isOnline(network, peer));
  }

  /** Nothing was proven: a look at all that newcomers should have is not for every time. */
  #overrule(standing: Standing): void {
    const look = this.#lookAt(standing);
    const pauseMs = Math.min(2 * look.pauseMs, limits.agent.adoptRestMsMax);
    const untilMs = this.#needs.clock.monotonicMs() + pauseMs;
    this.#looks.set(standing.manifest.group, { ...look, pauseMs, untilMs });
    this.#needs.health.overrule(standing);
  }

  async #adopt(standing: Standing, signal: AbortSignal): Promise<void> {
    const { health, conduct, log } = this.#needs;
    const { group } = standing.manifest;
    const segments = health.segments().filter((state) => state.group === group);
    const proofs = await this.#proofsOf(standing, segments, signal);
    const peers = seatsToAdopt(standing, proofs);
    const isAny = peers.some((peer, seat) => peer !== standing.manifest.peers[seat]);
    if (!isAny) return this.#overrule(standing);
    const right = proofs.filter(({ answer }) => answer === "right");
    const proven = right.filter(({ holder }) => peers.includes(holder));
    const told = { proven, dead: conduct.dead() };
    if (!await health.adoptSeats(standing, peers, told)) return;
    log.info("agent.adopted", { group, entries: standing.log.length, shards: proven.length });
  }

  /** What the newcomers prove of all that the log gives them, a few segments at a time. */
  async #proofsOf(
    standing: Standing, segments: readonly SegmentState[], signal: AbortSignal,
  ): Promise<readonly Proof[]> {
    const { health } = this.#needs;
    const seats = { ...standing.manifest, peers: seatsOf(standing) };
    const proofs: Proof[] = [];
    for (const state of segments) {
      signal.throwIfAborted();
      if (health.segment(state.segment) === undefined) continue;
      const given = state.holders.flatMap((_, index) => {
        const peer = memberOf(state, index, seats);
        const isNew = peer !== memberOf(state, index, standing.manifest);
        return isNew ? [{ segment: state.segment, index, holder: peer }] : [];
      });
      const record = await health.record(state.segment, signal);
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
