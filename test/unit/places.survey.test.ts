/** The survey measures a few peers a minute, the wanted first; what is heard stays bounded. */
import { test } from "tap";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { HiveError } from "../../src/base/errors.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import type { KnownPeer } from "../../src/base/network.ts";
import type { RangeNetwork } from "../../src/base/places.ts";
import { seededRandom } from "../../src/base/random.ts";
import { type PeerKeys, peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { signRange } from "../../src/crypt/records/range.ts";
import { Pending } from "../../src/places/pending.ts";
import { Places } from "../../src/places/places.ts";
import { Statements } from "../../src/places/statements.ts";
import { Survey } from "../../src/places/survey.ts";
import { MemoryKeyValue } from "../support/memory-host.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`places.survey/${seed}`);
const replay = `replay: HIVE_SEED=${seed} node test/unit/places.survey.test.ts`;

/** Time that passes when it is told to. */
class SetClock {
  ms = 1_800_000_000_000;
  readonly clock: Clock = {
    ...systemClock, now: () => this.ms, monotonicMs: () => this.ms,
  };
}

function keysOf(count: number): readonly PeerKeys[] {
  return Array.from({ length: count }, () => peerKeysOf(random.bytes(32)));
}

function knownOf(keys: readonly PeerKeys[]): readonly KnownPeer[] {
  return keys.map(({ peer }, at) => ({
    offer: {
      peer, atMs: 0, household: `home ${at}`, country: "CH", addresses: [], quotaBytes: 1,
      freeBytes: 1, bytes: new Uint8Array(),
    },
    online: true, roundTripMs: 1, lastSeenMs: 0,
  }));
}

function house(options: { readonly failing?: ReadonlySet<PeerId> } = {}) {
  const time = new SetClock();
  const [self, ...others] = keysOf(61) as [PeerKeys, ...PeerKeys[]];
  const books = new MemoryKeyValue();
  const needs = { clock: time.clock, log: silentLog, books };
  const places = new Places(needs, { self: self.peer, household: "here", country: "CH" });
  for (const [at, { peer }] of others.entries()) places.saw(peer, `129.132.${at}.5`);
  const calls: { readonly kind: "range" | "ask"; readonly peer: PeerId; readonly ms: number }[] = [];
  const network: RangeNetwork = {
    async range(peer) {
      calls.push({ kind: "range", peer, ms: time.ms });
      if (options.failing?.has(peer)) throw new HiveError("TimedOut", "test.range", peer);
      const trip = { target: peer, atMs: time.ms, tripUs: 900, country: "CH" };
      return signRange(self, trip);
    },
    async statements(peer, targets) {
      calls.push({ kind: "ask", peer, ms: time.ms });
      if (targets.includes(peer) || targets.length > limits.peers.rangeTargetsMax) {
        throw new Error(`${targets.length} targets`);
      }
      return [];
    },
  };
  return { time, places, others, network, calls, known: knownOf(others) };
}

test("however often it is called, a few a minute are measured and asked", async (t) => {
  const { time, places, others, network, calls, known } = house();
  const wanted = others.slice(40, 50).map(({ peer }) => peer);
  const survey = new Survey({
    places, network, peers: () => known, wanted: () => wanted, clock: time.clock, random,
    log: silentLog,
  });
  const { signal } = new AbortController();
  for (let at = 0; at < 6000; at++, time.ms += 100) await survey.step(signal);
  const ranges = calls.filter(({ kind }) => kind === "range");
  t.ok(ranges.length <= 61 && ranges.length >= 55, `${ranges.length} in ten minutes; ${replay}`);
  const first = new Set(ranges.slice(0, wanted.length).map(({ peer }) => peer));
  t.strictSame(first, new Set(wanted), "those who matter come first");
  t.equal(new Set(ranges.map(({ peer }) => peer)).size, ranges.length, "each once");
  const asks = calls.filter(({ kind }) => kind === "ask");
  t.ok(asks.length <= 61, `${asks.length} questions`);
  t.equal(new Set(asks.map(({ peer }) => peer)).size, asks.length);
});

test("who fails is left alone for a while, and a node without a drive asks nobody", async (t) => {
  const failing = new Set<PeerId>();
  const { time, places, others, network, calls, known } = house({ failing });
  for (const { peer } of others) failing.add(peer);
  const survey = new Survey({
    places, network, peers: () => known.slice(0, 3), wanted: undefined, clock: time.clock, random,
    log: silentLog,
  });
  const { signal } = new AbortController();
  for (let at = 0; at < 590; at++, time.ms += 1000) await survey.step(signal);
  t.equal(calls.length, 3, "three tries in ten minutes");
  for (let at = 0; at < 60; at++, time.ms += 1000) await survey.step(signal);
  t.equal(calls.length, 6);
  t.ok(calls.every(({ kind }) => kind === "range"));
});

test("statements are bounded, and new keys crowd nobody out", (t) => {
  const time = new SetClock();
  const pending = new Pending(new MemoryKeyValue());
  const verifiers = keysOf(60);
  const since = new Map(verifiers.map(({ peer }, at) => [peer, at]));
  const statements = new Statements({
    clock: time.clock, log: silentLog, pending,
    knownSinceMs: (peer) => since.get(peer) ?? Infinity,
  });
  const [target] = keysOf(1) as [PeerKeys];
  const speak = (by: PeerKeys, atMs = time.ms) => {
    return signRange(by, { target: target.peer, atMs, tripUs: 5, country: "CH" });
  };
  const { statementsPerTargetMax, statementAgeMsMax } = limits.places;
  for (const verifier of verifiers.toReversed()) statements.add(speak(verifier));
  const kept = new Set(statements.about(target.peer).map(({ verifier }) => verifier));
  const oldest = verifiers.slice(0, statementsPerTargetMax).map(({ peer }) => peer);
  t.strictSame(kept, new Set(oldest));
  t.notOk(statements.add(speak(verifiers[0] as PeerKeys)), "the same again is no news");
  t.notOk(statements.add(speak(verifiers[0] as PeerKeys, time.ms + 3_600_000)), "from the future");
  time.ms += statementAgeMsMax + 1;
  t.strictSame(statements.about(target.peer), []);
  t.ok(statements.expire());
  t.notOk(statements.expire());
  t.end();
});
