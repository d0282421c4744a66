/** Two and three real nodes over loopback: the network's contract, and who may act for whom. */
import { networkInterfaces } from "node:os";
import { test } from "tap";
import { networkContract } from "../contract/network.ts";
import { faultOf } from "../support/faults.ts";
import { TestDrive, openTestNode } from "../support/peer-nodes.ts";

for (const encryption of ["tls", "noise"] as const) {
  test(`a node over ${encryption} keeps the network's contract`, async (t) => {
    const drive = new TestDrive(encryption);
    await using holder = await openTestNode({ encryption });
    await using owner = await openTestNode({
      encryption, certificates: (keys) => [drive.certificate(keys.peer)],
    });
    await using stranger = await openTestNode({ encryption });
    t.equal(await owner.peers.connect(holder.address), holder.keys.peer);
    await stranger.peers.connect(holder.address);
    await networkContract(t, {
      owner: owner.peers, stranger: stranger.peers, holder: holder.keys.peer, drive,
    });
  });
}

const lan = Object.values(networkInterfaces()).flat().some((one) => one?.internal === false);

test("nodes of one LAN find each other", { skip: !lan && "no network" }, async (t) => {
  const options = { listen: ["/ip4/0.0.0.0/tcp/0"], mdns: true };
  await using one = await openTestNode(options);
  const found = new Promise<void>((resolve) => {
    one.peers.onPeersChanged(() => {
      if (one.peers.peers().some((peer) => peer.offer.peer === wanted)) resolve();
    });
  });
  await using other = await openTestNode(options);
  const wanted = other.keys.peer;
  await found;
  t.pass();
});

test("a certificate counts for its own peer only, and only in its time", async (t) => {
  const drive = new TestDrive("certificates");
  await using holder = await openTestNode();
  await using friend = await openTestNode();
  const others = [drive.certificate(friend.keys.peer)];
  await using thief = await openTestNode({ certificates: () => others });
  t.equal(await faultOf(thief.peers.connect(holder.address)), "Denied");
  await using late = await openTestNode({
    certificates: (keys) => [drive.certificate(keys.peer, { expiresAtMs: Date.now() - 1 })],
  });
  t.equal(await faultOf(late.peers.connect(holder.address)), "Denied");
});
