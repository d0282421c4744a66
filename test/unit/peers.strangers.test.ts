/**
 * What strangers may cost a node: by key and by address prefix, over time and at once. Pure parts
 * with a clock of their own, then real nodes.
 */
import type { Connection, Stream } from "@libp2p/interface";
import { test } from "tap";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { HiveError, isFault } from "../../src/base/errors.ts";
import { type PeerId, type ShardId, parseOwnerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { lineLog, silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { encodeRollAsk } from "../../src/crypt/drive/device-roll.ts";
import { signOffer } from "../../src/crypt/records/records.ts";
import { rollHost } from "../../src/node/roll-host.ts";
import { Book } from "../../src/peers/acquaintance/book.ts";
import { Door } from "../../src/peers/answering/door.ts";
import { Holding, JointHolding } from "../../src/peers/connection/holding.ts";
import { type Stranger, Strangers } from "../../src/peers/answering/strangers.ts";
import { Link } from "../../src/peers/asking/link.ts";
import { Links } from "../../src/peers/asking/links.ts";
import { prefixOf } from "../../src/peers/connection/prefix.ts";
import { FrameDecoder } from "../../src/peers/wire/frame.ts";
import { encodeHello, encodeRequest, parseAnswer, parseList } from "../../src/peers/wire/message.ts";
import { Rolls } from "../../src/vault/rolls.ts";
import { EvilPeer, send } from "../support/evil-peer.ts";
import { faultOf } from "../support/faults.ts";
import { MemoryKeyValue } from "../support/memory-host.ts";
import { openTestNode } from "../support/peer-nodes.ts";

const requestsBurst = limits.strangers.rates.stranger.requests.burst;
const keysOf = (number: number) => peerKeysOf(Buffer.alloc(32, `stranger ${number}`));

/** Time stands still until the test moves it. */
class HandClock implements Clock {
  ms = 1e12;
  now = () => this.ms;
  monotonicMs = () => this.ms;
  nowNs = () => BigInt(this.ms) * 1_000_000n;
  delay = systemClock.delay;
  after = systemClock.after;
}

test("an address is of a /24 or a /48, and this machine of none", (t) => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ["/ip4/192.0.2.7/tcp/4001", "192.0.2.0/24"],
    ["/ip4/192.0.2.255/tcp/1/p2p/x", "192.0.2.0/24"],
    ["/ip4/127.0.0.1/tcp/4001", undefined],
    ["/ip6/::1/tcp/4001", undefined],
    ["/ip6/::/tcp/4001", "::/48"],
    ["/ip6/2001:db8:7:8::1/tcp/4001", "2001:db8:7::/48"],
    ["/ip6/2001:db8:7:ffff:1:2:3:4/tcp/1", "2001:db8:7::/48"],
    ["/ip6/::ffff:192.0.2.9/tcp/4001", "192.0.2.0/24"],
    ["/ip6/::ffff:c000:209/tcp/4001", "192.0.2.0/24"],
    ["/ip6/::ffff:127.0.0.1/tcp/4001", undefined],
    ["/ip4/198.51.100.1/tcp/1/p2p/x/p2p-circuit", "198.51.100.0/24"],
    ["/dns4/hive.example/tcp/1", undefined],
    ["/ip4/999.1.1.1/tcp/1", undefined],
    ["", undefined],
  ];
  for (const [address, prefix] of cases) t.equal(prefixOf(address), prefix, address);
  t.end();
});

test("a stranger has a burst, then a rate, and a flood is a flood until it has rested", (t) => {
  const clock = new HandClock();
  const strangers = new Strangers({ clock, isFriend: () => false });
  const stranger = { peer: keysOf(1).peer, prefix: "192.0.2.0/24" };
  const { rates, floodRequests, perPrefix } = limits.strangers;
  const { burst, perSecond } = rates.stranger.requests;
  const takes = (who: Stranger = stranger) => {
    for (let count = 0; count < 100_000; count++) {
      try {
        strangers.admit(who, { requests: 1, bytes: 0 });
      } catch (error) {
        if (!isFault(error, "Busy")) throw error;
        return count;
      }
    }
    return Infinity;
  };
  t.equal(takes(), burst);
  clock.ms += 2_000;
  t.ok(Math.abs(takes() - 2 * perSecond) <= 2, "the rate from then on");
  t.notOk(strangers.isFlooding(stranger));
  for (let asked = 0; asked <= floodRequests; asked++) takes();
  t.ok(strangers.isFlooding(stranger), "he asks on and on");
  t.notOk(strangers.begin(stranger), "and has no stream");
  clock.ms += 1_000;
  t.ok(strangers.isFlooding(stranger), "nor when a second has passed");
  clock.ms += 1_000 * (floodRequests + burst) / perSecond;
  t.ok(strangers.begin(stranger), "until his time has come again");
  strangers.end(stranger);
  strangers.welcome(stranger);
  t.equal(takes(), rates.partner.requests.burst, "a partner may ask for much more, and not for all");
  for (let number = 10; number < 20; number++) {
    const neighbour = { ...stranger, peer: keysOf(number).peer };
    strangers.welcome(neighbour);
    takes(neighbour);
  }
  const late = { ...stranger, peer: keysOf(20).peer };
  strangers.welcome(late);
  t.equal(takes(late), 0, `nor ${perPrefix} of one prefix`);
  const dht = () => strangers.admit(stranger, { requests: 1, bytes: 0 }, "stranger");
  clock.ms += 1_000 * burst / perSecond;
  for (let asked = 0; asked < burst; asked++) dht();
  t.throws(dht, "to the DHT he is a stranger");
  t.end();
});

test("made-up keys of one prefix share what the prefix may have, others keep theirs", (t) => {
  const strangers = new Strangers({ clock: new HandClock(), isFriend: () => false });
  let admitted = 0;
  for (let number = 0; number < 300; number++) {
    const stranger = { peer: keysOf(number).peer, prefix: "192.0.2.0/24" };
    for (let request = 0; request < 10; request++) {
      try {
        strangers.admit(stranger, { requests: 1, bytes: 0 });
        admitted++;
      } catch (error) {
        if (!isFault(error, "Busy")) throw error;
      }
    }
  }
  t.equal(admitted, limits.strangers.perPrefix * requestsBurst);
  strangers.admit({ peer: keysOf(7).peer, prefix: "198.51.100.0/24" }, { requests: 1, bytes: 0 });
  strangers.admit({ peer: keysOf(8).peer, prefix: undefined }, { requests: 1, bytes: 0 });
  t.end();
});

test("several hands hold the same bytes or none does, and wake who waits when there is room", (t) => {
  const [own, shared] = [new Holding(10), new Holding(15)];
  const [first, second] = [new JointHolding([own, shared]), new JointHolding([shared])];
  t.ok(second.take(12));
  t.notOk(first.take(5), "the shared hand is full");
  t.equal(own.heldBytes, 0, "and the own one holds nothing");
  let woken = 0;
  first.onRoom(() => woken++);
  second.give(12);
  t.equal(woken, 1);
  t.ok(first.take(5));
  t.equal(own.heldBytes + shared.heldBytes, 10);
  t.end();
});

test("one prefix has its share of handshakes and connections, and others come in", (t) => {
  const clock = new HandClock();
  const open: { direction: string; remotePeer: string; remoteAddr: string }[] = [];
  const door = new Door({
    clock, log: silentLog, meter: { sentBytes: 0, receivedBytes: 0 },
    connections: () => open as unknown as Connection[],
    isFriend: () => false,
    answer: async () => Buffer.alloc(0),
  });
  const at = (port: number) => `/ip4/192.0.2.${port % 250}/tcp/${port}`;
  const { handshakesPerPrefixMax, connectionsPerPrefixMax, connectionsPerPeerMax } = limits.strangers;
  let knocked = 0;
  for (let port = 1; port <= 200; port++) if (door.knocks(at(port))) knocked++;
  t.equal(knocked, handshakesPerPrefixMax, "half-open handshakes are bounded");
  clock.ms += 3 * limits.peers.dialTimeoutMs;
  let entered = 0;
  for (let port = 1; port <= 200; port++) {
    const peer = keysOf(port).peer;
    if (!door.knocks(at(port)) || !door.enters(peer, at(port))) continue;
    entered++;
    open.push({ direction: "inbound", remotePeer: peer, remoteAddr: at(port) });
  }
  t.equal(entered, connectionsPerPrefixMax);
  t.ok(door.knocks("/ip4/198.51.100.1/tcp/9"), "another prefix comes in");
  const twin = { direction: "inbound", remotePeer: keysOf(999).peer, remoteAddr: "/ip4/127.0.0.1/tcp/9" };
  for (let count = 0; count < connectionsPerPeerMax; count++) {
    t.ok(door.enters(keysOf(999).peer, twin.remoteAddr));
    open.push(twin);
  }
  t.notOk(door.enters(keysOf(999).peer, twin.remoteAddr), "one key has few connections");
  t.end();
});

test("who makes up peers by the thousand pushes out nobody that others know", (t) => {
  const clock = new HandClock();
  const needs = { clock, random: seededRandom(1), log: silentLog, books: new MemoryKeyValue() };
  const book = new Book(needs, { self: keysOf(0).peer });
  const offerOf = (number: number) => signOffer(keysOf(number), {
    atMs: clock.now(), household: "x", country: undefined, addresses: [], quotaBytes: 0,
    freeBytes: 0,
  });
  const honest = Array.from({ length: 40 }, (_, at) => offerOf(1 + at));
  for (const offer of honest.slice(0, 20)) book.accept(offer, { teller: keysOf(60).peer });
  for (const offer of honest.slice(20)) {
    book.accept(offer, { prefix: "198.51.100.0/24" });
    book.met(offer.peer);
    book.lost(offer.peer);
  }
  for (let number = 1000; number < 1700; number++) {
    book.accept(offerOf(number), { teller: keysOf(61).peer });
  }
  const { hearsayPerSourceMax, entriesPerPrefixMax } = limits.strangers;
  t.equal(book.peers().length, 40 + hearsayPerSourceMax, "a teller's tales are bounded");
  for (let number = 3000; number < 3700; number++) {
    const offer = offerOf(number);
    book.accept(offer, { prefix: "192.0.2.0/24" });
    book.met(offer.peer);
    book.lost(offer.peer);
  }
  t.equal(book.peers().length, 40 + hearsayPerSourceMax + entriesPerPrefixMax, "and a prefix's");
  t.ok(honest.every(({ peer }) => book.offerOf(peer) !== undefined), "the honest are all there");
  t.end();
});

test("of peers that never came about no links are kept, and of others they stay", async (t) => {
  const here = keysOf(0).peer;
  const gone = new HiveError("Unavailable", "peers.dial", "nobody");
  const links = new Links({
    make: () => new Link({
      clock: systemClock, meter: { sentBytes: 0, receivedBytes: 0 },
      connect: () => Promise.reject(gone),
      greeting: () => ({ version: "", payload: Buffer.alloc(0) }),
      onGreeted() {}, onRoundTrip() {},
    }),
    isConnected: (peer) => peer === here,
  });
  const first = links.of(here);
  for (let number = 1; number <= 2 * limits.peers.linksMax; number++) {
    const fault = await faultOf(links.of(`made up ${number}` as PeerId).greet());
    if (fault !== "Unavailable") t.fail(fault);
  }
  t.ok(links.size <= limits.peers.linksMax, `${links.size} links`);
  t.equal(links.of(here), first);
});

test("a friend is remembered over a restart and never makes room", async (t) => {
  const clock = new HandClock();
  const books = new MemoryKeyValue();
  const needs = { clock, random: seededRandom(1), log: silentLog, books };
  const before = new Book(needs, { self: keysOf(0).peer });
  await before.befriend(keysOf(5).peer);
  const after = new Book(needs, { self: keysOf(0).peer });
  await after.load();
  t.ok(after.isFriend(keysOf(5).peer));
  t.notOk(after.isFriend(keysOf(6).peer));
});

const range = { op: "read", shard: "cd".repeat(32) as ShardId, offset: 0, length: 1 } as const;

test("a flood of requests is told Busy, then its connection ends; others are served", async (t) => {
  await using node = await openTestNode();
  await using evil = await EvilPeer.open();
  const stream = await evil.dial(node.address);
  const kinds = new Map<string, number>();
  count(stream, kinds);
  const gone = new Promise<void>((resolve) => {
    stream.addEventListener("close", () => resolve(), { once: true });
  });
  for (let id = 1; stream.status === "open" && id < 20_000; id++) {
    send(stream, encodeRequest(id, range));
    if (id % 50 === 0) await new Promise(setImmediate);
  }
  await gone;
  t.ok((kinds.get("NotFound") ?? 0) <= requestsBurst, "no more than a burst");
  t.ok((kinds.get("Busy") ?? 0) > 0, `${JSON.stringify([...kinds])}`);
  t.ok((kinds.get("Busy") ?? 0) <= 2 * limits.strangers.floodRequests);
  await using honest = await openTestNode();
  t.equal(await honest.peers.connect(node.address), node.keys.peer);
  const again = await faultOf(async () => {
    const second = await evil.dial(node.address);
    const heard = new Promise<void>((resolve) => {
      second.addEventListener("message", () => resolve(), { once: true });
      second.addEventListener("close", () => resolve(), { once: true });
    });
    // It may be closed already.
    send(second, encodeRequest(1, range));
    if (second.status === "open") await heard;
    if (second.status === "open") return;
    throw new Error("closed");
  });
  t.not(again, "none", "and he is not let in again at once");
});

test("who opens streams for nothing but nonsense is sent away", async (t) => {
  const lines: string[] = [];
  const log = lineLog({ level: "info", write: (line) => lines.push(line) });
  await using node = await openTestNode({ log });
  await using evil = await EvilPeer.open();
  const { refusalRequests, floodRequests } = limits.strangers;
  const enough = (requestsBurst + floodRequests) / refusalRequests;
  let broken = 0;
  while (broken < 2 * enough) {
    const stream = await evil.dial(node.address).catch(() => undefined);
    if (stream?.status !== "open") break;
    const closed = new Promise((resolve) => stream.addEventListener("close", resolve, { once: true }));
    stream.send(Buffer.alloc(8, 0xff));
    await closed;
    broken++;
  }
  t.ok(broken < 1.5 * enough, `${broken} streams`);
  t.equal(lines.filter((line) => line.includes("peer.flood")).length, 1);
});

test("who asks for a roll that nobody has is a stranger still", async (t) => {
  const rolls = new Rolls({ books: new MemoryKeyValue(), keeps: () => false });
  await using node = await openTestNode({ more: { devices: rollHost(rolls, {}) } });
  await using evil = await EvilPeer.open();
  const stream = await evil.dial(node.address);
  const kinds = new Map<string, number>();
  count(stream, kinds);
  const ask = encodeRollAsk({ owner: parseOwnerId("ab".repeat(32)), known: Buffer.alloc(32) });
  send(stream, encodeRequest(1, { op: "device", act: "askRoll" }), ask);
  while (kinds.get("ok") !== 1) await new Promise(setImmediate);
  const asked = 2 * requestsBurst;
  for (let id = 2; id <= asked + 1; id++) send(stream, encodeRequest(id, range));
  const answered = () => [...kinds.values()].reduce((sum, count) => sum + count, 0);
  while (stream.status === "open" && answered() <= asked) await new Promise(setImmediate);
  t.ok(kinds.has("Busy"), `${JSON.stringify([...kinds])}`);
});

test("nobody hears of other peers before he has told of himself", async (t) => {
  await using node = await openTestNode();
  await using friend = await openTestNode();
  await node.peers.connect(friend.address);
  await using evil = await EvilPeer.open();
  const stream = await evil.dial(node.address);
  const answers = answersOf(stream);
  const ask = (id: number) => send(stream, encodeRequest(id, { op: "offers", limit: 64 }));
  ask(1);
  t.strictSame(await answers(1), { kind: "Denied", items: 0 });
  const offer = signOffer(evil.keys, {
    atMs: Date.now(), household: "x", country: undefined, addresses: [], quotaBytes: 0, freeBytes: 0,
  });
  send(stream, encodeRequest(2, { op: "hello" }), encodeHello([], offer.bytes));
  await answers(2);
  ask(3);
  t.strictSame(await answers(3), { kind: "ok", items: 1 });
});

test("a request that comes a byte now and then is cut when its time is over", async (t) => {
  // An hour passes between two bytes by the node's clock, and its watch never sees a silence.
  let shiftMs = 0;
  const clock: Clock = {
    ...systemClock,
    monotonicMs: () => systemClock.monotonicMs() + shiftMs,
    after: () => ({ [Symbol.dispose]: () => {} }),
  };
  await using node = await openTestNode({ clock });
  await using evil = await EvilPeer.open();
  const stream = await evil.dial(node.address);
  const closed = new Promise<void>((resolve) => {
    stream.addEventListener("close", () => resolve(), { once: true });
  });
  let sent = 0;
  stream.send(Buffer.from([200, 0, 0, 0, 0, 0, 0, 0]));
  const drip = setInterval(() => {
    shiftMs += limits.peers.callTimeoutMs - 1_000;
    if (stream.status === "open") stream.send(Buffer.from([1]));
    sent++;
  }, 20);
  await closed;
  clearInterval(drip);
  t.ok(sent < 30, `${sent} bytes of 200 came`);
});

function count(stream: Stream, kinds: Map<string, number>): void {
  const decoder = new FrameDecoder();
  stream.addEventListener("message", ({ data }) => {
    for (const chunk of data instanceof Uint8Array ? [data] : data) decoder.push(chunk);
    for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
      const { outcome } = parseAnswer(frame.head);
      const kind = outcome.ok ? "ok" : outcome.kind;
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }
  });
}

/** Waits for the answer with this number; what it said and how many items it had. */
function answersOf(stream: Stream): (id: number) => Promise<{ kind: string; items: number }> {
  const decoder = new FrameDecoder();
  const came = new Map<number, { kind: string; items: number }>();
  const waiting = new Map<number, () => void>();
  stream.addEventListener("message", ({ data }) => {
    for (const chunk of data instanceof Uint8Array ? [data] : data) decoder.push(chunk);
    for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
      const { id, outcome } = parseAnswer(frame.head);
      const kind = outcome.ok ? "ok" : outcome.kind;
      came.set(id, { kind, items: outcome.ok ? parseList(frame.payload, 64).length : 0 });
      waiting.get(id)?.();
    }
  });
  return async (id) => {
    const here = came.get(id);
    if (here === undefined) await new Promise<void>((resolve) => waiting.set(id, resolve));
    return came.get(id) as { kind: string; items: number };
  };
}
