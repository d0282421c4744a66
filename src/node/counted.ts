/**
 * The network as it was, and the bytes that peers hand out to this node told to its ledger. What it
 * is asked goes on unchanged.
 */
import type { ServiceTally } from "../base/ledger.ts";
import type { PeerNetwork } from "../base/network.ts";
import { wrappedNetwork } from "../base/wrapped-network.ts";

export function countedNetwork(network: PeerNetwork, tally: ServiceTally): PeerNetwork {
  return wrappedNetwork(network, {
    async read(...asked) {
      const bytes = await network.read(...asked);
      tally.sent(asked[0], bytes.length);
      return bytes;
    },
  });
}
