/**
 * How a node behind a router searches the DHT for a relay. libp2p's own search asks for random
 * places as fast as they are answered, and for ever where nobody is a relay: a processor's work at
 * this node and at all whom it asks. This one rests between two places, longer each time.
 */
import type { PeerInfo, PeerRouting } from "@libp2p/interface";
import type { Clock } from "../../base/clock.ts";
import { limits } from "../../base/limits.ts";
import type { Random } from "../../base/random.ts";

export interface SearchNeeds {
  readonly clock: Clock;
  readonly random: Random;
}

/** In the place of libp2p's RandomWalk; it ends with the signal. */
export class RelaySearch {
  readonly #routing: () => Pick<PeerRouting, "getClosestPeers">;
  readonly #needs: SearchNeeds;

  /** Whoever routes is there only once the node has started. */
  constructor(needs: SearchNeeds, routing: () => Pick<PeerRouting, "getClosestPeers">) {
    this.#needs = needs;
    this.#routing = routing;
  }

  async *walk({ signal }: { readonly signal?: AbortSignal } = {}): AsyncGenerator<PeerInfo> {
    const { clock, random } = this.#needs;
    let pauseMs: number = limits.relay.searchPauseMsMin;
    for (;;) {
      const place = random.bytes(32);
      yield* this.#routing().getClosestPeers(place, signal === undefined ? {} : { signal });
      await clock.delay(pauseMs, signal);
      pauseMs = Math.min(2 * pauseMs, limits.relay.searchPauseMsMax);
    }
  }
}
