/** Makes the libp2p node, its door and the hub between them; hub.ts does the rest. */
import { privateKeyFromRaw } from "@libp2p/crypto/keys";
import { HiveError } from "../base/errors.ts";
import { peerKeysOf } from "../crypt/ciphers/peer-key.ts";
import { Door } from "./answering/door.ts";
import type { Meter } from "./asking/pipe.ts";
import { dhtPart } from "./dht/dht-part.ts";
import { Hub } from "./hub.ts";
import { Remembered } from "./libp2p/memory.ts";
import { openNode } from "./libp2p/node.ts";
import { reachOf } from "./libp2p/reach.ts";
import type { Peers, PeersNeeds, PeersOptions } from "./peers.ts";

export async function openPeers(needs: PeersNeeds, options: PeersOptions): Promise<Peers> {
  const keys = peerKeysOf(options.peerSeed);
  const meter: Meter = { sentBytes: 0, receivedBytes: 0 };
  let hub: Hub | undefined;
  const door = new Door({
    ...needs,
    meter,
    connections: () => hub?.connections() ?? [],
    isFriend: (peer) => hub?.isFriend(peer) === true,
    answer: (stranger, request, payload) => {
      if (hub !== undefined) return hub.answer(stranger, request, payload);
      throw new HiveError("Unavailable", "peers.open", "starting");
    },
  });
  const node = await openNode(needs, {
    privateKey: privateKeyFromRaw(keys.privateKeyRaw),
    listen: options.listen,
    mdns: options.mdns,
    ...(options.networkKey === undefined ? {} : { networkKey: options.networkKey }),
    reach: reachOf({
      listen: options.listen, relay: options.relay ?? "auto", upnp: options.upnp ?? false,
    }),
    encryption: options.encryption ?? "tls",
    datastore: new Remembered(),
    dht: dhtPart(needs.clock, (connection, cost) => door.counts(connection, cost)),
    door,
    dialsFrom: needs.world?.dialsFrom,
  });
  hub = new Hub(needs, options, { keys, node, door, meter });
  await hub.start();
  return hub;
}
