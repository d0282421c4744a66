/**
 * The network as it was, and the bytes that peers hand out to this node told to its ledger. What it
 * is asked goes on unchanged.
 */
import type { GuardNetwork } from "../base/guard.ts";
import type { ServiceTally } from "../base/ledger.ts";
import type { PeerNetwork } from "../base/network.ts";

type Network = PeerNetwork & GuardNetwork;

export function countedNetwork(network: Network, tally: ServiceTally): Network {
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
    guard: (...asked) => network.guard(...asked),
    resolveHead: (...asked) => network.resolveHead(...asked),
    resolveManifest: (...asked) => network.resolveManifest(...asked),
  };
}
