/**
 * How long each holder has taken lately for an answer of about this size, and its fellows: what a
 * slow one is told by. It measures and compares; whom to ask, and how often, is decided elsewhere.
 */
import { KiB } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";

interface Sample {
  readonly ms: number;
  readonly atMs: number;
}

/** Answers are compared with answers of their own size: a page, a chunk, a shard. */
const sizesUpToBytes = [64 * KiB, 384 * KiB, Infinity] as const;

export class Pace {
  readonly #clock: Clock;
  /** By size and peer, oldest first. */
  readonly #samples = sizesUpToBytes.map(() => new Map<PeerId, Sample[]>());

  constructor(needs: { readonly clock: Clock }) {
    this.#clock = needs.clock;
  }

  /** One answer's time; or of one that was called off, how long it had not come. */
  took(peer: PeerId, lengthBytes: number, ms: number): void {
    const ofSize = this.#ofSize(lengthBytes);
    const samples = this.#fresh(ofSize.get(peer) ?? []);
    samples.push({ ms, atMs: this.#clock.monotonicMs() });
    // The latest to be heard of is the last to be forgotten.
    ofSize.delete(peer);
    ofSize.set(peer, samples.slice(-limits.transfer.paceSamplesMax));
    if (ofSize.size <= limits.transfer.pacePeersMax) return;
    ofSize.delete(ofSize.keys().next().value as PeerId);
  }

  /** What half of this holder's answers took at most; undefined when it gave none lately. */
  usualMs(peer: PeerId, lengthBytes: number): number | undefined {
    return this.#quantile(peer, lengthBytes, 0.5);
  }

  /**
   * How long to wait for this holder before others are asked too: longer than nearly all of its own
   * answers took, if that is neither less nor much more than its quicker fellows need.
   */
  patienceMs(peer: PeerId, fellows: readonly PeerId[], lengthBytes: number): number {
    const { hedgeMsMin, hedgeMsMax, hedgeFactor } = limits.transfer;
    const quick = this.#quickMs(fellows, lengthBytes);
    const own = this.#quantile(peer, lengthBytes, 0.95);
    if (quick === undefined) return hedgeMsMax;
    const most = quick * hedgeFactor;
    const usual = Math.min(Math.max(own ?? 0, most * 2 / 3), most);
    return Math.min(Math.max(usual, hedgeMsMin), hedgeMsMax);
  }

  /**
   * True for one that takes several times as long as its quicker fellows do; told by answers of
   * this size, or if it gave none by those that it gave.
   */
  isSlow(peer: PeerId, fellows: readonly PeerId[], lengthBytes: number): boolean {
    const sizes = [lengthBytes, ...sizesUpToBytes];
    const known = sizes.find((bytes) => this.usualMs(peer, bytes) !== undefined);
    return known !== undefined && this.#isSlowWith(peer, fellows, known);
  }

  #isSlowWith(peer: PeerId, fellows: readonly PeerId[], lengthBytes: number): boolean {
    const own = this.usualMs(peer, lengthBytes);
    const quick = this.#quickMs(fellows, lengthBytes);
    if (own === undefined || quick === undefined) return false;
    const { hedgeFactor, hedgeMsMin } = limits.transfer;
    return own > hedgeFactor * quick && own - quick > hedgeMsMin;
  }

  /** The usual time of the quicker ones: where half are slow, they are not the measure. */
  #quickMs(peers: readonly PeerId[], lengthBytes: number): number | undefined {
    const usual = peers.flatMap((peer) => this.usualMs(peer, lengthBytes) ?? []).sort(rising);
    return usual[Math.floor(usual.length / 4)];
  }

  #quantile(peer: PeerId, lengthBytes: number, share: number): number | undefined {
    const samples = this.#fresh(this.#ofSize(lengthBytes).get(peer) ?? []);
    return samples.map(({ ms }) => ms).sort(rising)[Math.floor(samples.length * share)];
  }

  /** What was long ago says nothing: who was slow then is asked again. */
  #fresh(samples: readonly Sample[]): Sample[] {
    const sinceMs = this.#clock.monotonicMs() - limits.transfer.paceAgeMsMax;
    return samples.filter(({ atMs }) => atMs >= sinceMs);
  }

  #ofSize(lengthBytes: number): Map<PeerId, Sample[]> {
    const at = sizesUpToBytes.findIndex((upTo) => lengthBytes <= upTo);
    return this.#samples[at] as Map<PeerId, Sample[]>;
  }
}

/**
 * What asking twice may cost: as many bytes as a share of those that were read, and a burst. It is
 * asked for impatience only; whoever failed is replaced in any case.
 */
export class HedgeBudget {
  #creditBytes: number = limits.transfer.hedgeBytesMax;

  /** So many bytes were read that somebody wanted. */
  earn(bytes: number): void {
    const { hedgeShare, hedgeBytesMax } = limits.transfer;
    this.#creditBytes = Math.min(this.#creditBytes + bytes * hedgeShare, hedgeBytesMax);
  }

  spend(bytes: number): boolean {
    if (bytes > this.#creditBytes) return false;
    this.#creditBytes -= bytes;
    return true;
  }
}

function rising(a: number, b: number): number {
  return a - b;
}
