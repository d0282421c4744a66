/**
 * Who has what it proves, and who has it fetched when it is asked. With each probe its holder runs
 * through several shards in a row against time (proofs/race.ts): to have them costs it a read each,
 * to fetch them k times as much over its line. One that was too slow for days, and never quick
 * enough in between, loses its seats. A disk that sleeps is woken first; where half of all are slow
 * it is our own line, or this machine. Keys of the agent's books:
 *
 *   w/PEER  races lost in a row, one a day counted, and when the last of them was
 */
import type { KeyValue } from "../../base/blocks.ts";
import { agentKeys } from "../../base/book-keys.ts";
import { Reader, Writer } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { isFault } from "../../base/errors.ts";
import { type PeerId, type ShardId, parsePeerId } from "../../base/ids.ts";
import { knownPeer } from "../../base/known-peers.ts";
import { limits } from "../../base/limits.ts";
import type { PeerNetwork } from "../../base/network.ts";
import type { Random } from "../../base/random.ts";
import { type Race, isRaceAnswer, makeRace } from "../../proofs/race.ts";
import { type Lateness, isTardy, latenessAfter } from "../../proofs/score.ts";
import type { Conduct } from "../conduct/conduct.ts";

export interface RaceNeeds {
  readonly network: PeerNetwork;
  readonly conduct: Conduct;
  readonly books: KeyValue;
  readonly clock: Clock;
  readonly random: Random;
}

/** One question of a race, and what came. */
export interface Leg {
  readonly race: Race;
  readonly answer: Uint8Array;
}

const prefix = agentKeys.race;

export class Races {
  readonly #needs: RaceNeeds;
  /** Of all who ran since they were last forgotten; undefined for those in time. */
  readonly #runners = new Map<PeerId, Lateness | undefined>();

  constructor(needs: RaceNeeds) {
    this.#needs = needs;
  }

  async open(): Promise<void> {
    for await (const [key, value] of this.#needs.books.list(prefix)) {
      this.#runners.set(parsePeerId(key.slice(prefix.length)), decode(value));
    }
    this.#judge();
  }

  /**
   * Through all of these; the legs, to be checked by whoever has a shard of them afterwards. None
   * of who was not there, or knows no races.
   */
  async run(
    peer: PeerId, shards: readonly ShardId[], signal: AbortSignal,
  ): Promise<readonly Leg[]> {
    const { clock, network, random } = this.#needs;
    const [first] = shards;
    if (first === undefined) return [];
    const ask = async (shard: ShardId): Promise<Leg> => {
      const race = makeRace({ shard }, random);
      return { race, answer: await network.prove(peer, race, { signal }) };
    };
    try {
      await ask(first);
      const startMs = clock.monotonicMs();
      const legs: Leg[] = [];
      for (const shard of shards) legs.push(await ask(shard));
      const tookMs = clock.monotonicMs() - startMs;
      if (!legs.every(({ race, answer }) => isRaceAnswer(race, answer))) return [];
      await this.#note(peer, tookMs <= this.#givenMs(peer, legs.length) ? "right" : "late");
      return legs;
    } catch (error) {
      signal.throwIfAborted();
      if (!isFault(error)) throw error;
      return [];
    }
  }

  /** Of a holder that was forgotten as such. */
  async forget(peer: PeerId): Promise<void> {
    if (!this.#runners.delete(peer)) return;
    await this.#needs.books.delete(prefix + peer);
    this.#judge();
  }

  #givenMs(peer: PeerId, legs: number): number {
    const { raceMs, raceTripMsMax } = limits.agent;
    const known = knownPeer(this.#needs.network, peer);
    const tripMs = Math.min(known?.roundTripMs ?? raceTripMsMax, raceTripMsMax);
    return raceMs + 2 * tripMs * legs;
  }

  async #note(peer: PeerId, outcome: "right" | "late"): Promise<void> {
    const { books, clock } = this.#needs;
    const lateness = latenessAfter(this.#runners.get(peer), { outcome, atMs: clock.now() });
    this.#runners.set(peer, lateness);
    await books.put(prefix + peer, encode(lateness));
    this.#judge();
  }

  #judge(): void {
    const nowMs = this.#needs.clock.now();
    const tardy = [...this.#runners].filter(([, lateness]) => isTardy({ lateness }, nowMs));
    const isOurs = 2 * tardy.length >= this.#runners.size;
    this.#needs.conduct.lags(new Set(isOurs ? [] : tardy.map(([peer]) => peer)));
  }
}

function encode(lateness: Lateness | undefined): Uint8Array {
  const { count, countedAtMs } = lateness ?? { count: 0, countedAtMs: 0 };
  return new Writer(16).varint(count).varint(countedAtMs).finish();
}

function decode(value: Uint8Array): Lateness | undefined {
  const reader = new Reader(value, "agent.race");
  const [count, countedAtMs] = [reader.varint(), reader.varint()];
  reader.end();
  return count === 0 ? undefined : { count, countedAtMs };
}
