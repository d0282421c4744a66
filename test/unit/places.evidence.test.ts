/**
 * Real nodes in a made-up world: each has an address, a true place and a claim, and they find out
 * by range questions over real streams who is where. And what it comes to in the facts of a policy.
 */
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import type { KnownPeer, Observed } from "../../src/base/network.ts";
import type { Offer } from "../../src/base/records.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { sha256 } from "../../src/crypt/ciphers/sha256.ts";
import { parseRange, signRange } from "../../src/crypt/records/range.ts";
import { domainOf, factsKnown, isLying, locationOf } from "../../src/placement/judging/facts.ts";
import { Places } from "../../src/places/places.ts";
import { faultOf } from "../support/faults.ts";
import { type Dweller, MadeUpNet, type PlacedNode } from "../support/made-up-net.ts";
import { MemoryKeyValue } from "../support/memory-host.ts";
import { peerOf } from "../support/policies.ts";

const zurich = { latitude: 47.4, longitude: 8.5 };
const geneva = { latitude: 46.2, longitude: 6.1 };
const frankfurt = { latitude: 50.1, longitude: 8.7 };
const bern = { latitude: 46.9, longitude: 7.4 };
const sydney = { latitude: -33.9, longitude: 151.2 };

/** Addresses of networks that the tables know well. */
const addresses = {
  CH: ["129.132.1.5", "130.59.31.80", "195.176.96.7", "130.92.1.9"], DE: ["193.99.144.80"],
} as const;

const honest: readonly Dweller[] = [
  { name: "ann", claims: "CH", address: addresses.CH[0], at: zurich },
  { name: "ben", claims: "CH", address: addresses.CH[1], at: geneva },
  { name: "cleo", claims: "DE", address: addresses.DE[0], at: frankfurt },
  { name: "dora", claims: "CH", address: addresses.CH[3], at: bern },
  { name: "emil", claims: "CH", address: addresses.CH[2], at: zurich },
];
/** In Sydney behind an address in Switzerland, as a tunnel gives one. */
const tunnelled: Dweller = {
  name: "mallory", claims: "CH", address: "5.144.1.1", at: sydney,
};
/** In Zurich, says Australia, to be the one peer there. */
const boaster: Dweller = { name: "oscar", claims: "AU", address: "81.6.1.1", at: zurich };
/** Says the Netherlands, lives in Germany by its address and its trips. */
const mistaken: Dweller = { name: "peggy", claims: "NL", address: "193.96.1.1", at: frankfurt };

test("nodes find out by round trips who is where, and who says what is not so", async (t) => {
  const net = new MadeUpNet();
  await using stack = new AsyncDisposableStack();
  const nodes: PlacedNode[] = [];
  for (const dweller of [...honest, tunnelled, boaster, mistaken]) {
    nodes.push(stack.use(await net.open(dweller)));
  }
  for (const one of nodes) {
    for (const other of nodes) if (one !== other) await one.node.peers.connect(other.node.address);
  }
  const ann = nodes[0] as PlacedNode;
  const before = ann.known(nodes[4]!.peer) as KnownPeer;
  t.strictSame(placeOf(before), { country: "CH", evidence: "geoip" }, "its address agrees");
  t.equal(before.observed?.asn, 559);
  t.equal(before.observed?.prefix, "195.176.96.0/24");

  await net.pass(nodes, 2 * nodes.length);
  for (const [at, { name, claims }] of honest.entries()) {
    if (at === 0) continue;
    const known = ann.known(nodes[at]!.peer) as KnownPeer;
    t.strictSame(known.observed?.refuted, [], name);
    t.equal(placeOf(known)?.country, claims, name);
  }
  t.strictSame(placeOf(ann.known(nodes[4]!.peer)), { country: "CH", evidence: "rtt" });
  const far = ann.known(nodes[5]!.peer) as KnownPeer;
  t.strictSame(placeOf(far), { country: "CH", evidence: "geoip" }, "delay says nothing against it");
  t.strictSame(far.observed?.upheld, [], "and nobody upholds it");
  const liar = ann.known(nodes[6]!.peer) as KnownPeer;
  t.ok(isLying(liar));
  t.not(placeOf(liar)?.country, "AU");
  const mixed = ann.known(nodes[7]!.peer) as KnownPeer;
  t.equal(mixed.observed?.geoip, "DE");
  t.equal(placeOf(mixed), undefined, "round trips cannot tell neighbours apart, so neither counts");
});

function placeOf(known: KnownPeer | undefined) {
  return known === undefined ? undefined : factsKnown([known])(known.offer).location;
}

test("a node on loopback keeps its claims, and is not measured", async (t) => {
  const net = new MadeUpNet();
  const local = honest.map((dweller) => ({ ...dweller, address: "127.0.0.1", claims: "AU" }));
  await using one = await net.open(local[0]!);
  await using other = await net.open(local[1]!);
  await one.node.peers.connect(other.node.address);
  await net.pass([one, other], 3);
  const known = one.known(other.peer) as KnownPeer;
  t.equal(one.places.measuredOf(other.peer), undefined);
  t.strictSame(placeOf(known), { country: "AU", evidence: "claimed" });
  t.equal(known.observed?.household, known.offer.household);
  t.equal(known.observed?.prefix, undefined);
});

const self = peerKeysOf(sha256(Buffer.from("places self")));

function offerOf(at: number, told: Partial<Offer> = {}): Offer {
  return {
    peer: peerOf(at), atMs: 0, household: `home ${at}`, country: "CH", addresses: [],
    quotaBytes: 1, freeBytes: 1, bytes: new Uint8Array(), ...told,
  };
}

function known(offer: Offer): KnownPeer {
  return { offer, online: true, roundTripMs: 1, lastSeenMs: 0 };
}

function openPlaces(books: MemoryKeyValue): Places {
  const needs = { clock: systemClock, log: silentLog, books };
  return new Places(needs, { self: self.peer, household: "here", country: "CH" });
}

test("two peers at one address are one household for caps, whatever they say", async (t) => {
  await using places = openPlaces(new MemoryKeyValue());
  const offers = [1, 2, 3, 4].map((at) => offerOf(at));
  places.saw(offers[0]!.peer, "129.132.1.5");
  places.saw(offers[1]!.peer, "129.132.1.5");
  places.saw(offers[2]!.peer, "129.132.1.6");
  places.saw(offers[3]!.peer, "10.0.0.7");
  const told = places.observe(offers.map(known));
  const factsOf = factsKnown(told);
  const households = offers.map((offer) => domainOf("household", factsOf(offer), "claimed"));
  t.strictSame(households, ["home 1", "home 1", "home 3", "home 4"]);
  const prefixes = offers.map((offer) => domainOf("prefix", factsOf(offer), "claimed"));
  t.strictSame(prefixes, ["129.132.1.0/24", "129.132.1.0/24", "129.132.1.0/24", undefined]);
  t.equal(domainOf("asn", factsOf(offers[0]!), "claimed"), "559");
});

test("what was seen, heard and vouched for is there again after a restart", async (t) => {
  const books = new MemoryKeyValue();
  const offer = offerOf(0, { peer: peerKeysOf(sha256(Buffer.from("target"))).peer });
  {
    await using places = openPlaces(books);
    places.saw(offer.peer, "129.132.1.5");
    const trip = { target: offer.peer, atMs: systemClock.now(), tripUs: 900, country: "CH" };
    places.heard(signRange(self, trip));
    places.vouch(offer.peer, "LI");
    t.equal(await faultOf(() => places.vouch(offer.peer, "XX")), "Invalid");
    t.equal(await faultOf(() => places.vouch("nobody", "CH")), "Invalid");
  }
  await books.put("place/garbage", Buffer.from([1]));
  await books.put(`range/${offer.peer}/x`, Buffer.from([1]));
  await using places = openPlaces(books);
  await places.load();
  const [told] = places.observe([known(offer)]);
  t.equal(told?.observed?.prefix, "129.132.1.0/24");
  t.strictSame(locationOf(offer, told!.observed!), { country: "LI", evidence: "confined" });
  t.equal(places.measuredOf(offer.peer)?.tripUs, 900);
  places.vouch(offer.peer, undefined);
  const [after] = places.observe([known(offer)]);
  t.strictSame(locationOf(offer, after!.observed!), { country: "CH", evidence: "geoip" });
});

test("only who has a place of its own speaks of others", async (t) => {
  await using places = openPlaces(new MemoryKeyValue());
  const verifier = peerKeysOf(sha256(Buffer.from("verifier")));
  const target = peerKeysOf(sha256(Buffer.from("target"))).peer;
  const speak = (country: string | undefined) => parseRange(signRange(verifier, {
    target, atMs: systemClock.now(), tripUs: 900, country,
  }).bytes);
  const isHeard = (): boolean => {
    return places.observe([
      known(offerOf(0, { peer: target, country: "AU" })),
      known(offerOf(1, { peer: verifier.peer })),
    ]).length > 0 && places.countOf(target) > 0;
  };
  places.saw(target, "129.132.1.5");
  places.heard(speak("CH"));
  t.notOk(isHeard(), "never seen");
  places.saw(verifier.peer, "192.168.1.4");
  places.heard(speak("CH"));
  t.notOk(isHeard(), "seen nowhere");
  places.saw(verifier.peer, "129.94.0.49");
  places.heard(speak("CH"));
  t.notOk(isHeard(), "its address is elsewhere");
  places.heard(speak(undefined));
  t.notOk(isHeard(), "it does not say where it is");
  places.saw(verifier.peer, "130.59.31.80");
  places.heard(speak("CH"));
  t.ok(isHeard());
});

const nothing: Observed = {
  prefix: undefined, asn: undefined, household: "x", geoip: undefined, upheld: [], refuted: [],
  vouched: undefined,
};

test("the country with the best evidence wins, and a contradiction is no place", (t) => {
  const cases: readonly (readonly [string | undefined, Partial<Observed>, string])[] = [
    ["DE", {}, "DE claimed"],
    [undefined, {}, "none"],
    ["DE", { geoip: "DE" }, "DE geoip"],
    [undefined, { geoip: "DE" }, "DE geoip"],
    ["DE", { geoip: "NL" }, "none"],
    ["DE", { geoip: "DE", upheld: ["DE"] }, "DE rtt"],
    ["DE", { geoip: "NL", upheld: ["DE", "NL"] }, "none"],
    ["DE", { geoip: "AU", upheld: ["DE"] }, "none"],
    ["DE", { geoip: "AU", upheld: ["DE"], refuted: ["AU"] }, "DE rtt"],
    ["AU", { geoip: "DE", upheld: ["DE"], refuted: ["AU"] }, "DE rtt"],
    ["AU", { geoip: "DE", refuted: ["AU"] }, "none"],
    ["DE", { geoip: "DE", refuted: ["DE"] }, "none"],
    ["DE", { refuted: ["DE"] }, "none"],
    ["DE", { upheld: ["DE"] }, "DE rtt"],
    ["AU", { geoip: "DE", refuted: ["AU"], vouched: "FR" }, "FR confined"],
  ];
  for (const [country, observed, wanted] of cases) {
    const found = locationOf(offerOf(0, { country }), { ...nothing, ...observed });
    const text = found === undefined ? "none" : `${found.country} ${found.evidence}`;
    t.equal(text, wanted, `${country} ${JSON.stringify(observed)}`);
  }
  t.end();
});

test("whoever is not watched is believed as before", (t) => {
  const offer = offerOf(0);
  const facts = factsKnown([known(offer)])(offer);
  t.strictSame(facts.location, { country: "CH", evidence: "claimed" });
  t.equal(facts.household, "home 0");
  t.notOk(isLying(known(offer)));
  const peer: PeerId = offer.peer;
  t.equal(facts.offer.peer, peer);
  t.end();
});
