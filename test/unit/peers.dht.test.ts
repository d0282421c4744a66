/**
 * Twelve real nodes: records found through the DHT, offers through gossip, peers after a restart.
 */
import { test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import { signHead } from "../../src/crypt/records/records.ts";
import { faultOf } from "../support/faults.ts";
import { MemoryKeyValue } from "../support/memory-host.ts";
import { TestDrive, type TestNode, openTestNode } from "../support/peer-nodes.ts";

const nodeCount = 12;

test("a fresh node that knows one address finds records and peers", async (t) => {
  const drive = new TestDrive("dht");
  await using stack = new AsyncDisposableStack();
  const nodes: TestNode[] = [];
  for (let i = 0; i < nodeCount; i++) {
    const node = stack.use(await openTestNode());
    // A chain, so that nobody knows all: the rest is hearsay.
    if (i > 0) await node.peers.connect((nodes[i - 1] as TestNode).address);
    nodes.push(node);
  }
  const first = nodes[0] as TestNode;
  const publishedAtMs = Date.now();
  const head = (sequence: number) => signHead(drive.keys, {
    peer: first.keys.peer, sequence, publishedAtMs, sealed: Buffer.from("sealed"),
  });
  await first.peers.publish(head(1));
  await nodes[5]!.peers.publish(head(2));
  const manifest = drive.manifest([first.keys.peer], { epoch: 4 });
  await first.peers.publish(manifest);

  const fresh = stack.use(await openTestNode());
  await fresh.peers.connect((nodes[nodeCount - 1] as TestNode).address);
  const found = await fresh.peers.resolveHead(drive.keys.owner);
  t.equal(found?.sequence, 2, "the newest head");
  const group = await fresh.peers.resolveManifest(drive.keys.owner, manifest.group);
  t.equal(group?.epoch, 4);
  t.equal(await fresh.peers.resolveHead(new TestDrive("nobody").keys.owner), undefined);

  for (let round = 0; round < 30 && fresh.peers.peers().length < nodeCount; round++) {
    for (const node of [...nodes, fresh]) await node.peers.step.step(new AbortController().signal);
  }
  t.equal(fresh.peers.peers().length, nodeCount, "gossip tells of every peer");
});

test("a node alone says that nobody keeps its record", async (t) => {
  const drive = new TestDrive("alone");
  await using node = await openTestNode();
  const head = signHead(drive.keys, {
    peer: node.keys.peer, sequence: 1, publishedAtMs: Date.now(), sealed: Buffer.from("x"),
  });
  t.equal(await faultOf(node.peers.publish(head)), "Unavailable");
});

test("a restarted node finds its peers by its book, and they find it again", async (t) => {
  const seed = Buffer.alloc(32, 9);
  const books = new MemoryKeyValue();
  await using friend = await openTestNode();
  {
    await using before = await openTestNode({ seed, books });
    await before.peers.connect(friend.address);
    t.equal(before.peers.peers()[0]?.online, true);
  }
  await using after = await openTestNode({ seed, books });
  t.strictSame(after.peers.peers().map((peer) => [peer.offer.peer, peer.online]), [
    [friend.keys.peer, false],
  ]);
  const { signal } = new AbortController();
  t.equal(await after.peers.step.step(signal), "busy");
  const [known] = after.peers.peers();
  t.equal(known?.online, true, "the step dialled it");
  t.ok((known?.roundTripMs ?? 0) > 0, "and measured the way");
  t.equal(friend.peers.peers()[0]?.online, true);
});

test("a peer that went away is offline, and is not asked again at once", async (t) => {
  await using node = await openTestNode();
  const friend = await openTestNode();
  await node.peers.connect(friend.address);
  const changed = new Promise<void>((resolve) => {
    node.peers.onPeersChanged(() => {
      if (node.peers.peers()[0]?.online === false) resolve();
    });
  });
  await friend[Symbol.asyncDispose]();
  await changed;
  const { signal } = new AbortController();
  while ((await node.peers.step.step(signal)) === "busy");
  const call = node.peers.prove(friend.keys.peer, {
    shard: "0".repeat(64) as never, nonce: Buffer.alloc(16), leaves: [0],
  });
  await call.then(() => t.fail("nobody is there"), (error) => {
    t.ok(isFault(error, "Unavailable"));
  });
});
