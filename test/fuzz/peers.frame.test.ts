/** Seeded mutations of frames and heads: every input is a frame, a wait, or Corrupt; never more. */
import { test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import type { OwnerId, SegmentId, ShardId } from "../../src/base/ids.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { FrameDecoder, encodeFrameStart } from "../../src/peers/wire/frame.ts";
import {
  type Request, encodeAnswer, encodeHello, encodeList, encodeOwnerRecords, encodeRequest,
  parseAnswer, parseHello, parseList, parseOwnerRecords, parseRequest,
} from "../../src/peers/wire/message.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const rounds = Number(process.env["HIVE_ROUNDS"] ?? 20_000);
const replay = `replay: HIVE_SEED=${seed} node test/fuzz/peers.frame.test.ts`;
const random = seededRandom(seed);

const hex = "5a".repeat(32);
const requests: readonly Request[] = [
  { op: "hello" },
  { op: "ping" },
  { op: "offers", limit: 10 },
  { op: "cancel", target: 3 },
  { op: "store", record: random.bytes(300), manifest: random.bytes(200), index: 7 },
  { op: "read", shard: hex as ShardId, offset: 4096, length: 70_000 },
  { op: "prove", shard: hex as ShardId, nonce: random.bytes(32), leaves: [1, 5, 9] },
  { op: "release" },
  { op: "putRecord", kind: "manifest" },
  { op: "records", owner: hex as OwnerId },
  { op: "segments", owner: hex as OwnerId, after: hex as SegmentId, limit: 20 },
  { op: "segments", owner: hex as OwnerId, after: undefined, limit: 20 },
];

test("every request and answer comes out as it went in", (t) => {
  for (const request of requests) {
    const head = encodeRequest(9, request);
    const parsed = parseRequest(head);
    t.equal(parsed.id, 9);
    t.equal(parsed.request.op, request.op);
    t.strictSame(Object.keys(parsed.request).sort(), Object.keys(request).sort());
    t.ok(Buffer.from(encodeRequest(9, parsed.request)).equals(head), request.op);
  }
  for (const outcome of [{ ok: true }, { ok: false, kind: "Quota" }] as const) {
    t.strictSame(parseAnswer(encodeAnswer(4, outcome)), { id: 4, outcome });
  }
  t.end();
});

test("frames come out whole however the stream is cut", (t) => {
  for (let round = 0; round < 200; round++) {
    const frames = Array.from({ length: 1 + random.below(5) }, () => ({
      head: random.bytes(1 + random.below(300)),
      payload: random.bytes(random.below(3) === 0 ? 0 : random.below(5000)),
    }));
    const stream = Buffer.concat(frames.flatMap(({ head, payload }) => {
      return [encodeFrameStart(head, payload.length), payload];
    }));
    const decoder = new FrameDecoder();
    const found = [];
    for (let at = 0; at < stream.length;) {
      const end = at + 1 + random.below(700);
      decoder.push(stream.subarray(at, end));
      for (let frame = decoder.next(); frame; frame = decoder.next()) found.push(frame);
      at = end;
    }
    if (decoder.unfinished || found.length !== frames.length) t.fail(replay);
    for (const [index, { head, payload }] of frames.entries()) {
      const same = found[index]?.head.equals(head) && found[index]?.payload.equals(payload);
      if (same !== true) t.fail(replay);
    }
  }
  t.pass(`seed ${seed}`);
  t.end();
});

test("mutated streams give frames, wait, or are Corrupt", (t) => {
  const parsers: readonly ((bytes: Uint8Array) => unknown)[] = [
    parseRequest, parseAnswer, (b) => parseList(b, 64), parseHello, parseOwnerRecords,
  ];
  const seeds = [
    ...requests.map((request) => encodeRequest(1, request)),
    encodeAnswer(1, { ok: true }),
    encodeList([random.bytes(40), random.bytes(3)]),
    encodeHello([random.bytes(100)], random.bytes(90)),
    encodeOwnerRecords(random.bytes(80), [random.bytes(80)]),
  ];
  for (let round = 0; round < rounds; round++) {
    const head = mutated(seeds[random.below(seeds.length)] as Uint8Array, random);
    const parse = parsers[random.below(parsers.length)] as (bytes: Uint8Array) => unknown;
    mustBehave(t, () => parse(head));
    const decoder = new FrameDecoder();
    const start = encodeFrameStart(Buffer.alloc(Math.max(1, head.length)), random.below(50));
    decoder.push(mutated(start, random));
    decoder.push(head);
    mustBehave(t, () => {
      for (let frame = decoder.next(); frame; frame = decoder.next());
    });
  }
  t.pass(`seed ${seed}, ${rounds} rounds`);
  t.end();
});

function mustBehave(t: { fail: (words: string) => unknown }, act: () => unknown): void {
  try {
    act();
  } catch (error) {
    if (!isFault(error, "Corrupt")) t.fail(`${String(error)}; ${replay}`);
  }
}

function mutated(source: Uint8Array, dice: Random): Buffer {
  const bytes = Buffer.from(source);
  for (let change = dice.below(4); change >= 0; change--) {
    const at = dice.below(Math.max(1, bytes.length));
    if (bytes.length > 0) bytes[at] = dice.below(256);
  }
  const cut = dice.below(5);
  if (cut === 0) return bytes.subarray(0, dice.below(bytes.length + 1));
  if (cut === 1) return Buffer.concat([bytes, dice.bytes(dice.below(20))]);
  return bytes;
}
