/**
 * The links to other peers, one each, while there is somebody at the other end or on the way there.
 * Peers that are known by hearsay alone are tried one after another, and new ones cost nothing to
 * make up: of those that never came about none is kept for long.
 */
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Link } from "./link.ts";

export interface LinksNeeds {
  readonly make: (peer: PeerId) => Link;
  readonly isConnected: (peer: PeerId) => boolean;
}

export class Links {
  readonly #needs: LinksNeeds;
  readonly #links = new Map<PeerId, Link>();

  constructor(needs: LinksNeeds) {
    this.#needs = needs;
  }

  get size(): number {
    return this.#links.size;
  }

  all(): readonly Link[] {
    return [...this.#links.values()];
  }

  of(peer: PeerId): Link {
    const known = this.#links.get(peer);
    if (known !== undefined) return known;
    if (this.#links.size >= limits.peers.linksMax) this.#sweep();
    const link = this.#needs.make(peer);
    this.#links.set(peer, link);
    return link;
  }

  /** Nobody is there any more. */
  forget(peer: PeerId): void {
    this.#links.delete(peer);
  }

  #sweep(): void {
    for (const [peer, { underway }] of this.#links) {
      if (underway === 0 && !this.#needs.isConnected(peer)) this.#links.delete(peer);
    }
  }
}
