/** Several addresses of one peer, of both families: offers carry them, and any of them will do. */
import { networkInterfaces } from "node:os";
import { test } from "tap";
import { faultOf } from "../support/faults.ts";
import { TestDrive, openTestNode } from "../support/peer-nodes.ts";

const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
const hasV6 = addresses.some(({ address }) => address === "::1");
const options = hasV6 ? {} : { skip: "this machine has no ::1" };
const both = ["/ip4/127.0.0.1/tcp/0", "/ip6/::1/tcp/0"];
const families = (found: readonly string[]) => found.map((text) => text.split("/")[1]).sort();

test("a peer that listens on IPv4 and IPv6 is reached by either, and offers both", options, async (t) => {
  const drive = new TestDrive("addresses");
  await using holder = await openTestNode({ listen: both });
  t.strictSame(families(holder.peers.addresses()), ["ip4", "ip6"]);
  for (const family of ["ip6", "ip4"]) {
    await using asker = await openTestNode({
      listen: both, certificates: (keys) => [drive.certificate(keys.peer)],
    });
    const address = holder.peers.addresses().find((text) => text.startsWith(`/${family}/`));
    t.equal(await asker.peers.connect(address as string), holder.keys.peer);
    const offer = asker.peers.peers().find((one) => one.offer.peer === holder.keys.peer)?.offer;
    t.strictSame(families(offer?.addresses ?? []), ["ip4", "ip6"]);
    const manifest = drive.manifest([holder.keys.peer]);
    const { record, shards } = drive.segment();
    const receipt = await asker.peers.store(
      holder.keys.peer, { record, manifest, index: 0 }, shards[0] as Buffer,
    );
    t.equal(receipt.shard, record.roots[0]);
  }
});

test("a peer on IPv6 alone is dialled by what a third one tells of it", options, async (t) => {
  await using holder = await openTestNode({ listen: ["/ip6/::1/tcp/0"] });
  await using middle = await openTestNode({ listen: both });
  await middle.peers.connect(holder.address);
  await using asker = await openTestNode({ listen: both });
  await asker.peers.connect(middle.address);
  const told = asker.peers.peers().map(({ offer }) => offer.peer);
  t.ok(told.includes(holder.keys.peer), "told of");
  // Nothing is kept there; that it says so itself is what counts.
  const range = { offsetBytes: 0, lengthBytes: 1 };
  const shard = "ab".repeat(32) as never;
  t.equal(await faultOf(asker.peers.read(holder.keys.peer, shard, range)), "NotFound");
});
