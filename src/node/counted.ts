/**
 * The network as it was, and the bytes that peers hand out to this node told to its ledger. What it
 * is asked goes on unchanged.
 */
import type { ServiceTally } from "../base/ledger.ts";
import type { PeerNetwork } from "../base/network.ts";

export function countedNetwork(network: PeerNetwork, tally: ServiceTally): PeerNetwork {
  return {
    self: network.self,
    offer: () => network.offer(),
    peers: () => network.peers(),
    store: (...asked) => network.store(...asked),
    async read(...asked) {
      const bytes = await network.read(...asked);
      tally.sent(asked[0], bytes.length);
      return bytes;
    },
    prove: (...asked) => network.prove(...asked),
    release: (...asked) => network.release(...asked),
    putRecord: (...asked) => network.putRecord(...asked),
    records: (...asked) => network.records(...asked),
    segments: (...asked) => network.segments(...asked),
    publish: (...asked) => network.publish(...asked),
    resolveHead: (...asked) => network.resolveHead(...asked),
    resolveManifest: (...asked) => network.resolveManifest(...asked),
  };
}
