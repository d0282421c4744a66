/**
 * The step that keeps this node among its peers: renews its offer, writes the book, tries lost
 * peers whose time has come, hears of new ones, measures round trips, and does its part in the
 * DHT. A few of each per call.
 */
import { isFault } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { Step } from "../../base/step.ts";
import { parseOffer } from "../../crypt/records/records.ts";
import type { Link } from "../asking/link.ts";
import { parseList } from "../wire/message.ts";
import type { Book } from "./book.ts";
import type { Presence } from "./presence.ts";

export interface ExchangeNeeds {
  readonly log: Log;
  readonly book: Book;
  readonly presence: Presence;
  readonly linkTo: (peer: PeerId) => Link;
  /** Tries the addresses that it was told to begin with, while it is alone. */
  readonly begin: () => void;
  readonly connections: () => number;
  readonly renewOffer: () => void;
  /** Ends the connection to a peer that is there no more. */
  readonly drop: (peer: PeerId) => void;
}

export class Exchange implements Step {
  readonly name = "peers.exchange";
  readonly #needs: ExchangeNeeds;

  constructor(needs: ExchangeNeeds) {
    this.#needs = needs;
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const { book } = this.#needs;
    this.#needs.renewOffer();
    this.#needs.begin();
    const wrote = await book.flush();
    const dialled = await this.#dial(signal);
    const asked = book.dueAsk();
    if (asked !== undefined) await this.#quietly(asked, this.askOffers(asked, signal));
    const due = book.duePings(limits.peers.pingsPerStep);
    for (const peer of due) await this.#quietly(peer, this.#needs.linkTo(peer).ping(signal));
    const present = await this.#needs.presence.step(signal);
    const hasMore = due.length === limits.peers.pingsPerStep;
    return wrote || dialled || hasMore || asked !== undefined ? "busy" : present;
  }

  /** Hears of other peers from this one. */
  async askOffers(peer: PeerId, signal?: AbortSignal): Promise<void> {
    const limit = limits.peers.offersSampleMax;
    const answer = await this.#needs.linkTo(peer).call({ op: "offers", limit }, none, { signal });
    for (const bytes of parseList(answer, limit)) {
      this.#needs.book.accept(parseOffer(bytes), { teller: peer });
    }
  }

  async #dial(signal: AbortSignal): Promise<boolean> {
    // Half of the room stays for those who come to us.
    const room = limits.peers.connectionsMax / 2 - this.#needs.connections();
    const count = Math.min(limits.peers.dialsPerStep, Math.max(0, room));
    const due = this.#needs.book.dueDials(count);
    await Promise.all(due.map((peer) => {
      return this.#quietly(peer, this.#needs.linkTo(peer).greet(signal));
    }));
    return due.length > 0;
  }

  /** A peer that fails is one that is tried later; only what is no fault goes up. */
  async #quietly(peer: PeerId, work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#needs.book.failed(peer);
      // Nothing here waits for its vault: who is silent has gone without a word.
      if (error.kind === "TimedOut") this.#needs.drop(peer);
      this.#needs.log.debug("peer.failed", { peer, fault: describe(error) });
    }
  }
}

const none = Buffer.alloc(0);
