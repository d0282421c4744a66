/**
 * A libp2p node with our DHT and nothing else of Hive's: what no honest node sends can be sent from
 * it, and what it answers is the test's to say.
 */
import { privateKeyFromRaw } from "@libp2p/crypto/keys";
import { systemClock } from "../../src/base/clock.ts";
import { systemRandom } from "../../src/base/random.ts";
import { type PeerKeys, peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { dhtPart } from "../../src/peers/dht/dht-part.ts";
import { Remembered } from "../../src/peers/libp2p/memory.ts";
import { type Node, type NodeOptions, openNode } from "../../src/peers/libp2p/node.ts";

export interface BareNode extends AsyncDisposable {
  readonly node: Node;
  readonly keys: PeerKeys;
  /** The first that it listens at; "" where it does not. */
  readonly address: string;
}

export async function openBareNode(
  { seed = systemRandom.bytes(32), ...options }:
    { readonly seed?: Uint8Array } & Partial<Pick<NodeOptions, "listen" | "dht" | "reach">> = {},
): Promise<BareNode> {
  const keys = peerKeysOf(seed);
  const node = await openNode({ clock: systemClock, random: systemRandom }, {
    privateKey: privateKeyFromRaw(keys.privateKeyRaw),
    listen: ["/ip4/127.0.0.1/tcp/0"], mdns: false, encryption: "tls",
    datastore: new Remembered(), dht: dhtPart(systemClock, () => true), ...options,
  });
  const address = node.getMultiaddrs()[0]?.toString() ?? "";
  return { node, keys, address, [Symbol.asyncDispose]: async () => node.stop() };
}
