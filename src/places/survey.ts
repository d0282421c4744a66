/**
 * The step that measures: a round trip to one peer now and then, whom the drive's data lies with
 * first, and a question to one other what it measured itself. A few a minute whatever there is to
 * know: nobody can make this node measure more, or whom they choose.
 */
import type { Clock } from "../base/clock.ts";
import { isFault } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type Log, describe } from "../base/log.ts";
import type { KnownPeer } from "../base/network.ts";
import type { RangeNetwork } from "../base/places.ts";
import { type Random, shuffled } from "../base/random.ts";
import type { Step } from "../base/step.ts";
import type { Places } from "./places.ts";

export interface SurveyNeeds {
  readonly places: Places;
  readonly network: RangeNetwork;
  readonly peers: () => readonly KnownPeer[];
  /** Whose place matters most: those who hold the drive's data. Undefined without a drive. */
  readonly wanted: (() => Iterable<PeerId>) | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export class Survey implements Step {
  readonly name = "places.survey";
  readonly #needs: SurveyNeeds;
  #loading: Promise<void> | undefined;
  #nextRangeMs = 0;
  #nextAskMs = 0;
  readonly #askedMs = new Map<PeerId, number>();
  readonly #restsUntilMs = new Map<PeerId, number>();

  constructor(needs: SurveyNeeds) {
    this.#needs = needs;
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const { places, clock } = this.#needs;
    await this.#load();
    const wrote = await places.tidy();
    const nowMs = clock.monotonicMs();
    if (nowMs >= this.#nextRangeMs) {
      this.#nextRangeMs = nowMs + limits.places.rangePauseMs;
      await this.#range(signal);
    }
    if (nowMs >= this.#nextAskMs) {
      this.#nextAskMs = nowMs + limits.places.askPauseMs;
      await this.#ask(signal);
    }
    return wrote ? "busy" : "idle";
  }

  /** Not at the start, since nobody waits for it; and again, should the books not be readable. */
  async #load(): Promise<void> {
    this.#loading ??= this.#needs.places.load();
    try {
      await this.#loading;
    } catch (cause) {
      this.#loading = undefined;
      throw cause;
    }
  }

  /** Measures whoever is due: those whose place matters, then who was not measured for longest. */
  async #range(signal: AbortSignal): Promise<void> {
    const { places, network, clock, wanted } = this.#needs;
    const first = new Set(wanted?.() ?? []);
    const due = this.#reachable().map((peer) => {
      return { peer, atMs: places.measuredOf(peer)?.atMs ?? 0 };
    }).filter(({ atMs }) => Math.abs(clock.now() - atMs) >= limits.places.rangeEveryMs);
    due.sort((left, right) => {
      return Number(first.has(right.peer)) - Number(first.has(left.peer)) || left.atMs - right.atMs;
    });
    const peer = due[0]?.peer;
    if (peer === undefined) return;
    await this.#quietly(peer, async () => places.heard(await network.range(peer, { signal })));
  }

  async #ask(signal: AbortSignal): Promise<void> {
    const { places, network, wanted } = this.#needs;
    // Without a drive nobody here chooses by place.
    if (wanted === undefined) return;
    const nowMs = this.#needs.clock.monotonicMs();
    const [peer] = this.#reachable().map((one) => {
      return { peer: one, atMs: this.#askedMs.get(one) ?? -Infinity };
    }).filter(({ atMs }) => nowMs - atMs >= limits.places.askEveryMs)
      .sort((left, right) => left.atMs - right.atMs);
    if (peer === undefined) return;
    this.#note(this.#askedMs, peer.peer, nowMs);
    const targets = this.#targets(peer.peer, wanted());
    if (targets.length === 0) return;
    await this.#quietly(peer.peer, async () => {
      const statements = await network.statements(peer.peer, targets, { signal });
      for (const statement of statements) places.heard(statement);
    });
  }

  /** About whom one peer is asked: those who matter, and any others while there is room. */
  #targets(except: PeerId, wanted: Iterable<PeerId>): readonly PeerId[] {
    const { random } = this.#needs;
    const placed = this.#needs.peers().map(({ offer }) => offer.peer)
      .filter((peer) => peer !== except && this.#needs.places.isPlaced(peer));
    const first = new Set(wanted);
    const mattering = placed.filter((peer) => first.has(peer));
    const others = placed.filter((peer) => !first.has(peer));
    return [...shuffled(mattering, random), ...shuffled(others, random)]
      .slice(0, limits.peers.rangeTargetsMax);
  }

  /** Who is online at a public address, and has not failed lately; in random order. */
  #reachable(): readonly PeerId[] {
    const { clock, places, peers, random } = this.#needs;
    const nowMs = clock.monotonicMs();
    const found = peers().filter(({ online, offer: { peer } }) => {
      return online && places.isPlaced(peer) && (this.#restsUntilMs.get(peer) ?? 0) <= nowMs;
    });
    return shuffled(found.map(({ offer }) => offer.peer), random);
  }

  async #quietly(peer: PeerId, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isFault(error)) throw error;
      const untilMs = this.#needs.clock.monotonicMs() + limits.places.failureMs;
      this.#note(this.#restsUntilMs, peer, untilMs);
      this.#needs.log.debug("places.failed", { peer, fault: describe(error) });
    }
  }

  /** Forgetting all of it costs a question too many, and keeps it bounded. */
  #note(book: Map<PeerId, number>, peer: PeerId, ms: number): void {
    if (book.size >= limits.places.sightingsMax) book.clear();
    book.set(peer, ms);
  }
}
