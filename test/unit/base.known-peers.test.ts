/** One peer, looked up in what a network knows: as it is now, and without a scan. */
import { test } from "tap";
import type { PeerId } from "../../src/base/ids.ts";
import { isOnline, knownPeer } from "../../src/base/known-peers.ts";
import type { KnownPeer } from "../../src/base/network.ts";
import { LoopbackNetwork } from "../support/loopback-network.ts";
import { HonestHost } from "../support/honest-host.ts";

test("a peer is online from when the network says so, and until it does no more", async (t) => {
  const network = new LoopbackNetwork([]);
  const { keys: { peer } } = network.add("one", (keys) => new HonestHost(keys));
  t.equal(isOnline(network, peer), true);
  network.members.get(peer)!.mood = { is: "dead" };
  t.equal(isOnline(network, peer), false);
  t.match(knownPeer(network, peer), { offer: { peer }, online: false });
  t.equal(knownPeer(network, network.self), undefined);
  t.equal(isOnline(network, "12D3KooWA" as PeerId), false, "nobody told of it");
});

test("a list that stays the same is gone through once", async (t) => {
  let looked = 0;
  const known = Array.from({ length: 1_000 }, (_, at) => ({
    get offer() {
      looked++;
      return { peer: `peer ${at}` };
    },
    online: at % 2 === 0,
  })) as unknown as readonly KnownPeer[];
  const network = { peers: () => known };
  for (let at = 0; at < 1_000; at++) t.equal(isOnline(network, `peer ${at}` as PeerId), at % 2 === 0);
  t.equal(looked, 1_000);
});
