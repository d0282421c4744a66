/**
 * The holders of somebody else's folder, asked by one who may verify it: over the network, or,
 * where this node is among them, of its own vault, in the name of its people. Who is there is who
 * is connected: of a stranger's holders nothing is remembered, and nobody is condemned.
 */
import type { Clock } from "../../base/clock.ts";
import { HiveError } from "../../base/errors.ts";
import type { OwnerId, PeerId } from "../../base/ids.ts";
import { isOnline } from "../../base/known-peers.ts";
import type { PeerNetwork, Requester, ShardHost } from "../../base/network.ts";
import type { Random } from "../../base/random.ts";
import { shardIdOf } from "../../crypt/blocks/merkle.ts";
import { askHolder } from "./ask.ts";
import type { CareReach } from "./guard-reach.ts";

export interface WardReachNeeds {
  readonly network: PeerNetwork;
  readonly host: ShardHost;
  /** For whom this node may ask. */
  readonly acting: () => readonly OwnerId[];
  readonly clock: Clock;
  readonly random: Random;
}

export function wardReach(needs: WardReachNeeds): CareReach {
  const { network, host } = needs;
  const { self } = network;
  const from = (): Requester => ({ peer: self, owners: needs.acting() });
  const isThere = (peer: PeerId): boolean => peer === self || isOnline(network, peer);
  return {
    self, isThere,
    isOnline: isThere,
    isDead: () => false,
    isFresh: () => false,
    ask: (berth, leaves, signal) => askHolder(needs, berth, {
      leaves, signal,
      prove: (challenge) => berth.peer === self
        ? host.prove(from(), challenge)
        : network.prove(berth.peer, challenge, { signal }),
    }),
    async read({ record: { roots, shardBytes, segment }, index, peer }, signal) {
      const shard = roots[index];
      if (shard === undefined) throw new HiveError("Invalid", "ward.read", `shard ${index}`);
      const whole = { offsetBytes: 0, lengthBytes: shardBytes };
      const bytes = peer === self
        ? await host.read(from(), shard, whole)
        : await network.read(peer, shard, whole, { signal, urgency: "background" });
      if (shardIdOf(bytes) === shard) return bytes;
      throw new HiveError("Corrupt", "ward.read", `${segment}/${index}`);
    },
    async store({ record, index, peer }, { manifest, bytes }, signal) {
      if (peer !== self) {
        await network.store(peer, { record, manifest, index }, bytes, { signal });
      } else {
        const told = { record: record.bytes, manifest: manifest.bytes, index };
        await host.store(from(), told, bytes);
      }
    },
  };
}
