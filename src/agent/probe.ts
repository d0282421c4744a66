/**
 * Reads a whole shard from each holder now and then, by the way that users read: whoever answers
 * every challenge and gives no data back keeps a hostage, not a copy. One that has given nothing
 * for days, while it was there to be asked, loses its seats, and is forgiven when it gives a shard.
 * Bytes that are wrong are told by the read itself. Keys of the agent's books:
 *
 *   r/PEER  when it was last probed, since when it gives nothing, and how often it was asked since
 */
import type { KeyValue } from "../base/blocks.ts";
import { Reader, Writer } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { type PeerId, parsePeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { PeerNetwork } from "../base/network.ts";
import type { Random } from "../base/random.ts";
import type { Step } from "../base/step.ts";
import type { SegmentState } from "../transfer/books.ts";
import type { Health, HeldShard } from "../transfer/health.ts";
import type { Conduct } from "./conduct.ts";

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

const prefix = "r/";
const never: Probed = { atMs: 0, failingSinceMs: 0, failures: 0 };

export class Probe implements Step {
  readonly name = "probe";
  readonly #needs: ProbeNeeds;
  readonly #probed = new Map<PeerId, Probed>();

  constructor(needs: ProbeNeeds) {
    this.#needs = needs;
  }

  async open(): Promise<void> {
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
    await this.#forgetOld(nowMs);
    const there = network.peers().filter(({ online }) => online);
    const online = new Set(there.map(({ offer }) => offer.peer));
    const shard = this.#pick(health.segments(), online, nowMs);
    if (shard === undefined) return "idle";
    const { holder } = shard;
    const verdict = await health.probeShard(shard, signal);
    signal.throwIfAborted();
    // Wrong bytes are known by then to whoever watches. Silence of one that is there counts here.
    const isGiven = verdict === "right" || verdict === "wrong";
    await this.#note(holder, after(this.#probed.get(holder) ?? never, { isGiven, nowMs }));
    if (!isGiven) log.info("agent.probe.nothing", { peer: holder, verdict });
    return "idle";
  }

  #pick(
    segments: readonly SegmentState[], online: ReadonlySet<PeerId>, nowMs: number,
  ): HeldShard | undefined {
    const due = duePeer(segments, this.#probed, { online, nowMs });
    if (due === undefined) return undefined;
    const held = segments.flatMap(({ segment, holders }) => {
      return holders.flatMap((holder, index) => holder === due ? [{ segment, index, holder }] : []);
    });
    return held[this.#needs.random.below(held.length)];
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
      this.#judge(peer);
    }
  }
}

/** The holder that was probed longest ago, if that is long enough. Pure. */
export function duePeer(
  segments: readonly SegmentState[], probed: ReadonlyMap<PeerId, Probed>,
  { online, nowMs }: { readonly online: ReadonlySet<PeerId>; readonly nowMs: number },
): PeerId | undefined {
  const holders = new Set(segments.flatMap((state) => state.holders));
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
