/** Streams of a connection: as libp2p's own muxer has them on the wire, with fewer words. */
import type { MultiaddrConnection, Stream, StreamMuxer, StreamMuxerFactory } from "@libp2p/interface";
import { byteStream, multiaddrConnectionPair } from "@libp2p/utils";
import { yamux } from "@libp2p/yamux";
import { test } from "tap";
import { KiB, MiB } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import {
  MuxDecoder, type MuxHead, encodeMuxHead, muxFlags, muxHeadBytes, muxTypes,
} from "../../src/peers/connection/mux-frame.ts";
import { muxer } from "../../src/peers/connection/muxer.ts";

const { windowBytesMax, growthBytesMax, sliceBytes } = limits.peers;
const streamsMax = 8;
const openings = { perSecond: 10, burst: 40 };
const untakenMax = 50;
let shiftMs = 0;
const clock = { monotonicMs: () => systemClock.monotonicMs() + shiftMs };
const ours = muxer({
  clock, streamsMax, openings, untakenMax, windowBytesMax, growthBytesMax, frameBytesMax: sliceBytes,
})();
const theirs = yamux({ enableKeepAlive: false })() as StreamMuxerFactory;

/** What libp2p's interface does not tell of a stream. */
type Resting = Stream & { readonly writeBufferLength: number; readonly readBufferLength: number };

interface Ends {
  readonly dialler: StreamMuxer;
  /** The next stream that the other end takes. */
  readonly taken: Promise<Stream>;
}

function meet(dialling: StreamMuxerFactory, listening: StreamMuxerFactory): Ends {
  const [out, into] = multiaddrConnectionPair();
  const listener = listening.createStreamMuxer(into);
  const taken = new Promise<Stream>((resolve) => {
    listener.addEventListener("stream", ({ detail }) => resolve(detail), { once: true });
  });
  return { dialler: dialling.createStreamMuxer(out), taken };
}

/** All that came by it, as it grows. */
function gathered(stream: Stream): { readonly parts: Uint8Array[]; bytes: () => number } {
  const parts: Uint8Array[] = [];
  stream.addEventListener("message", ({ data }) => {
    for (const part of data instanceof Uint8Array ? [data] : data) parts.push(part);
  });
  return { parts, bytes: () => parts.reduce((sum, part) => sum + part.length, 0) };
}

function once(stream: Stream, event: "close" | "remoteCloseWrite" | "end"): Promise<Event> {
  return new Promise((resolve) => stream.addEventListener(event, resolve, { once: true }));
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const endMs = performance.now() + 60_000;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

for (const [name, dialling, listening] of [
  ["ours and ours", ours, ours], ["ours and libp2p's", ours, theirs], ["libp2p's and ours", theirs, ours],
] as const) {
  test(`${name}: 3 MiB go each way at once, and both ends close in peace`, async (t) => {
    const { dialler, taken } = meet(dialling, listening);
    const near = await dialler.createStream();
    const there = Buffer.alloc(3 * MiB, seededRandom(name).bytes(4_099));
    const back = Buffer.alloc(3 * MiB, seededRandom(`${name}, back`).bytes(4_099));
    const here = gathered(near);
    near.send(there);
    const far = await taken;
    const yonder = gathered(far);
    far.send(back);
    await until("all came", () => here.bytes() + yonder.bytes() === there.length + back.length);
    t.ok(there.equals(Buffer.concat(yonder.parts)) && back.equals(Buffer.concat(here.parts)));
    const ends = [once(near, "close"), once(far, "close"), once(far, "remoteCloseWrite")];
    await near.close();
    await ends[2];
    far.send(Buffer.from("last word"));
    await far.close();
    await Promise.all(ends);
    t.match(Buffer.concat(here.parts).subarray(-9).toString(), "last word", "half of it stayed open");
    t.strictSame([near.status, far.status, dialler.streams], ["closed", "closed", []]);
  });

  test(`${name}: who resets a stream ends it at both ends`, async (t) => {
    const { dialler, taken } = meet(dialling, listening);
    const near = await dialler.createStream();
    near.send(Buffer.from("hello"));
    const far = await taken;
    const closed = once(far, "close");
    near.abort(new Error("enough"));
    await closed;
    t.strictSame([near.status, far.status], ["aborted", "reset"]);
  });

  test(`${name}: a reader that rests stops its sender, and loses nothing`, async (t) => {
    const { dialler, taken } = meet(dialling, listening);
    const near = await dialler.createStream();
    near.send(Buffer.alloc(MiB, 1));
    const far = await taken;
    const yonder = gathered(far);
    await until("the first came", () => yonder.bytes() === MiB);
    far.pause();
    near.send(Buffer.alloc(8 * MiB, 2));
    const sent = () => 8 * MiB - (near as Resting).writeBufferLength;
    const waiting = () => (far as Resting).readBufferLength;
    await until("the window is full", () => sent() > 0 && waiting() === sent());
    t.ok(sent() <= windowBytesMax, `${sent()} bytes`);
    t.equal(yonder.bytes(), MiB);
    far.resume();
    await until("the rest came", () => yonder.bytes() === 9 * MiB);
  });
}

/** One end is a muxer of ours that listens, the other says what it likes. */
function raw(
  listen = (stream: Stream): void => stream.addEventListener("message", () => {}), muxers = ours,
) {
  const [out, into] = multiaddrConnectionPair({ capacity: 1_000 });
  const heads: MuxHead[] = [];
  const decoder = new MuxDecoder({ begins: (head) => heads.push(head), brings() {}, ends() {} });
  out.addEventListener("message", ({ data }) => {
    for (const chunk of data instanceof Uint8Array ? [data] : data) decoder.push(chunk);
  });
  const listener = muxers.createStreamMuxer(into);
  const streams: Stream[] = [];
  listener.addEventListener("stream", ({ detail }) => {
    streams.push(detail);
    listen(detail);
  });
  return { out, into, heads, streams, say: (...frames: Partial<MuxHead>[]) => say(out, frames) };
}

function say(out: MultiaddrConnection, frames: readonly Partial<MuxHead>[]): void {
  for (const part of frames) {
    const head = { type: muxTypes.data, flags: 0, stream: 1, length: 0, ...part };
    out.send(encodeMuxHead(head));
    if (head.type === muxTypes.data && head.length > 0) out.send(Buffer.alloc(head.length));
  }
}

const opening = { flags: muxFlags.open };

/** Sends so much by a first stream, as its window lets it; how much it was granted at once. */
async function send8MiB({ heads, say: tell }: ReturnType<typeof raw>): Promise<number> {
  tell({ ...opening });
  let mayBytes = 256 * KiB;
  let told = 0;
  for (let sent = 0; sent < 8 * MiB; sent += 64 * KiB) {
    await until("there is room", () => {
      for (; told < heads.length; told++) mayBytes += (heads[told] as MuxHead).length;
      return mayBytes >= 64 * KiB;
    });
    mayBytes -= 64 * KiB;
    tell({ length: 64 * KiB });
  }
  return Math.max(...heads.map(({ length }) => length));
}

test("8 MiB that are read bring few words back, and a window of 2 MiB at last", async (t) => {
  const ends = raw();
  const { heads } = ends;
  const widest = await send8MiB(ends);
  t.ok(heads.length <= 12, `${heads.length} words`);
  t.ok(heads.every(({ type, stream }) => type === muxTypes.window && stream === 1));
  t.ok(widest >= windowBytesMax / 2);
  t.equal(heads[0]?.flags, muxFlags.accept);
});

test("the windows of all grow by so much together, and by none once it is used up", async (t) => {
  const few = muxer({
    clock, streamsMax, openings, untakenMax, windowBytesMax, growthBytesMax: MiB, frameBytesMax: sliceBytes,
  })();
  const widths: number[] = [];
  const all = Array.from({ length: 4 }, () => raw(undefined, few));
  for (const ends of all) widths.push(await send8MiB(ends));
  t.ok((widths[0] ?? 0) >= 256 * KiB, `${widths}`);
  t.ok((widths.at(-1) ?? 0) < 256 * KiB, "it stays as it was");
  for (const { say: tell } of all) tell({ type: muxTypes.window, flags: muxFlags.reset });
  await until("their ends", () => all.every(({ streams }) => streams[0]?.status === "reset"));
  t.equal(await send8MiB(raw(undefined, few)), widths[0], "what ended leaves its part to others");
});

test("a hundred thousand bytes that come one by one are few pieces to whoever takes them", async (t) => {
  const pieces: number[] = [];
  const { out, streams, say: tell } = raw((stream) => {
    stream.addEventListener("message", ({ data }) => pieces.push([...data as Iterable<Uint8Array>].length));
  });
  tell({ ...opening });
  await until("the stream is there", () => streams.length === 1);
  streams[0]?.pause();
  const one = Buffer.concat([
    encodeMuxHead({ type: muxTypes.data, flags: 0, stream: 1, length: 1 }), Buffer.from([7]),
  ]);
  const count = 100_000;
  out.send(Buffer.concat(Array.from({ length: count }, () => one)));
  await until("all came", () => (streams[0] as Resting).readBufferLength === count);
  streams[0]?.resume();
  t.equal(pieces.length, 1);
  t.ok((pieces[0] ?? count) <= 256 + count / KiB, `${pieces} pieces`);
});

test("what is no frame, and what nobody may say, ends the connection", async (t) => {
  const wrong: Readonly<Record<string, Partial<MuxHead>>> = {
    "over the window": { ...opening, length: 256 * KiB + 1 },
    "a type that there is not": { type: 4 },
    "another version": { type: 256 },
    "a stream of our own numbering": { ...opening, stream: 2 },
    "data of no stream": { stream: 0, length: 5 },
    "a ping of a stream": { type: muxTypes.ping, flags: muxFlags.open },
    "an answer to no ping": { type: muxTypes.ping, flags: muxFlags.accept, stream: 0 },
  };
  for (const [name, frame] of Object.entries(wrong)) {
    const { into, streams, say: tell } = raw();
    tell({ ...opening, stream: 7 }, frame);
    await until(name, () => into.status !== "open");
    t.equal(streams[0]?.status, "aborted", name);
  }
});

test("of what comes at once with its end, a reader may give back what is another's to read", async (t) => {
  const { out, streams, say: tell } = raw(() => {});
  tell({ ...opening });
  await until("the stream is there", () => streams.length === 1);
  const bytes = byteStream(streams[0] as Stream);
  const first = bytes.read({ bytes: 5 });
  out.send(Buffer.concat([
    encodeMuxHead({ type: muxTypes.data, flags: 0, stream: 1, length: 10 }), Buffer.from("firstother"),
    encodeMuxHead({ type: muxTypes.window, flags: muxFlags.end, stream: 1, length: 0 }),
  ]));
  t.equal(Buffer.from((await first).subarray()).toString(), "first");
  const rest = gathered(bytes.unwrap());
  await until("the rest", () => rest.bytes() === 5);
  t.equal(Buffer.concat(rest.parts).toString(), "other");
});

test("who sends more than a window to a reader that rests is hung up on", async (t) => {
  const { into, streams, say: tell } = raw();
  tell({ ...opening });
  await until("the stream is there", () => streams.length === 1);
  streams[0]?.pause();
  tell({ length: 200 * KiB });
  await until("it waits", () => (streams[0] as Resting).readBufferLength === 200 * KiB);
  t.equal(into.status, "open");
  tell({ length: 100 * KiB });
  await until("the end", () => into.status !== "open");
});

test("a ping is answered, more streams than fit are reset, and strangers' frames passed over", async (t) => {
  const { into, heads, streams, say: tell } = raw();
  tell({ type: muxTypes.ping, flags: muxFlags.open, stream: 0, length: 77 });
  await until("an answer", () => heads.length === 1);
  t.strictSame(heads[0], { type: muxTypes.ping, flags: muxFlags.accept, stream: 0, length: 77 });
  for (let stream = 1; stream <= 2 * streamsMax + 1; stream += 2) tell({ ...opening, stream });
  await until("a refusal", () => heads.length === 2);
  t.strictSame(heads[1], {
    type: muxTypes.window, flags: muxFlags.reset, stream: 2 * streamsMax + 1, length: 0,
  });
  t.equal(streams.length, streamsMax);
  tell({ stream: 99, length: 5_000 }, { stream: 1, flags: muxFlags.end });
  await until("its end", () => streams[0]?.remoteWriteStatus === "closed");
  t.equal(into.status, "open");
  tell({ type: muxTypes.goAway, stream: 0 });
  await until("all ends", () => streams.every(({ status }) => status === "closed"));
});

test("who asks on and on, and takes no answers, is hung up on", async (t) => {
  const asking: Readonly<Record<string, (at: number) => Partial<MuxHead>>> = {
    pings: (length) => ({ type: muxTypes.ping, flags: muxFlags.open, stream: 0, length }),
    "streams that are refused": (at) => ({ ...opening, stream: 2 * at + 1 }),
  };
  for (const [name, frame] of Object.entries(asking)) {
    const { into, say: tell } = raw();
    // As a socket whose other end reads nothing.
    Object.assign(into, { writableNeedsDrain: true });
    let said = 0;
    while (into.status === "open" && said < 10 * untakenMax) {
      tell(frame(said++));
      if (said % 20 === 0) await new Promise(setImmediate);
    }
    await until(name, () => into.status !== "open");
    t.ok(said <= 3 * untakenMax, `${said} ${name}`);
  }
});

test("who takes the answers now and then may ask on", async (t) => {
  const { into, heads, say: tell } = raw();
  for (let round = 1; round <= 5; round++) {
    Object.assign(into, { writableNeedsDrain: true });
    for (let at = 0; at < untakenMax - 1; at++) {
      tell({ type: muxTypes.ping, flags: muxFlags.open, stream: 0, length: at });
    }
    await until("all wait", () => into.writeBufferLength === (untakenMax - 1) * muxHeadBytes);
    into.dispatchEvent(new Event("drain"));
    await until("answers", () => heads.length === round * (untakenMax - 1));
  }
  t.equal(into.status, "open");
});

test("streams that are opened and ended at once are few in a time", async (t) => {
  const { into, heads, streams, say: tell } = raw();
  let next = 1;
  const open = (count: number): void => {
    for (let at = 0; at < count; at++, next += 2) {
      tell({ ...opening, stream: next }, { type: muxTypes.window, flags: muxFlags.reset, stream: next });
    }
  };
  const refused = () => heads.filter(({ flags }) => flags === muxFlags.reset).length;
  open(openings.burst + 20);
  await until("refusals", () => streams.length + refused() >= openings.burst + 20);
  t.ok(streams.length < openings.burst + 20 && streams.length >= openings.burst, `${streams.length}`);
  t.equal(into.status, "open");
  shiftMs += 1_000 * openings.burst / openings.perSecond;
  const before = streams.length;
  open(openings.burst);
  await until("they are taken again", () => streams.length === before + openings.burst);
});

test("frames come in pieces as they are cut, whole or byte by byte", (t) => {
  const random = seededRandom("cuts");
  const whole = Buffer.concat([
    encodeMuxHead({ type: 0, flags: 1, stream: 3, length: 500 }), random.bytes(500),
    encodeMuxHead({ type: 1, flags: 0, stream: 3, length: 2 ** 32 - 1 }),
    encodeMuxHead({ type: 0, flags: 4, stream: 3, length: 0 }),
    encodeMuxHead({ type: 0, flags: 0, stream: 2 ** 32 - 1, length: 70 }), random.bytes(70),
  ]);
  const readBy = (cut: () => number) => {
    const seen: unknown[] = [];
    const parts: Uint8Array[] = [];
    const decoder = new MuxDecoder({
      begins: (head) => seen.push(["begins", head]),
      brings: (piece) => parts.push(piece),
      ends: (head) => seen.push(["ends", head, Buffer.concat(parts.splice(0)).toString("hex")]),
    });
    for (let at = 0; at < whole.length;) {
      const end = at + cut();
      decoder.push(whole.subarray(at, end));
      at = end;
    }
    return seen;
  };
  const right = readBy(() => whole.length);
  t.equal(right.length, 8);
  for (let round = 0; round < 50; round++) t.strictSame(readBy(() => 1 + random.below(40)), right);
  t.strictSame(readBy(() => 1), right);
  t.end();
});
