/**
 * The network with this node among the holders: what it keeps of others itself is answered by its
 * own vault, as it answers any peer that acts for the same people. Nobody dials himself, and among
 * few friends who keeps a folder's shards is often one of its readers.
 */
import type { Clock } from "../base/clock.ts";
import { HiveError } from "../base/errors.ts";
import type { OwnerId, PeerId } from "../base/ids.ts";
import type { KnownPeer, PeerNetwork, Requester, ShardHost } from "../base/network.ts";
import type { ShareHost, ShareNetwork } from "../base/sharing.ts";
import { wrappedNetwork } from "../base/wrapped-network.ts";

export function withOwnVault(
  network: PeerNetwork & ShareNetwork,
  { vault, acting, clock }: {
    readonly vault: Pick<ShardHost, "read"> & ShareHost;
    /** For whom this node may ask. */
    readonly acting: () => readonly OwnerId[];
    readonly clock: Clock;
  },
): PeerNetwork & ShareNetwork {
  const isSelf = (peer: PeerId): boolean => peer === network.self;
  const from = (): Requester => ({ peer: network.self, owners: acting() });
  const self = (): KnownPeer => ({
    offer: network.offer(), online: true, roundTripMs: 0, lastSeenMs: clock.now(),
  });
  // As with any network: the list stays the same until something in it changes.
  let last: { readonly others?: readonly KnownPeer[]; readonly all: readonly KnownPeer[] } =
    { all: [] };
  const peers = (): readonly KnownPeer[] => {
    const others = network.peers();
    if (last.others !== others) last = { others, all: [self(), ...others] };
    return last.all;
  };
  const wrapped = wrappedNetwork(network, {
    peers,
    async read(...asked) {
      const [to, shard, range, options] = asked;
      if (!isSelf(to)) return network.read(...asked);
      options?.begun?.();
      return vault.read(from(), shard, range);
    },
    async segments(...asked) {
      if (isSelf(asked[0])) throw new HiveError("Unavailable", "node.segments", "others have them");
      return network.segments(...asked);
    },
    async records(...asked) {
      if (isSelf(asked[0])) throw new HiveError("Unavailable", "node.records", "others have them");
      return network.records(...asked);
    },
  });
  return {
    ...wrapped,
    async share(to, act, payload, options) {
      if (isSelf(to)) return vault.share(from(), act, payload);
      return network.share(to, act, payload, options);
    },
  };
}
