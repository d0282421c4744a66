/**
 * What a crowd may have a node hold at once, while payloads are still on their way: the same door
 * and streams as a node has, at addresses that a test makes up.
 */
import type { Connection, Stream } from "@libp2p/interface";
import { multiaddrConnectionPair } from "@libp2p/utils";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { test } from "tap";
import { MiB } from "../../src/base/bytes.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { Door } from "../../src/peers/answering/door.ts";
import { Holding, JointHolding } from "../../src/peers/connection/holding.ts";
import { muxer } from "../../src/peers/connection/muxer.ts";
import { FrameDecoder, encodeFrameStart } from "../../src/peers/wire/frame.ts";
import { encodeRequest, parseAnswer } from "../../src/peers/wire/message.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const { payloadBytesMax, heldBytesMax, roomWaitMs } = limits.peers;
const { streamsMax } = limits.strangers;
const friend = 0;
const partner = 98;
const store = encodeRequest(1, { op: "store", record: Buffer.alloc(9), manifest: Buffer.alloc(9), index: 0 });

test("a crowd that begins to send holds no more than its allowance, and whom we know is served", async (t) => {
  const clock = new VirtualClock();
  const house = openHouse(clock);
  await house.call(friend, "198.51.100.1");
  await house.call(partner, "198.51.101.1");
  const beforeBytes = heldBytes();
  const crowd: { readonly stream: Stream; readonly kinds: readonly string[] }[] = [];
  for (let prefix = 0; prefix < 32; prefix++) {
    for (let count = 0; count < streamsMax; count++) {
      const stream = await house.come(1 + prefix, `203.0.${prefix}.1`);
      stream.send(encodeFrameStart(store, payloadBytesMax));
      stream.send(Buffer.alloc(1));
      crowd.push({ stream, ...kindsOf(stream) });
    }
  }
  await until(() => house.receivedBytes() >= crowd.length * (8 + store.length + 1));
  const mostBytes = heldBytes() - beforeBytes;
  t.comment(`${(mostBytes / MiB).toFixed(0)} MiB for ${crowd.length} payloads that began`);
  t.ok(mostBytes < heldBytesMax / 4 + 8 * MiB, `${mostBytes} bytes`);
  t.equal(await house.call(friend, "203.0.1.1"), "ok", "a friend finds room, wherever he comes from");
  t.equal(await house.call(partner, "198.51.101.1"), "ok", "and so does whoever keeps something here");
  await clock.pass(roomWaitMs);
  const isWhole = (kinds: readonly string[]) => kinds.length > 0;
  for (const { stream } of crowd) stream.send(Buffer.alloc(payloadBytesMax - 1));
  await until(() => crowd.every(({ kinds }) => isWhole(kinds)));
  const told = crowd.flatMap(({ kinds }) => kinds);
  t.strictSame([...new Set(told)].sort(), ["Busy", "ok"], "who waited long is told to come back");
  t.equal(await house.call(99, "203.0.0.9"), "ok", "and what came and went is given back");
});

test("who takes all that he can ends with a share, and leaves one for the next", (t) => {
  const all = new Holding(120);
  const crowd = Array.from({ length: 4 }, () => ({
    own: new Holding(100), get joint() { return new JointHolding([this.own, all]); },
  }));
  for (let round = 0; round < 100; round++) for (const { joint } of crowd) joint.take(1);
  for (const { own } of crowd) t.ok(own.heldBytes >= 23 && own.heldBytes <= 25, `${own.heldBytes}`);
  t.ok(new JointHolding([new Holding(100), all]).take(23));
  t.end();
});

test("when many connections are open a friend comes in, and whoever the vault has served", async (t) => {
  const clock = new VirtualClock();
  let open = 0;
  const door = new Door({
    clock, log: silentLog, meter: { sentBytes: 0, receivedBytes: 0 },
    connections: () => Array.from({ length: open }, () => fromOf(1, "203.0.113.1")),
    isFriend: (peer) => peer === peerOf(friend),
    answer: async () => Buffer.alloc(0),
  });
  const enters = (number: number) => door.enters(peerOf(number), "/ip4/198.51.100.7/tcp/9");
  open = limits.strangers.connectionsMax - 1;
  t.ok(enters(7));
  open = limits.strangers.connectionsMax;
  t.notOk(enters(7), "a stranger does not");
  t.ok(enters(friend));
  const stream = await meet(clock, (far) => door.serve(far, fromOf(8, "198.51.100.7")));
  const { kinds } = kindsOf(stream);
  stream.send(encodeFrameStart(store, 0));
  await until(() => kinds.length > 0);
  t.ok(enters(8), "a partner");
  t.notOk(enters(7));
});

test("who knocks is not compared with each who is here anew", (t) => {
  let read = 0;
  const open = Array.from({ length: 100 }, (_, number) => {
    const from = fromOf(number, `203.0.${number}.1`);
    return { ...from, remoteAddr: { toString: () => (read++, String(from.remoteAddr)) } };
  });
  const door = new Door({
    clock: new VirtualClock(), log: silentLog, meter: { sentBytes: 0, receivedBytes: 0 },
    connections: () => open as unknown as readonly Connection[],
    isFriend: () => false, answer: async () => Buffer.alloc(0),
  });
  for (let at = 0; at < 200; at++) t.ok(door.knocks(`/ip4/198.51.${at}.1/tcp/9`));
  t.ok(read <= open.length, `${read} addresses were read`);
  t.end();
});

/** A node's door, and the ways of others to it. */
function openHouse(clock: VirtualClock) {
  const meter = { sentBytes: 0, receivedBytes: 0 };
  const door = new Door({
    clock, log: silentLog, meter, connections: () => [],
    isFriend: (peer) => peer === peerOf(friend),
    answer: async () => Buffer.alloc(0),
  });
  const come = (number: number, host: string): Promise<Stream> => {
    return meet(clock, (far) => door.serve(far, fromOf(number, host)));
  };
  /** Brings a whole shard; what is said to it. */
  const call = async (number: number, host: string): Promise<string> => {
    const stream = await come(number, host);
    const { kinds } = kindsOf(stream);
    stream.send(encodeFrameStart(store, payloadBytesMax));
    stream.send(Buffer.alloc(payloadBytesMax));
    await until(() => kinds.length > 0);
    return kinds[0] as string;
  };
  return { come, call, receivedBytes: () => meter.receivedBytes };
}

/** A stream of a connection, whose other end is served when it hears of it. */
function meet(clock: VirtualClock, serve: (far: Stream) => void): Promise<Stream> {
  const { windowBytesMax, growthBytesMax, sliceBytes, openings, untakenMax } = limits.peers;
  const windows = { windowBytesMax, growthBytesMax, frameBytesMax: sliceBytes };
  const ours = muxer({ clock, streamsMax: 8, openings, untakenMax, ...windows })();
  const [out, into] = multiaddrConnectionPair();
  const listener = ours.createStreamMuxer(into);
  listener.addEventListener("stream", ({ detail }) => serve(detail));
  return Promise.resolve(ours.createStreamMuxer(out).createStream());
}

function fromOf(number: number, host: string): Connection {
  const remoteAddr = `/ip4/${host}/tcp/4001`;
  return {
    remotePeer: peerOf(number), remoteAddr, direction: "inbound", status: "open", abort: () => {},
  } as unknown as Connection;
}

function peerOf(number: number): PeerId {
  return peerKeysOf(Buffer.alloc(32, `peer ${number}`)).peer;
}

/** What a stream was answered, as it comes. */
function kindsOf(stream: Stream): { readonly kinds: string[] } {
  const decoder = new FrameDecoder();
  const kinds: string[] = [];
  stream.addEventListener("message", ({ data }) => {
    for (const chunk of data instanceof Uint8Array ? [data] : data) decoder.push(chunk);
    for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
      const { outcome } = parseAnswer(frame.head);
      kinds.push(outcome.ok ? "ok" : outcome.kind);
    }
  });
  return { kinds };
}

/** In buffers that somebody still holds. */
function heldBytes(): number {
  collect();
  const { arrayBuffers } = process.memoryUsage();
  return arrayBuffers;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(setImmediate);
}
