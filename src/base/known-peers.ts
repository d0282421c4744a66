/**
 * What is known of one peer, in one way for all who ask. A network gives out the same list until
 * something in it changes, so that an index of each list is made once: a scan of thousands of peers
 * for each of thousands of shards would cost seconds.
 */
import type { PeerId } from "./ids.ts";
import type { KnownPeer, PeerNetwork } from "./network.ts";

type Acquainted = Pick<PeerNetwork, "peers">;

const indexes = new WeakMap<readonly KnownPeer[], ReadonlyMap<PeerId, KnownPeer>>();

/** Undefined of the node itself, and of a peer that nobody told of. */
export function knownPeer(network: Acquainted, peer: PeerId): KnownPeer | undefined {
  const known = network.peers();
  const index = indexes.get(known) ?? new Map(known.map((one) => [one.offer.peer, one]));
  indexes.set(known, index);
  return index.get(peer);
}

/** In the order of the list. */
export function onlineAmong(known: readonly KnownPeer[]): ReadonlySet<PeerId> {
  return new Set(known.filter(({ online }) => online).map(({ offer }) => offer.peer));
}

export function isOnline(network: Acquainted, peer: PeerId): boolean {
  return knownPeer(network, peer)?.online === true;
}
