/** A libp2p node that speaks to Hive nodes without being one: for what no honest node sends. */
import { generateKeyPair } from "@libp2p/crypto/keys";
import { multiaddr } from "@multiformats/multiaddr";
import { systemClock } from "../../src/base/clock.ts";
import { dhtPart } from "../../src/peers/dht-part.ts";
import { Remembered } from "../../src/peers/memory.ts";
import { type Node, openNode } from "../../src/peers/node.ts";

export interface Stranger extends AsyncDisposable {
  readonly node: Node;
  dial(address: string): ReturnType<Node["dial"]>;
}

export async function openStranger(): Promise<Stranger> {
  const node = await openNode({
    privateKey: await generateKeyPair("Ed25519"),
    listen: [], mdns: false, encryption: "tls", datastore: new Remembered(),
    dht: dhtPart(systemClock, () => true),
  });
  return {
    node,
    dial: (address) => node.dial(multiaddr(address)),
    [Symbol.asyncDispose]: async () => node.stop(),
  };
}
