/** What this node says of itself: an offer, signed anew when its addresses, room or time say so. */
import type { Clock } from "../../base/clock.ts";
import { limits } from "../../base/limits.ts";
import type { ShardHost } from "../../base/network.ts";
import type { Offer } from "../../base/records.ts";
import type { PeerKeys } from "../../crypt/ciphers/peer-key.ts";
import { signOffer } from "../../crypt/records/records.ts";
import { isPlainAddress } from "../wire/invite.ts";

export interface OwnOfferNeeds {
  readonly clock: Clock;
  readonly host: Pick<ShardHost, "space">;
  readonly keys: PeerKeys;
  /** With the peer at their end, or without. */
  readonly addresses: () => readonly string[];
}

export class OwnOffer {
  readonly #needs: OwnOfferNeeds;
  readonly #claims: Pick<Offer, "household" | "country" | "version">;
  #known: Offer | undefined;

  constructor(
    needs: OwnOfferNeeds,
    { household, country, version }: Pick<Offer, "household" | "country" | "version">,
  ) {
    this.#needs = needs;
    this.#claims = { household, country, ...(version === undefined ? {} : { version }) };
  }

  now(): Offer {
    const { clock, host, keys } = this.#needs;
    const suffix = `/p2p/${keys.peer}`;
    const plain = this.#needs.addresses().map((address) => address.replace(suffix, ""));
    const addresses = plain.filter(isPlainAddress).slice(0, limits.peers.offerAddressesMax);
    const nowMs = clock.now();
    const known = this.#known;
    const space = host.space();
    const stale = known === undefined ||
      Math.abs(nowMs - known.atMs) > limits.peers.offerRefreshMs ||
      known.quotaBytes !== space.quotaBytes || isFull(known) !== isFull(space) ||
      known.addresses.join() !== addresses.join();
    if (!stale) return known;
    this.#known = signOffer(keys, { atMs: nowMs, ...this.#claims, addresses, ...space });
    return this.#known;
  }
}

export function isFull({ freeBytes }: Pick<Offer, "freeBytes">): boolean {
  return freeBytes === 0;
}
