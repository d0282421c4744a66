/**
 * Floods by way of libp2p's own protocols: what a node would do, keep or give away for whoever asks
 * for much at once, by real nodes. Those of our own protocol are in peers.strangers.test.ts.
 */
import type { Stream, StreamHandler } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { Key } from "interface-datastore";
import { test } from "tap";
import { KiB, MiB } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import { isFault } from "../../src/base/errors.ts";
import { limits } from "../../src/base/limits.ts";
import { systemRandom } from "../../src/base/random.ts";
import { type PeerKeys, peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { signOffer } from "../../src/crypt/records/records.ts";
import { MessageCount } from "../../src/peers/answering/message-count.ts";
import { dhtPart } from "../../src/peers/dht/dht-part.ts";
import { searchOffers } from "../../src/peers/dht/dht.ts";
import { anywhere, slotKey } from "../../src/peers/dht/slots.ts";
import { Remembered } from "../../src/peers/libp2p/memory.ts";
import { encodeList } from "../../src/peers/wire/message.ts";
import { type BareNode, openBareNode } from "../support/bare-node.ts";
import { openTestNode } from "../support/peer-nodes.ts";

test("messages are counted, however they are cut and however many come at once", (t) => {
  const random = systemRandom;
  const lengths = [0, 1, 127, 128, 300, 0, 0, 7_000, 5];
  const whole = Buffer.concat(lengths.map((length) => Buffer.concat([varint(length), Buffer.alloc(length)])));
  t.equal(new MessageCount().push(whole), lengths.length);
  t.equal(new MessageCount().push([whole, whole]), 2 * lengths.length);
  for (let round = 0; round < 20; round++) {
    const messages = new MessageCount();
    let count = 0;
    for (let at = 0; at < whole.length;) {
      const end = at + 1 + random.below(round < 2 ? 3 : 4_000);
      count += messages.push(whole.subarray(at, end));
      at = end;
    }
    t.equal(count, lengths.length);
  }
  t.end();
});

test("a thousand questions to the DHT in one piece are a thousand requests", async (t) => {
  await using node = await openTestNode();
  await using evil = await openBareNode({ listen: [] });
  const stream = await patiently(() => {
    return evil.node.dialProtocol(multiaddr(node.address), "/hive/kad/1.0.0");
  });
  const answers = answersOf(stream);
  // FIND_NODE, and a key of 32 bytes.
  const question = Buffer.concat([Buffer.from([36, 8, 4, 18, 32]), systemRandom.bytes(32)]);
  stream.send(Buffer.concat(Array.from({ length: 1_000 }, () => question)));
  await over(stream, () => answers.count >= 1_000);
  t.ok(answers.count <= limits.strangers.rates.stranger.requests.burst, `${answers.count} answers`);
  await using honest = await openTestNode();
  t.equal(await patiently(() => honest.peers.connect(node.address)), node.keys.peer);
});

test("what a peer tells of itself by the thousand is told to nobody", async (t) => {
  await using node = await openTestNode();
  await using evil = await openBareNode({ listen: [] });
  await using asker = await openBareNode({ listen: [] });
  const self = evil.node.peerId.toMultihash().bytes;
  const addresses = Array.from({ length: 3_000 }, (_, at) => {
    return field(2, nowhere(at));
  });
  // ADD_PROVIDER of a block, by itself at all these.
  const cid = Buffer.concat([Buffer.from([1, 0x55, 0x12, 32]), systemRandom.bytes(32)]);
  const provider = field(9, Buffer.concat([field(1, self), ...addresses]));
  const telling = await patiently(() => {
    return evil.node.dialProtocol(multiaddr(node.address), "/hive/kad/1.0.0");
  });
  const question = framed(Buffer.concat([Buffer.from([8, 4]), field(2, self)]));
  telling.send(Buffer.concat([
    framed(Buffer.concat([Buffer.from([8, 2]), field(2, cid), provider])), question,
  ]));
  const told = answersOf(telling);
  await over(telling, () => told.count > 0);
  const stream = await patiently(() => {
    return asker.node.dialProtocol(multiaddr(node.address), "/hive/kad/1.0.0");
  });
  stream.send(question);
  const answers = answersOf(stream);
  await over(stream, () => answers.count > 0);
  t.ok(answers.longestBytes < limits.peers.rememberedEntryBytesMax, `${answers.longestBytes} bytes`);
  const long = await patiently(() => {
    return asker.node.dialProtocol(multiaddr(node.address), "/hive/kad/1.0.0");
  });
  long.send(Buffer.concat([varint(limits.dht.messageBytesMax + 1), Buffer.alloc(100)]));
  await over(long, () => false);
  t.not(long.status, "open", "nor is one message longer than a record");
});

test("of a peer more is not remembered than a few addresses take", (t) => {
  const remembered = new Remembered();
  const key = new Key("/peers/x");
  remembered.put(key, Buffer.alloc(limits.peers.rememberedEntryBytesMax, 1));
  remembered.put(key, Buffer.alloc(limits.peers.rememberedEntryBytesMax + 1, 2));
  t.equal(remembered.get(key)[0], 1, "what was known before stays");
  t.end();
});

test("of a crowd that an answer of the DHT names a few are remembered, with a few addresses", async (t) => {
  const { answerPeersMax, answerAddressesMax } = limits.dht;
  const crowd = Array.from({ length: 500 }, () => {
    const id = peerIdFromString(peerKeysOf(systemRandom.bytes(32)).peer).toMultihash().bytes;
    const addresses = Array.from({ length: 20 }, (_, at) => field(2, nowhere(at)));
    return field(8, Buffer.concat([field(1, id), ...addresses]));
  });
  await using asker = await openBareNode({ listen: [] });
  await using evil = await openAnswering(framed(Buffer.concat([Buffer.from([8, 4]), ...crowd])));
  await patiently(() => asker.node.dial(multiaddr(evil.address)));
  const { heard } = await lookAround(asker);
  t.ok(heard > 0 && heard <= answerPeersMax, `${heard} of an answer`);
  const known = await asker.node.peerStore.all();
  t.ok(known.length <= answerPeersMax + 1, `${known.length} are remembered`);
  const most = Math.max(...known.map(({ addresses }) => addresses.length));
  t.ok(most <= answerAddressesMax, `${most} addresses`);
});

test("an answer of the DHT that does not end is ended", async (t) => {
  await using asker = await openBareNode({ listen: [] });
  const endless = Buffer.concat([varint(4 * MiB), Buffer.alloc(limits.dht.answerBytesMax + 1)]);
  await using evil = await openAnswering(endless);
  await patiently(() => asker.node.dial(multiaddr(evil.address)));
  const { heard, errors } = await lookAround(asker);
  t.equal(heard, 0);
  t.ok(errors.every((error) => isFault(error, "Corrupt")) && errors.length === 1, `${errors}`);
});

test("of a slot that a peer fills its own offer is looked at, and no other", async (t) => {
  const claims = { atMs: systemClock.now(), household: "x", country: undefined, addresses: [] };
  const offerOf = (keys: PeerKeys) => signOffer(keys, { ...claims, quotaBytes: 1, freeBytes: 1 });
  await using keeper = await openBareNode();
  await using evil = await openBareNode({ listen: [] });
  await patiently(() => evil.node.dial(multiaddr(keeper.address)));
  // Whoever checks them all finds that they are wrong, and takes none.
  const spoilt = Array.from({ length: limits.dht.slotOffersMax - 1 }, () => {
    const bytes = Buffer.from(offerOf(peerKeysOf(systemRandom.bytes(32))).bytes);
    bytes[bytes.length - 1]! ^= 1;
    return bytes;
  });
  const slot = Buffer.from(slotKey({ place: anywhere, bits: "" }));
  const filled = encodeList([...spoilt, offerOf(evil.keys).bytes]);
  const taken = [];
  for await (const event of evil.node.services.dht.put(slot, filled)) {
    if (event.name === "PEER_RESPONSE" && event.messageName === "PUT_VALUE") taken.push(event.from);
  }
  t.equal(taken.length, 1);
  await using asker = await openBareNode({ listen: [] });
  await patiently(() => asker.node.dial(multiaddr(keeper.address)));
  const told = await searchOffers(asker.node, systemRandom, { count: 8 });
  t.strictSame(told.map(({ offer }) => offer.peer), [evil.keys.peer]);
});

test("a ping that does not end is ended, and one of the usual length is answered", async (t) => {
  await using node = await openTestNode();
  await using evil = await openBareNode({ listen: [] });
  const pinged = () => evil.node.services.ping.ping(multiaddr(node.address));
  t.ok(await patiently(pinged) >= 0);
  const stream = await patiently(() => {
    return evil.node.dialProtocol(multiaddr(node.address), "/hive/ping/1.0.0");
  });
  stream.pause();
  let sentBytes = 0;
  while (stream.status === "open" && sentBytes < 16 * MiB) {
    stream.send(Buffer.alloc(64 * KiB));
    sentBytes += 64 * KiB;
    await soon();
  }
  t.not(stream.status, "open", `${sentBytes} bytes were taken`);
});

test("one part of the internet has few of a relay's places, and who leaves gives his back", async (t) => {
  await using stack = new AsyncDisposableStack();
  const prefixes = new Map<string, string>();
  const prefixOf = (address: string) => prefixes.get(address.split("/")[4] ?? "");
  const relay = stack.use(await openBareNode({
    reach: { relayed: true, relays: "always", upnp: false },
    dht: { ...dhtPart(systemClock, () => true), prefixOf },
  }));
  /** Whether it was given a place. */
  const come = async (prefix: string): Promise<{ readonly one: BareNode; readonly has: boolean }> => {
    const one = stack.use(await openBareNode());
    const stream = await patiently(() => {
      return one.node.dialProtocol(multiaddr(relay.address), "/libp2p/circuit/relay/0.2.0/hop");
    });
    const [here] = relay.node.getConnections(one.node.peerId);
    prefixes.set(here?.remoteAddr.toString().split("/")[4] ?? "", prefix);
    return { one, has: await reserve(stream) };
  };
  const crowd = [];
  for (let at = 0; at < 2 * limits.relay.reservationsPerPrefixMax; at++) {
    crowd.push(await come("203.0.112.0/24"));
  }
  t.equal(crowd.filter(({ has }) => has).length, limits.relay.reservationsPerPrefixMax);
  t.ok((await come("198.51.99.0/24")).has, "others have theirs");
  const [first] = crowd;
  await first?.one.node.stop();
  while (relay.node.getConnections(first?.one.node.peerId).length > 0) await soon();
  t.ok((await come("203.0.112.0/24")).has, "his place is free again");
});

/** Who answers each question to the DHT in these bytes. */
async function openAnswering(answer: Uint8Array): Promise<BareNode> {
  const guard = (): StreamHandler => (stream) => {
    stream.addEventListener("message", () => stream.send(answer), { once: true });
  };
  return openBareNode({ dht: { ...dhtPart(systemClock, () => true), guard } });
}

/** How many peers the DHT hears of, when it looks for those near to anything. */
async function lookAround({ node }: BareNode) {
  const heard = new Set<string>();
  const errors: Error[] = [];
  for await (const event of node.services.dht.getClosestPeers(systemRandom.bytes(32))) {
    if (event.name === "PEER_RESPONSE") for (const { id } of event.closer) heard.add(id.toString());
    // Of the crowd nobody is there.
    if (event.name === "QUERY_ERROR") errors.push(event.error);
  }
  return { heard: heard.size, errors };
}

/** Asks for a place; its answer tells a status, 100 where there is one. */
async function reserve(stream: Stream): Promise<boolean> {
  const answer = new Promise<Buffer>((resolve) => {
    stream.addEventListener("message", ({ data }) => resolve(Buffer.from(data.subarray())), { once: true });
  });
  stream.send(Buffer.from([2, 8, 0]));
  return (await answer).includes(Buffer.from([40, 100]));
}

/** Messages that came by it, as they come. */
function answersOf(stream: Stream): { readonly count: number; readonly longestBytes: number } {
  const messages = new MessageCount();
  const came = { count: 0, longestBytes: 0 };
  stream.addEventListener("message", ({ data }) => {
    came.count += messages.push(data);
    came.longestBytes = messages.longestBytes;
  });
  return came;
}

/** Bytes in a protobuf message. */
function field(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([number * 8 + 2]), varint(bytes.length), bytes]);
}

/** An address at which nobody is. */
function nowhere(at: number): Uint8Array {
  return multiaddr(`/ip4/192.0.2.1/tcp/${1 + at}`).bytes;
}

function framed(message: Uint8Array): Buffer {
  return Buffer.concat([varint(message.length), message]);
}

/** A busy machine may be late for a handshake, which has a few seconds. */
async function patiently<T>(act: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await act();
    } catch (error) {
      if (tries === 20) throw error;
    }
  }
}

async function over(stream: Stream, isEnough: () => boolean): Promise<void> {
  while (stream.status === "open" && !isEnough()) await soon();
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push(128 + rest % 128);
  }
}

const soon = (): Promise<void> => new Promise((later) => setTimeout(later, 5));
