/**
 * Reads a whole shard from each holder now and then, by the way that users read: whoever answers
 * every challenge and gives no data back keeps a hostage, not a copy. One that has given nothing
 * for days, while it was there to be asked, loses its seats, and is forgiven when it gives a shard.
 * Bytes that are wrong are told by the read itself. Before it the holder runs a race (race.ts), and
 * what is read is what its answer is checked by. Keys of the agent's books:
 *
 *   r/PEER  when it was last probed, since when it gives nothing, and how often it was asked since
 */
import type { KeyValue } from "../../base/blocks.ts";
import { agentKeys } from "../../base/book-keys.ts";
import { Reader, Writer } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { type PeerId, type ShardId, parsePeerId } from "../../base/ids.ts";
import { onlineAmong } from "../../base/known-peers.ts";
import { limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { PeerNetwork } from "../../base/network.ts";
import { type Random, shuffled } from "../../base/random.ts";
import { inSlices } from "../../base/slices.ts";
import type { Step } from "../../base/step.ts";
import { shardIdOf } from "../../crypt/blocks/merkle.ts";
import { runRace } from "../../proofs/race.ts";
import type { Health, HeldShard } from "../../transfer/health.ts";
import type { Conduct } from "../conduct/conduct.ts";
import { type Leg, Races } from "./race.ts";

export interface ProbeNeeds {
  readonly network: PeerNetwork;
  readonly health: Health;
  readonly conduct: Conduct;
  readonly books: KeyValue;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** What is remembered of a holder's probes. */
export interface Probed {
  readonly atMs: number;
  /** Of the first of those in a row that brought nothing; 0 when the last one did. */
  readonly failingSinceMs: number;
  readonly failures: number;
}

const prefix = agentKeys.probe;
const never: Probed = { atMs: 0, failingSinceMs: 0, failures: 0 };

export class Probe implements Step {
  readonly name = "probe";
  readonly #needs: ProbeNeeds;
  readonly #probed = new Map<PeerId, Probed>();
  readonly #races: Races;
  /** When nobody was due: to find that out, every holder of every segment is looked at. */
  #idleAtMs = -Infinity;

  constructor(needs: ProbeNeeds) {
    this.#needs = needs;
    this.#races = new Races(needs);
  }

  async open(): Promise<void> {
    await this.#races.open();
    for await (const [key, value] of this.#needs.books.list(prefix)) {
      const peer = parsePeerId(key.slice(prefix.length));
      this.#probed.set(peer, decode(value));
      this.#judge(peer);
    }
  }

  /** One shard of the holder that has waited longest. */
  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const { network, health, clock, log } = this.#needs;
    const nowMs = clock.now();
    if (Math.abs(nowMs - this.#idleAtMs) < limits.agent.probeLookMs) return "idle";
    await this.#forgetOld(nowMs);
    const held = await this.#pick(onlineAmong(network.peers()), nowMs);
    const [shard] = held;
    if (shard === undefined) {
      this.#idleAtMs = nowMs;
      return "idle";
    }
    const { holder } = shard;
    const legs = await this.#race(holder, held, signal);
    const { verdict, bytes } = await health.probeShard(shard, signal);
    signal.throwIfAborted();
    if (bytes !== undefined) this.#check(holder, legs, bytes);
    // Wrong bytes are known by then to whoever watches. Silence of one that is there counts here.
    const isGiven = verdict === "right" || verdict === "wrong";
    await this.#note(holder, after(this.#probed.get(holder) ?? never, { isGiven, nowMs }));
    if (!isGiven) log.info("agent.probe.nothing", { peer: holder, verdict });
    return "idle";
  }

  /** A few of what the holder that is due keeps, by chance. */
  async #pick(online: ReadonlySet<PeerId>, nowMs: number): Promise<readonly HeldShard[]> {
    const segments = this.#needs.health.segments();
    const { segmentsPerSlice, raceShards } = limits.agent;
    const holders = new Set<PeerId | undefined>();
    await inSlices(segments, segmentsPerSlice, (state) => {
      for (const holder of state.holders) holders.add(holder);
    });
    const due = duePeer(holders, this.#probed, { online, nowMs });
    const held: HeldShard[] = [];
    if (due === undefined) return held;
    await inSlices(segments, segmentsPerSlice, (state) => {
      const index = state.holders.indexOf(due);
      if (index >= 0) held.push({ segment: state.segment, index, holder: due });
    });
    return Array.from({ length: Math.min(raceShards, held.length) }, () => {
      return held.splice(this.#needs.random.below(held.length), 1)[0] as HeldShard;
    });
  }

  /** In another order, so that nobody can know which of them is read afterwards. */
  async #race(
    holder: PeerId, held: readonly HeldShard[], signal: AbortSignal,
  ): Promise<readonly Leg[]> {
    const { health, random } = this.#needs;
    const shards: ShardId[] = [];
    for (const { segment, index } of held) {
      const { roots } = await health.record(segment, signal);
      shards.push(roots[index] as ShardId);
    }
    return await this.#races.run(holder, shuffled(shards, random), signal);
  }

  #check(holder: PeerId, legs: readonly Leg[], bytes: Uint8Array): void {
    const shard = shardIdOf(bytes);
    const leg = legs.find(({ race }) => race.shard === shard);
    if (leg === undefined || runRace(leg.race, holder, bytes).equals(leg.answer)) return;
    this.#needs.log.warn("agent.race.wrong", { peer: holder });
    this.#needs.health.saw({ peer: holder, verdict: "wrong", act: "prove" });
  }

  async #note(peer: PeerId, probed: Probed): Promise<void> {
    this.#probed.set(peer, probed);
    await this.#needs.books.put(prefix + peer, encode(probed));
    this.#judge(peer);
  }

  #judge(peer: PeerId): void {
    const probed = this.#probed.get(peer) ?? never;
    this.#needs.conduct.refuses(peer, isRefusing(probed));
  }

  /** Whoever has lost its seats is asked no more, and may begin anew in a month. */
  async #forgetOld(nowMs: number): Promise<void> {
    for (const [peer, { atMs }] of this.#probed) {
      if (Math.abs(nowMs - atMs) < limits.agent.probeForgetMs) continue;
      this.#probed.delete(peer);
      await this.#needs.books.delete(prefix + peer);
      await this.#races.forget(peer);
      this.#judge(peer);
    }
  }
}

/** The holder that was probed longest ago, if that is long enough. Pure. */
export function duePeer(
  holders: Iterable<PeerId | undefined>, probed: ReadonlyMap<PeerId, Probed>,
  { online, nowMs }: { readonly online: ReadonlySet<PeerId>; readonly nowMs: number },
): PeerId | undefined {
  let due: { readonly peer: PeerId; readonly atMs: number } | undefined;
  for (const peer of holders) {
    if (peer === undefined || !online.has(peer)) continue;
    const { atMs } = probed.get(peer) ?? never;
    // What lies ahead was written before the clock was set back.
    const isRested = atMs > nowMs || nowMs - atMs >= limits.agent.probeEveryMs;
    if (isRested && (due === undefined || atMs < due.atMs)) due = { peer, atMs };
  }
  return due?.peer;
}

function after(
  { failingSinceMs, failures }: Probed,
  { isGiven, nowMs }: { readonly isGiven: boolean; readonly nowMs: number },
): Probed {
  if (isGiven) return { ...never, atMs: nowMs };
  const since = failures === 0 ? nowMs : Math.min(failingSinceMs, nowMs);
  return { atMs: nowMs, failingSinceMs: since, failures: failures + 1 };
}

/** Asked often enough, over days enough: a busy evening or a broken line is no hostage. */
export function isRefusing({ atMs, failingSinceMs, failures }: Probed): boolean {
  const { probeFailuresMax, probeRefusalMs } = limits.agent;
  return failures >= probeFailuresMax && atMs - failingSinceMs >= probeRefusalMs;
}

function encode({ atMs, failingSinceMs, failures }: Probed): Uint8Array {
  return new Writer(24).varint(atMs).varint(failingSinceMs).varint(failures).finish();
}

function decode(value: Uint8Array): Probed {
  const reader = new Reader(value, "agent.probed");
  const probed = {
    atMs: reader.varint(), failingSinceMs: reader.varint(), failures: reader.varint(),
  };
  reader.end();
  return probed;
}
