/**
 * This node's part in the DHT, a little at a time: publishes its own offer, looks for peers while
 * it knows few, and asks where those are that do not answer at the addresses we know.
 */
import type { Clock } from "../../base/clock.ts";
import { isFault } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { Random } from "../../base/random.ts";
import type { Offer } from "../../base/records.ts";
import { type SearchOptions, publishOffer, resolveOffer, searchOffers } from "../dht/dht.ts";
import type { Node } from "../libp2p/node.ts";
import type { Book } from "./book.ts";

export interface PresenceNeeds {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly book: Book;
  readonly node: Node;
  /** This node's own, as it is now. */
  readonly offer: () => Offer;
}

export class Presence {
  readonly #needs: PresenceNeeds;
  #publishAtMs: number;
  #published: readonly string[] = [];
  #seekAtMs: number;
  /** Whom we knew nothing of, and when we asked the DHT. */
  readonly #sought = new Map<PeerId, number>();

  constructor(needs: PresenceNeeds) {
    this.#needs = needs;
    const { publishAfterMs } = limits.dht;
    const startMs = needs.clock.monotonicMs();
    // Machines that start together, as after a power cut, do not all speak at once.
    this.#publishAtMs = startMs + publishAfterMs * (1 + needs.random.unit());
    this.#seekAtMs = startMs + publishAfterMs * needs.random.unit();
  }

  /** One thing that is due, if any is. */
  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    if (this.#needs.node.getConnections().length === 0) return "idle";
    if (this.#mustPublish()) return this.#quietly(() => this.publish(signal));
    if (this.#mustSeek()) {
      const { peersWanted: count } = limits.dht;
      return this.#quietly(() => this.seek({ count, signal }));
    }
    const lost = this.#needs.book.dueLookUp();
    if (lost === undefined) return "idle";
    return this.#quietly(async () => {
      const offer = await resolveOffer(this.#needs.node, lost, signal);
      if (offer !== undefined && this.#needs.book.accept(offer)) this.#needs.book.hurry(lost);
    });
  }

  async publish(signal?: AbortSignal): Promise<void> {
    const { clock, random } = this.#needs;
    const everyMs = limits.dht.publishEveryMs * (0.75 + random.unit() / 2);
    this.#publishAtMs = clock.monotonicMs() + everyMs;
    const offer = this.#needs.offer();
    this.#published = offer.addresses;
    await publishOffer(this.#needs.node, offer, signal);
  }

  /** Looks for peers of a place; answers how many it heard of that were not known. */
  async seek(options: SearchOptions): Promise<number> {
    const { book, node, random, clock } = this.#needs;
    this.#seekAtMs = clock.monotonicMs() + limits.dht.seekEveryMs;
    let news = 0;
    for (const { offer, teller } of await searchOffers(node, random, options)) {
      if (book.accept(offer, { teller })) news++;
    }
    return news;
  }

  /** Where a stranger says that he is; asked once in a while only. */
  async find(peer: PeerId, signal?: AbortSignal): Promise<Offer | undefined> {
    const { clock, node } = this.#needs;
    const nowMs = clock.monotonicMs();
    const askedMs = this.#sought.get(peer) ?? -Infinity;
    if (node.getConnections().length === 0 || nowMs - askedMs < limits.dht.lookUpEveryMs) {
      return undefined;
    }
    this.#sought.delete(peer);
    this.#sought.set(peer, nowMs);
    const [oldest] = this.#sought.keys();
    const full = this.#sought.size > limits.dht.soughtMax;
    if (full && oldest !== undefined) this.#sought.delete(oldest);
    const offer = await resolveOffer(node, peer, signal);
    if (offer !== undefined) this.#needs.book.accept(offer);
    return offer;
  }

  #mustPublish(): boolean {
    const nowMs = this.#needs.clock.monotonicMs();
    if (nowMs >= this.#publishAtMs) return true;
    if (this.#published.length === 0) return false;
    // It moved: whoever looks for it must not wait for hours.
    return this.#needs.offer().addresses.join() !== this.#published.join();
  }

  #mustSeek(): boolean {
    const isDue = this.#needs.clock.monotonicMs() >= this.#seekAtMs;
    return isDue && this.#needs.book.peers().length < limits.dht.peersWanted;
  }

  async #quietly(work: () => Promise<unknown>): Promise<"busy"> {
    try {
      await work();
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#needs.log.debug("dht.failed", { fault: describe(error) });
    }
    return "busy";
  }
}
