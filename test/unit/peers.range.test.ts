/** `/hive/range/1.0.0` between real nodes: measuring, being asked, and what is refused. */
import { setTimeout as delay } from "node:timers/promises";
import { encode } from "@ipld/dag-cbor";
import { peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { limits } from "../../src/base/limits.ts";
import type { KnownPeer } from "../../src/base/network.ts";
import type { PlaceBook } from "../../src/base/places.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { RangeStatement } from "../../src/base/records.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { isEcho, parseRange, signEcho, signRange } from "../../src/crypt/records/range.ts";
import { rangeProtocol } from "../../src/peers/acquaintance/range.ts";
import { addressSeen } from "../../src/peers/acquaintance/seen.ts";
import { FrameDecoder, encodeFrameStart } from "../../src/peers/wire/frame.ts";
import { openBareNode } from "../support/bare-node.ts";
import { faultOf } from "../support/faults.ts";
import { openTestNode } from "../support/peer-nodes.ts";

/** Says what it is told to, and remembers what it was told. */
class Book implements PlaceBook {
  readonly seen: string[] = [];
  told: readonly RangeStatement[] = [];
  saw = (_peer: string, address: string): void => void this.seen.push(address);
  observe = (known: readonly KnownPeer[]): readonly KnownPeer[] => known;
  statementsAbout = (): readonly RangeStatement[] => this.told;
}

test("a node measures a peer, and signs what it found", async (t) => {
  const places = new Book();
  await using target = await openTestNode({ more: { places } });
  await using verifier = await openTestNode({ country: "DE" });
  await verifier.peers.connect(target.address);
  const statement = await verifier.peers.ranging.range(target.keys.peer);
  t.strictSame(parseRange(statement.bytes), statement);
  t.equal(statement.verifier, verifier.keys.peer);
  t.equal(statement.target, target.keys.peer);
  t.equal(statement.country, "DE");
  t.ok(statement.tripUs > 0 && statement.tripUs < 1_000_000, `${statement.tripUs} us`);
  t.strictSame(places.seen, ["127.0.0.1"], "the target saw where the connection came from");
});

test("an answer that is held back is told as such, and cannot be less", async (t) => {
  const world = { addressOf: () => undefined, delayMs: () => 40 };
  await using target = await openTestNode({ more: { world } });
  await using verifier = await openTestNode();
  await verifier.peers.connect(target.address);
  const { tripUs } = await verifier.peers.ranging.range(target.keys.peer);
  t.ok(tripUs >= 39_000, `${tripUs} us`);
});

test("only whom we are connected with is measured", async (t) => {
  await using target = await openTestNode();
  await using verifier = await openTestNode();
  t.equal(await faultOf(verifier.peers.ranging.range(target.keys.peer)), "Unavailable");
});

test("statements come from who made them, about whom was asked, once each", async (t) => {
  const places = new Book();
  await using witness = await openTestNode({ more: { places } });
  await using asker = await openTestNode();
  await asker.peers.connect(witness.address);
  const random = seededRandom("statements");
  const targets = [1, 2, 3].map(() => peerKeysOf(random.bytes(32)).peer);
  const [one, two, three] = targets as [typeof targets[0], typeof targets[0], typeof targets[0]];
  const made = (target: typeof one, keys = witness.keys) => {
    return signRange(keys, { target: target!, atMs: 5, tripUs: 7, country: undefined });
  };
  const ask = () => asker.peers.ranging.statements(witness.keys.peer, [one!, two!]);
  places.told = [made(one), made(two)];
  t.strictSame(await ask(), places.told);
  places.told = [];
  t.strictSame(await ask(), []);
  places.told = [made(three)];
  t.equal(await faultOf(ask()), "Corrupt", "nobody asked about that one");
  places.told = [made(one), made(one)];
  t.equal(await faultOf(ask()), "Corrupt", "the same twice");
  places.told = [made(one, peerKeysOf(random.bytes(32)))];
  t.equal(await faultOf(ask()), "Corrupt", "another's word");
});

test("an echo is of one nonce, one verifier and one target", (t) => {
  const random = seededRandom("echo");
  const [target, verifier, other] = [1, 2, 3].map(() => peerKeysOf(random.bytes(32)));
  const nonce = random.bytes(32);
  const asked = { nonce, verifier: verifier!.peer, target: target!.peer };
  const echo = signEcho(target!, verifier!.peer, nonce);
  t.ok(isEcho(asked, echo));
  t.notOk(isEcho({ ...asked, nonce: random.bytes(32) }, echo));
  t.notOk(isEcho({ ...asked, verifier: other!.peer }, echo));
  t.notOk(isEcho({ ...asked, target: other!.peer }, echo));
  t.notOk(isEcho(asked, echo.subarray(1)));
  t.throws(() => signEcho(target!, verifier!.peer, nonce.subarray(1)));
  t.end();
});

test("a stream has few messages, a peer few streams, and nonsense ends a stream alone",
  async (t) => {
    // Its minutes begin with the test: else one might end within it.
    const startMs = systemClock.monotonicMs();
    const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() - startMs };
    await using target = await openTestNode({ clock });
    await using stranger = await openBareNode({ listen: [] });
    const connection = await stranger.node.dial(multiaddr(target.address));
    const talk = async (heads: readonly Uint8Array[]): Promise<number> => {
      const stream = await connection.newStream(rangeProtocol, { negotiateFully: true });
      // A stream that was refused at once has closed before anybody could listen.
      if (stream.status !== "open") return 0;
      const ended = new Promise((resolve) => stream.addEventListener("close", resolve));
      const answered = Promise.withResolvers<void>();
      let answers = 0;
      const decoder = new FrameDecoder();
      stream.addEventListener("message", ({ data }) => {
        for (const chunk of data instanceof Uint8Array ? [data] : data) decoder.push(chunk);
        while (decoder.next() !== undefined) answers++;
        if (answers === heads.length) answered.resolve();
      });
      for (const head of heads) {
        if (stream.status === "open") stream.send(encodeFrameStart(head, 0));
      }
      await Promise.race([ended, answered.promise, delay(5_000, undefined, { ref: false })]);
      stream.abort(new Error("done"));
      return answers;
    };
    const nonce = encode({ nonce: Buffer.alloc(32) });
    const many = Array.from({ length: 4 * limits.peers.rangeAsksMax }, () => nonce);
    t.ok(await talk(many) <= limits.peers.rangeAsksMax, "no more answers than questions allowed");
    const wrong = [
      Buffer.from([0xff]), encode({}), encode([]), encode({ nonce: Buffer.alloc(31) }),
      encode({ about: "all" }), encode({ about: [1] }), encode({ about: ["no peer"] }),
      encode({ about: Array.from({ length: limits.peers.rangeTargetsMax + 1 }, () => "x") }),
    ];
    for (const head of wrong) t.equal(await talk([head]), 0);
    const laden = await connection.newStream(rangeProtocol, { negotiateFully: true });
    const ended = new Promise((resolve) => laden.addEventListener("close", resolve));
    laden.send(encodeFrameStart(nonce, limits.peers.payloadBytesMax));
    const startedMs = systemClock.monotonicMs();
    await ended;
    t.ok(systemClock.monotonicMs() - startedMs < limits.peers.rangeTimeoutMs / 2,
      "no room is kept for what a question does not have");
    const { rangeStreamsPerMinuteMax } = limits.peers;
    let served = 0;
    for (let stream = 0; stream < 2 * rangeStreamsPerMinuteMax; stream++) {
      served += Math.min(1, await talk([nonce]).catch(() => 0));
    }
    t.ok(served <= rangeStreamsPerMinuteMax, `${served} streams`);
    await using honest = await openTestNode();
    await honest.peers.connect(target.address);
    await honest.peers.ranging.range(target.keys.peer);
    t.equal(connection.status, "open", "the connection lives");
    t.ok(stranger.node.getConnections(peerIdFromString(target.keys.peer)).length > 0);
  });

test("what a relay carries has no address", (t) => {
  const seen = (address: string, more: object = {}) => addressSeen({
    remoteAddr: { toString: () => address }, direct: true, ...more,
  } as Parameters<typeof addressSeen>[0]);
  t.equal(seen("/ip4/81.2.69.142/tcp/4001"), "81.2.69.142");
  t.equal(seen("/ip6/2a02:168::1/udp/4001/quic-v1"), "2a02:168::1");
  t.equal(seen("/ip4/81.2.69.142/tcp/4001/p2p/12D3/p2p-circuit"), undefined);
  t.equal(seen("/ip4/81.2.69.142/tcp/4001", { limits: { seconds: 120 } }), undefined);
  t.equal(seen("/ip4/81.2.69.142/tcp/4001", { direct: false }), undefined);
  t.equal(seen("/dns4/example.org/tcp/4001"), undefined);
  t.end();
});
