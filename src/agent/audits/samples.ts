/**
 * Asks holders of much for random leaves of all that they keep of this drive (sample-pace.ts has
 * the measure), and remembers who was proven so, and when. Keys of the agent's books:
 *
 *   q/PEER  when it was last asked, right leaves in a row, since when, and when it was last proven
 */
import type { KeyValue } from "../../base/blocks.ts";
import { agentKeys } from "../../base/book-keys.ts";
import { Reader, Writer } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { type PeerId, parsePeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { PeerNetwork } from "../../base/network.ts";
import type { SegmentState } from "../../transfer/books.ts";
import { type Load, type Pace, type Sampled } from "./sample-pace.ts";
import { isDue, loadsOf, neverSampled, paceOf, sampledNow } from "./sample-pace.ts";

export interface SamplesNeeds {
  readonly network: PeerNetwork;
  readonly books: KeyValue;
  readonly clock: Clock;
}

/** A holder whose turn it is. */
export interface DueSample {
  readonly peer: PeerId;
  readonly pace: Pace;
  readonly load: Load;
}

const prefix = agentKeys.sample;

export class Samples {
  readonly #needs: SamplesNeeds;
  readonly #intervalMs: number;
  readonly #sampled = new Map<PeerId, Sampled>();
  /** Holders of too much to be asked for all of it. */
  #plan: ReadonlyMap<PeerId, { readonly pace: Pace; readonly load: Load }> = new Map();
  #plannedMs = -Infinity;

  constructor(needs: SamplesNeeds, options: { readonly intervalMs: number }) {
    this.#needs = needs;
    this.#intervalMs = options.intervalMs;
  }

  async open(): Promise<void> {
    const { books, clock } = this.#needs;
    for await (const [key, value] of books.list(prefix)) {
      const sampled = decode(value);
      const isOld = Math.abs(clock.now() - sampled.askedAtMs) >= limits.agent.sampleForgetMs;
      if (isOld) await books.delete(key);
      else this.#sampled.set(parsePeerId(key.slice(prefix.length)), sampled);
    }
  }

  /** Looks now and then at who keeps how much of these. */
  plan(segments: () => readonly SegmentState[]): void {
    const nowMs = this.#needs.clock.now();
    if (Math.abs(nowMs - this.#plannedMs) < limits.agent.samplePlanMs) return;
    this.#plannedMs = nowMs;
    const kept = new Map(this.#needs.network.peers().map(({ offer }) => {
      return [offer.peer, Math.max(0, offer.quotaBytes - offer.freeBytes)];
    }));
    this.#plan = new Map([...loadsOf(segments())].flatMap(([peer, load]) => {
      const told = { keptBytes: kept.get(peer) ?? 0, intervalMs: this.#intervalMs };
      const pace = paceOf(load, told);
      return pace === undefined ? [] : [[peer, { pace, load }]];
    }));
  }

  /** It is asked for samples, and not for every shard. */
  has(peer: PeerId): boolean {
    return this.#plan.has(peer);
  }

  /** Since when all that it keeps counts as proven; 0 for who never was, or is asked otherwise. */
  provenAtMs(peer: PeerId): number {
    return this.has(peer) ? this.#sampled.get(peer)?.provenAtMs ?? 0 : 0;
  }

  /** Who has waited longest, if that is long enough. */
  next(): DueSample | undefined {
    const nowMs = this.#needs.clock.now();
    const askedAtMs = (peer: PeerId): number => this.#sampled.get(peer)?.askedAtMs ?? 0;
    const due = [...this.#plan].filter(([peer, { pace }]) => {
      return isDue(this.#sampled.get(peer) ?? neverSampled, pace, nowMs);
    });
    due.sort(([one], [other]) => askedAtMs(one) - askedAtMs(other));
    return due.map(([peer, planned]) => ({ peer, ...planned }))[0];
  }

  async note(
    peer: PeerId, told: Omit<Parameters<typeof sampledNow>[1], "nowMs">,
  ): Promise<void> {
    const before = this.#sampled.get(peer) ?? neverSampled;
    const sampled = sampledNow(before, { ...told, nowMs: this.#needs.clock.now() });
    this.#sampled.set(peer, sampled);
    await this.#needs.books.put(prefix + peer, encode(sampled));
  }
}

function encode({ askedAtMs, leaves, sinceMs, provenAtMs }: Sampled): Uint8Array {
  const writer = new Writer(32).varint(askedAtMs).varint(leaves);
  return writer.varint(sinceMs).varint(provenAtMs).finish();
}

function decode(value: Uint8Array): Sampled {
  const reader = new Reader(value, "agent.sampled");
  const [askedAtMs, leaves] = [reader.varint(), reader.varint()];
  const [sinceMs, provenAtMs] = [reader.varint(), reader.varint()];
  reader.end();
  return { askedAtMs, leaves, sinceMs, provenAtMs };
}
