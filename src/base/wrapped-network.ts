/** A PeerNetwork around another one: it does some things in its own way, and passes on the rest. */
import type { PeerNetwork } from "./network.ts";

export function wrappedNetwork(
  network: PeerNetwork, own: Partial<Omit<PeerNetwork, "self">>,
): PeerNetwork {
  return {
    self: network.self,
    offer: () => network.offer(),
    peers: () => network.peers(),
    store: (...asked) => network.store(...asked),
    read: (...asked) => network.read(...asked),
    prove: (...asked) => network.prove(...asked),
    release: (...asked) => network.release(...asked),
    putRecord: (...asked) => network.putRecord(...asked),
    records: (...asked) => network.records(...asked),
    segments: (...asked) => network.segments(...asked),
    publish: (...asked) => network.publish(...asked),
    resolveHead: (...asked) => network.resolveHead(...asked),
    resolveManifest: (...asked) => network.resolveManifest(...asked),
    ...own,
  };
}
