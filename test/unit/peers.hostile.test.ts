/**
 * Peers that lie, stall and flood. Each costs a stream or a call, within its time and a bounded
 * memory; the node goes on serving the others. Time is the test's own, so that nothing waits.
 */
import { encode } from "@ipld/dag-cbor";
import type { Stream } from "@libp2p/interface";
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import type { ShardId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { systemRandom } from "../../src/base/random.ts";
import { signOffer } from "../../src/crypt/records/records.ts";
import { encodeFrameStart } from "../../src/peers/wire/frame.ts";
import { encodeAnswer, encodeHello } from "../../src/peers/wire/message.ts";
import { encodeRequest } from "../../src/peers/wire/message.ts";
import { EvilPeer, send } from "../support/evil-peer.ts";
import { faultOf } from "../support/faults.ts";
import { OwnTime } from "../support/own-time.ts";
import { openTestNode } from "../support/peer-nodes.ts";

const shard = "cd".repeat(32) as ShardId;
const range = { offsetBytes: 0, lengthBytes: 100 };

/** Twenty times as fast as ours, but nobody is late in it because this machine is busy. */
const quickTime = () => new OwnTime(20);

function drained(stream: Stream): Promise<void> {
  return new Promise((resolve) => {
    for (const event of ["drain", "close"] as const) {
      stream.addEventListener(event, () => resolve(), { once: true });
    }
  });
}

const right = (id: number) => encodeAnswer(id, { ok: true });

const liars: readonly {
  readonly name: string;
  readonly kind: string;
  readonly answer: (id: number, stream: Stream) => void;
}[] = [
  { name: "too few bytes", kind: "Corrupt", answer: (id, s) => send(s, right(id), Buffer.alloc(99)) },
  { name: "another call's answer", kind: "Corrupt", answer: (id, s) => send(s, right(id + 7)) },
  { name: "no CBOR", kind: "Corrupt", answer: (_id, s) => send(s, Buffer.from([0xff, 0xff])) },
  { name: "a strange map", kind: "Corrupt", answer: (id, s) => send(s, encode({ id, kind: "Ok" })) },
  { name: "a deep nest", kind: "Corrupt", answer: (_id, s) => send(s, Buffer.alloc(60_000, 0x81)) },
  { name: "a head too long", kind: "Corrupt", answer: (_id, s) => void s.send(Buffer.alloc(8, 0x7f)) },
  { name: "half an answer", kind: "TimedOut", answer: (_id, s) => void s.send(Buffer.from([40, 0])) },
  { name: "nothing", kind: "TimedOut", answer: () => {} },
  { name: "a reset", kind: "Unavailable", answer: (_id, s) => s.abort(new Error("no")) },
  { name: "a refusal", kind: "Quota", answer: (id, s) => {
    send(s, encodeAnswer(id, { ok: false, kind: "Quota" }));
  } },
];

for (const { name, kind, answer } of liars) {
  test(`a peer that answers ${name} is ${kind}, and the next call starts anew`, async (t) => {
    await using evil = await EvilPeer.open(answer);
    await using node = await openTestNode({ clock: quickTime() });
    await node.peers.connect(evil.address);
    t.equal(await faultOf(node.peers.read(evil.self, shard, range)), kind);
    t.equal(await faultOf(node.peers.read(evil.self, shard, range)), kind);
    await using honest = await openTestNode();
    await node.peers.connect(honest.address);
    t.equal(await faultOf(node.peers.read(honest.keys.peer, shard, range)), "NotFound");
  });
}

test("a peer that falls silent for ever is offline after a ping", async (t) => {
  await using evil = await EvilPeer.open(() => {});
  await using node = await openTestNode({ clock: quickTime() });
  await node.peers.connect(evil.address);
  const offer = signOffer(evil.keys, {
    atMs: systemClock.now(), household: "x", country: undefined,
    addresses: [evil.address.split("/p2p/")[0] as string], quotaBytes: 0, freeBytes: 0,
  });
  const stream = await evil.dial(node.address);
  const online = new Promise<void>((resolve) => {
    node.peers.onPeersChanged(() => {
      if (node.peers.peers()[0]?.online === true) resolve();
    });
  });
  send(stream, encodeRequest(1, { op: "hello" }), encodeHello([], offer.bytes));
  await online;
  const { signal } = new AbortController();
  while (node.peers.peers()[0]?.online === true) await node.peers.step.step(signal);
  t.equal(node.peers.peers()[0]?.online, false);
});

test("an endless answer ends with its stream", async (t) => {
  let sentBytes = 0;
  await using evil = await EvilPeer.open((_id, stream) => {
    // Well-formed answers that nobody asked for, as fast as they are taken.
    void (async () => {
      while (stream.status === "open") {
        const frame = Buffer.concat([encodeFrameStart(right(999), 60_000), Buffer.alloc(60_000)]);
        sentBytes += frame.length;
        stream.send(frame);
        while (stream.writableNeedsDrain && stream.status === "open") await drained(stream);
      }
    })().catch(() => {});
  });
  await using node = await openTestNode({ clock: quickTime() });
  await node.peers.connect(evil.address);
  t.equal(await faultOf(node.peers.read(evil.self, shard, range)), "Corrupt");
  t.ok(sentBytes < 4 * limits.peers.windowBytesMax, `${sentBytes} bytes were sent`);
});

const intruders: readonly { readonly name: string; readonly bytes: Uint8Array }[] = [
  { name: "random bytes", bytes: systemRandom.bytes(4096) },
  { name: "a request without a name", bytes: framed(encode({ id: 1 })) },
  { name: "an unknown operation", bytes: framed(encode({ id: 1, op: "format" })) },
  { name: "an inherited name", bytes: framed(encode({ id: 1, op: "constructor" })) },
  { name: "a read past all shards", bytes: framed(encode({
    id: 1, op: "read", shard, offset: 0, length: 2 ** 40,
  })) },
  { name: "a word that calls off what was never asked", bytes: framed(encodeRequest(1, {
    op: "cancel", target: 1,
  })) },
  { name: "two words that call off one question", bytes: Buffer.concat([
    framed(encodeRequest(1, { op: "ping" })),
    ...[2, 3].map((id) => framed(encodeRequest(id, { op: "cancel", target: 1 }))),
  ]) },
  { name: "a negative index", bytes: framed(encode({
    id: 1, op: "store", record: Buffer.alloc(1), manifest: Buffer.alloc(1), index: -1,
  })) },
];

for (const { name, bytes } of intruders) {
  test(`a stream that sends ${name} is ended, and others are served`, async (t) => {
    await using node = await openTestNode();
    await using evil = await EvilPeer.open();
    const stream = await evil.dial(node.address);
    const closed = new Promise<void>((resolve) => {
      stream.addEventListener("close", () => resolve(), { once: true });
    });
    stream.send(bytes);
    await closed;
    await using honest = await openTestNode();
    t.equal(await honest.peers.connect(node.address), node.keys.peer);
  });
}

test("half a request is dropped when its time is over", async (t) => {
  await using node = await openTestNode({ clock: quickTime() });
  await using evil = await EvilPeer.open();
  const stream = await evil.dial(node.address);
  const closed = new Promise<void>((resolve) => {
    stream.addEventListener("close", () => resolve(), { once: true });
  });
  stream.send(Buffer.from([5, 0, 0, 0, 0, 0, 16, 0, 1]));
  await closed;
  t.pass();
});

test("a reader that takes nothing is dropped, however much it asks for", async (t) => {
  const big = Buffer.alloc(limits.peers.payloadBytesMax, 3);
  let asked = 0;
  await using node = await openTestNode({
    clock: quickTime(),
    host: () => ({
      read: async () => { asked++; return big; },
      space: () => ({ quotaBytes: 0, freeBytes: 0 }),
    }) as never,
  });
  await using evil = await EvilPeer.open();
  const stream = await evil.dial(node.address);
  const closed = new Promise<void>((resolve) => {
    stream.addEventListener("close", () => resolve(), { once: true });
  });
  stream.pause();
  for (let id = 1; id <= 500; id++) {
    const request = { op: "read", shard, offset: 0, length: big.length } as const;
    send(stream, encodeRequest(id, request));
  }
  await closed;
  t.ok(asked <= 2 * limits.peers.laneHeldBytesMax / big.length, `${asked} reads were begun`);
});

test("more streams than a peer may have are not served", async (t) => {
  let served = 0;
  await using node = await openTestNode({
    host: () => ({
      read: async () => Buffer.alloc(++served),
      space: () => ({ quotaBytes: 0, freeBytes: 0 }),
    }) as never,
  });
  await using evil = await EvilPeer.open();
  for (let i = 0; i < 3 * limits.peers.lanesMax; i++) {
    const stream = await evil.dial(node.address);
    send(stream, encodeRequest(1, { op: "read", shard, offset: 0, length: 1 }));
  }
  await using honest = await openTestNode();
  t.equal(await honest.peers.connect(node.address), node.keys.peer);
  t.ok(served <= limits.peers.lanesMax, `${served} streams were served`);
});

function framed(head: Uint8Array): Uint8Array {
  return Buffer.concat([encodeFrameStart(head, 0), head.subarray(0, 0)]);
}
