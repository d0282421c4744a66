/** Neighbours are asked for ever more rarely, and whoever comes is found at once all the same. */
import { networkInterfaces } from "node:os";
import { peerDiscoverySymbol } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { test } from "tap";
import type { PeerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom, systemRandom } from "../../src/base/random.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { Pace, lan } from "../../src/peers/libp2p/lan.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const { lookMs, pauseMsMax } = limits.lan;
const hourMs = 3_600_000;

/** At which looks within the time it asks. */
function asked(pace: Pace, span: { readonly fromMs: number; readonly toMs: number }, isAlone: boolean): number[] {
  const at: number[] = [];
  for (let ms = span.fromMs; ms < span.toMs; ms += lookMs) if (pace.isDue(ms, { isAlone })) at.push(ms);
  return at;
}

test("in company a day has a few dozen questions, the first of them soon", (t) => {
  const pace = new Pace();
  const at = asked(pace, { fromMs: 0, toMs: 24 * hourMs }, false);
  t.strictSame(at.slice(0, 4), [0, lookMs, 2 * lookMs, 4 * lookMs]);
  t.ok(at.length < 8 + 24 * hourMs / pauseMsMax, `${at.length} questions`);
  t.equal(at.at(-1)! - at.at(-2)!, pauseMsMax);
  t.end();
});

test("whoever is alone, or is so again, asks at every look", (t) => {
  const pace = new Pace();
  t.equal(asked(pace, { fromMs: 0, toMs: hourMs }, true).length, hourMs / lookMs);
  asked(pace, { fromMs: hourMs, toMs: 9 * hourMs }, false);
  const at = asked(pace, { fromMs: 9 * hourMs, toMs: 10 * hourMs }, true);
  t.equal(at.length, hourMs / lookMs, "at once, and on");
  t.end();
});

const log = Object.assign(() => undefined, { trace: () => undefined, error: () => undefined });

/** A neighbour with real mDNS, and a time of its own. */
function neighbour(seed: string, company: { count: number }) {
  const { peer } = peerKeysOf(systemRandom.bytes(32));
  const clock = new VirtualClock();
  const service = lan({ clock, random: seededRandom(seed) })({
    logger: { forComponent: () => log } as never,
    addressManager: { getAddresses: () => [multiaddr(`/ip4/127.0.0.1/tcp/9/p2p/${peer}`)] } as never,
    connectionManager: { getConnections: () => Array.from({ length: company.count }) },
  });
  const found = (wanted: PeerId): Promise<void> => new Promise((resolve) => {
    service[peerDiscoverySymbol].addEventListener("peer", ({ detail }) => {
      if (String(detail.id) === wanted) resolve();
    });
  });
  const end = async (): Promise<void> => service.stop();
  return { peer, clock, found, start: () => service.start(), [Symbol.asyncDispose]: end };
}

const isThere = Object.values(networkInterfaces()).flat().some((one) => one?.internal === false);

test("who has rested for hours is found by a newcomer at once, and asks anew once alone", {
  skip: !isThere && "no network",
}, async (t) => {
  const company = { count: 1 };
  await using old = neighbour("old", company);
  await old.start();
  await old.clock.pass(5 * hourMs);
  await using newcomer = neighbour("newcomer", { count: 1 });
  // His question is one for himself as well, and his answer tells all of him.
  const found = [newcomer.found(old.peer), old.found(newcomer.peer)];
  await newcomer.start();
  await Promise.all(found);
  company.count = 0;
  const again = old.found(newcomer.peer);
  await old.clock.pass(1.25 * lookMs);
  await again;
  t.pass();
});
