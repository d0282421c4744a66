/** Groups over many random worlds: no cap broken, one draw for all, little moved, fair load. */
import { test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import { type OwnerId, type PeerId, parseGroupId, parseOwnerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { type Random, seededRandom, shuffled } from "../../src/base/random.ts";
import { type ErasureClass, type Manifest, type Offer } from "../../src/base/records.ts";
import { erasureClasses } from "../../src/base/records.ts";
import { drawGroup, replaceMember } from "../../src/placement/draws/group.ts";
import { fullnessOf } from "../../src/placement/draws/straw.ts";
import { type Facts, factsOf as claims } from "../../src/placement/judging/facts.ts";
import { hashOfPolicy } from "../../src/placement/language/policy-hash.ts";
import { type Policy, defaultPolicy } from "../../src/placement/language/policy.ts";
import { peerOf } from "../support/policies.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/placement.group.test.ts`;
const GiB = 2 ** 30;
const nowMs = 1_800_000_000_000;
const small = classNamed("small");
const home = classNamed("home");
const european: Policy = {
  ...defaultPolicy,
  rules: [{ verb: "require", condition: { fact: "country", among: ["DE", "FR"] } }],
};

test("over random worlds, no household has two seats and every clause holds", (t) => {
  const random = seededRandom(`${seed}/worlds`);
  const wrong: string[] = [];
  let drawnCount = 0;
  let refusedCount = 0;
  for (let world = 0; world < 400; world++) {
    const offers = randomOffers(random, 3 + random.below(60));
    const policy = world % 2 === 0 ? defaultPolicy : european;
    const erasureClass = erasureClasses[random.below(4)] as ErasureClass;
    const draw = drawGroup({ class: erasureClass, offers, policy, seed: `${world}`, nowMs });
    const good = offers.filter((offer) => isEligible(offer, policy));
    const households = new Set(good.map(({ household }) => household)).size;
    if (draw.state === "impossible") {
      refusedCount++;
      // It refuses only when there is no way at all, and says how many the last clause left.
      if (households >= erasureClass.n) wrong.push(`world ${world}: refused without need`);
      if (draw.clauses.at(-1)?.left !== households) wrong.push(`world ${world}: wrong count`);
      continue;
    }
    drawnCount++;
    const members = draw.peers.map((peer) => good.find((offer) => offer.peer === peer));
    const seats = new Set(members.map((member) => member?.household));
    if (members.includes(undefined)) wrong.push(`world ${world}: a peer that no clause lets in`);
    if (seats.size !== erasureClass.n) wrong.push(`world ${world}: ${seats.size} households`);
  }
  t.strictSame(wrong, [], replay);
  t.ok(drawnCount > 50 && refusedCount > 50, `${drawnCount} drawn, ${refusedCount} refused`);
  t.end();
});

test("a policy that allows more per household still keeps to r - k", (t) => {
  const policy: Policy = { ...defaultPolicy, spread: [{ domain: "household", max: 99 }] };
  const random = seededRandom(`${seed}/caps`);
  let most = 0;
  for (let world = 0; world < 50; world++) {
    const offers = randomOffers(random, 60).map((offer, at) => ({
      ...offer, atMs: nowMs, freeBytes: GiB, household: `house ${at % 4}`,
    }));
    const draw = drawGroup({ class: small, offers, policy, seed: `${world}`, nowMs });
    if (draw.state !== "drawn") throw new Error(`world ${world}: ${replay}`);
    const count = new Map<string, number>();
    for (const peer of draw.peers) {
      const house = offers.find((offer) => offer.peer === peer)?.household ?? "";
      count.set(house, (count.get(house) ?? 0) + 1);
    }
    most = Math.max(most, ...count.values());
  }
  t.equal(most, small.r - small.k, replay);
  t.end();
});

test("peers that tell no household share one, and unknown countries satisfy nothing", (t) => {
  const silent = Array.from({ length: 5 }, (_, at) => offerOf(at, { household: "" }));
  const none = drawGroup({
    class: classNamed("mirror"), offers: silent, policy: defaultPolicy, seed: "", nowMs,
  });
  t.equal(none.state, "impossible");
  const unplaced = Array.from({ length: 5 }, (_, at) => offerOf(at, { country: undefined }));
  for (const verb of ["require", "forbid"] as const) {
    const policy: Policy = {
      ...defaultPolicy,
      rules: [{ verb, condition: { fact: "country", among: ["DE"] } }],
    };
    const draw = drawGroup({
      class: classNamed("mirror"), offers: unplaced, policy, seed: "", nowMs,
    });
    t.match(draw, {
      state: "impossible",
      needed: 3,
      clauses: [
        { clause: "any offer", left: 5 },
        { clause: "a fresh offer", left: 5 },
        { clause: "free space", left: 5 },
        { clause: `${verb} country in [DE]`, left: 0 },
        { clause: "spread max 1 per household", left: 0 },
      ],
    });
  }
  t.end();
});

test("stale and full offers are left out, and only a peer's newest offer counts", (t) => {
  const mirror = classNamed("mirror");
  const good = [offerOf(0), offerOf(1), offerOf(2)];
  const stale = offerOf(2, { atMs: nowMs - limits.placement.offerAgeMsMax - 1 });
  const full = offerOf(2, { freeBytes: limits.placement.freeBytesMin - 1 });
  const draw = (offers: readonly Offer[]) =>
    drawGroup({ class: mirror, offers, policy: defaultPolicy, seed: "", nowMs }).state;
  t.equal(draw(good), "drawn");
  t.equal(draw([offerOf(0), offerOf(1), stale]), "impossible");
  t.equal(draw([offerOf(0), offerOf(1), full]), "impossible");
  t.equal(draw([...good, { ...full, atMs: nowMs - 1 }]), "drawn");
  t.equal(draw([offerOf(0), offerOf(1), { ...offerOf(2), atMs: nowMs - 1 }, full]), "impossible");
  t.end();
});

test("the same offers in any order draw the same group, another seed another one", (t) => {
  const random = seededRandom(`${seed}/order`);
  const offers = plainOffers(random, 100);
  const draw = (wish: { offers: readonly Offer[]; seed: string }) =>
    drawGroup({ class: home, policy: defaultPolicy, nowMs, ...wish });
  const first = draw({ offers, seed: "a" });
  for (let turn = 0; turn < 20; turn++) {
    t.strictSame(draw({ offers: shuffled(offers, random), seed: "a" }), first, replay);
  }
  t.notSame(draw({ offers, seed: "b" }), first);
  t.end();
});

test("one peer leaving or joining moves little more than its own seat", (t) => {
  const random = seededRandom(`${seed}/movement`);
  const offers = plainOffers(random, 4 * home.n);
  const rounds = 100;
  let seatsMoved = 0;
  let membersMoved = 0;
  for (let round = 0; round < rounds; round++) {
    const before = peersDrawn(offers, `${round}`);
    // A member leaves; read the other way round, a peer joins that wins one seat.
    const gone = before[random.below(before.length)] as PeerId;
    const after = peersDrawn(offers.filter(({ peer }) => peer !== gone), `${round}`);
    seatsMoved += after.filter((peer, seat) => peer !== before[seat]).length;
    membersMoved += after.filter((peer) => !before.includes(peer)).length;
    const stranger = offers.find(({ peer }) => !before.includes(peer))?.peer;
    const same = peersDrawn(offers.filter(({ peer }) => peer !== stranger), `${round}`);
    membersMoved += same.filter((peer) => !before.includes(peer)).length;
  }
  t.comment(`seats moved ${seatsMoved / rounds}, members ${membersMoved / rounds}; the least is 1`);
  t.ok(membersMoved / rounds < 1.6, `${membersMoved / rounds} members, ${replay}`);
  t.ok(seatsMoved / rounds < 2.5, `${seatsMoved / rounds} seats, ${replay}`);
  t.end();
});

test("groups drawn one after another fill unequal peers evenly", (t) => {
  const random = seededRandom(`${seed}/load`);
  let offers = plainOffers(random, 200);
  for (let group = 0; group < 300; group++) {
    const members = new Set(peersDrawn(offers, `${group}`));
    offers = offers.map((offer) =>
      members.has(offer.peer) ? { ...offer, freeBytes: offer.freeBytes - 4 * GiB } : offer,
    );
  }
  const fullness = offers.map(fullnessOf).sort((left, right) => left - right);
  const mean = fullness.reduce((sum, value) => sum + value, 0) / fullness.length;
  const fullest = fullness.at(-1) as number;
  const spread = Math.sqrt(
    fullness.reduce((sum, value) => sum + (value - mean) ** 2, 0) / fullness.length,
  );
  const figures = [mean, spread, fullest].map((figure) => figure.toFixed(3));
  t.comment(`fullness: mean ${figures[0]}, deviation ${figures[1]}, fullest ${figures[2]}`);
  t.ok(spread < 0.08 && fullest < mean + 0.2, `${figures.join(" ")}, ${replay}`);
  t.end();
});

test("a claim of endless space wins no more seats than the largest honest peer", (t) => {
  const random = seededRandom(`${seed}/claims`);
  const huge = { quotaBytes: 2 ** 50, freeBytes: 2 ** 50 };
  const honest = { quotaBytes: 2 ** 40, freeBytes: 2 ** 40 };
  const offers = [
    offerOf(0, huge), offerOf(1, honest), ...plainOffers(random, 100).slice(2),
  ];
  let wins = 0;
  let honestWins = 0;
  for (let group = 0; group < 400; group++) {
    const peers = peersDrawn(offers, `${group}`, small);
    if (peers.includes(peerOf(0))) wins++;
    if (peers.includes(peerOf(1))) honestWins++;
  }
  t.ok(Math.abs(wins - honestWins) < 60, `${wins} against ${honestWins}, ${replay}`);
  t.end();
});

test("a substitute takes the lost seat, obeys the caps and is the same for everybody", (t) => {
  const random = seededRandom(`${seed}/substitute`);
  for (let world = 0; world < 100; world++) {
    const offers = plainOffers(random, small.n + 1 + random.below(40));
    const crowded = offers.map((offer, at) =>
      at % 3 === 2 ? { ...offer, household: "9" } : offer,
    );
    const draw = drawGroup({
      class: small, offers, policy: defaultPolicy, seed: `${world}`, nowMs,
    });
    if (draw.state !== "drawn") throw new Error(replay);
    const manifest = manifestOf(draw.peers);
    const lostIndex = random.below(small.n);
    const wish = { manifest, lostIndex, policy: defaultPolicy, seed: "s", nowMs };
    const found = replaceMember({ ...wish, offers });
    if (found.state !== "drawn") throw new Error(replay);
    if (manifest.peers.includes(found.peer)) t.fail(`world ${world}: a member, ${replay}`);
    const again = replaceMember({ ...wish, offers: shuffled(offers, random) });
    t.strictSame(again, found, replay);
    const strict = replaceMember({ ...wish, offers: crowded });
    if (strict.state === "impossible") continue;
    const house = (peer: PeerId) => crowded.find((offer) => offer.peer === peer)?.household;
    const others = manifest.peers.filter((_, seat) => seat !== lostIndex).map(house);
    if (others.includes(house(strict.peer))) t.fail(`world ${world}: a household twice, ${replay}`);
  }
  t.end();
});

test("a substitute under another policy than the manifest's is refused", (t) => {
  const offers = plainOffers(seededRandom(seed), 20);
  const manifest = manifestOf(offers.slice(0, small.n).map(({ peer }) => peer));
  try {
    replaceMember({ manifest, lostIndex: 0, offers, policy: european, seed: "", nowMs });
    t.fail("another policy was let through");
  } catch (fault) {
    t.ok(isFault(fault, "Invalid"));
  }
  const none = replaceMember({
    manifest, lostIndex: 0, offers: offers.slice(0, small.n), policy: defaultPolicy, seed: "",
    nowMs,
  });
  t.match(none, { state: "impossible", needed: 1 });
  t.end();
});

function peersDrawn(
  offers: readonly Offer[], groupSeed: string, erasureClass: ErasureClass = home,
): readonly PeerId[] {
  const draw = drawGroup({
    class: erasureClass, offers, policy: defaultPolicy, seed: groupSeed, nowMs,
  });
  if (draw.state === "drawn") return draw.peers;
  throw new Error(`no group: ${JSON.stringify(draw.clauses)}, ${replay}`);
}

function classNamed(name: string): ErasureClass {
  return erasureClasses.find((candidate) => candidate.name === name) as ErasureClass;
}

function manifestOf(peers: readonly PeerId[]): Manifest {
  const owner: OwnerId = parseOwnerId("ab".repeat(32));
  const group = parseGroupId("cd".repeat(16));
  const policyHash = hashOfPolicy(defaultPolicy);
  return { owner, group, epoch: 1, class: small, policyHash, peers, bytes: new Uint8Array() };
}

function isEligible(offer: Offer, policy: Policy): boolean {
  const fresh = nowMs - offer.atMs <= limits.placement.offerAgeMsMax;
  const roomy = offer.freeBytes >= limits.placement.freeBytesMin;
  const placed = policy === defaultPolicy || ["DE", "FR"].includes(offer.country ?? "");
  return fresh && roomy && placed;
}

/** Some stale, some full, some without a country, several to a household. */
function randomOffers(random: Random, count: number): Offer[] {
  const day = 24 * 3_600_000;
  return Array.from({ length: count }, (_, at) => offerOf(at, {
    household: `house ${random.below(count)}`,
    country: ["DE", "FR", "US", undefined][random.below(4)],
    atMs: nowMs - random.below(8) * day,
    freeBytes: random.below(8) === 0 ? 0 : (1 + random.below(100)) * GiB,
  }));
}

/** All fresh, each a household, of 128 GiB to 1 TiB. */
function plainOffers(random: Random, count: number): Offer[] {
  return Array.from({ length: count }, (_, at) => {
    const quotaBytes = 128 * GiB * (1 + random.below(8));
    return offerOf(at, { quotaBytes, freeBytes: quotaBytes });
  });
}

function offerOf(at: number, told: Partial<Offer> = {}): Offer {
  return {
    peer: peerOf(at), atMs: nowMs, household: `house ${at}`, country: "DE", addresses: [],
    quotaBytes: 128 * GiB, freeBytes: 64 * GiB, bytes: new Uint8Array(), ...told,
  };
}

/** So many peers in households of their own, in networks and countries of these sizes. */
function placed(networks: readonly number[]): {
  readonly offers: readonly Offer[]; readonly factsOf: (offer: Offer) => Facts;
} {
  const homes = networks.flatMap((size, at) => Array.from({ length: size }, () => at));
  const offers = homes.map((_, at) => offerOf(at, { country: "DE", freeBytes: GiB }));
  const asnOf = new Map(offers.map(({ peer }, at) => [peer, homes[at]]));
  const factsOf = (offer: Offer): Facts => ({ ...claims(offer), asn: asnOf.get(offer.peer) });
  return { offers, factsOf };
}

function mostOfOne(peers: readonly PeerId[], world: ReturnType<typeof placed>): number {
  const counts = new Map<number | undefined, number>();
  for (const offer of world.offers.filter(({ peer }) => peers.includes(peer))) {
    const { asn } = world.factsOf(offer);
    counts.set(asn, (counts.get(asn) ?? 0) + 1);
  }
  return Math.max(...counts.values());
}

test("an owner's draw spares a network that could take r - k with it, where it can", (t) => {
  const cap = small.r - small.k;
  const draw = (world: ReturnType<typeof placed>, at: number, isWide = true, more = {}) => {
    const wish = { class: small, policy: { ...defaultPolicy, ...more }, seed: `${at}`, nowMs };
    const drawn = drawGroup({ ...world, ...wish, isWide });
    if (drawn.state !== "drawn") throw new Error(`world ${at}: ${replay}`);
    return drawn.peers;
  };
  const [mixed, one] = [placed([40, 5, 5, 5]), placed([30])];
  let loose = 0;
  for (let at = 0; at < 40; at++) {
    t.ok(mostOfOne(draw(mixed, at), mixed) <= cap, replay);
    loose = Math.max(loose, mostOfOne(draw(mixed, at, false), mixed));
    t.equal(draw(one, at).length, small.n, "where all are of one network nobody is refused");
  }
  t.ok(loose > cap, "members draw by the policy alone");
  const spread = [...defaultPolicy.spread, { domain: "asn", max: 9 } as const];
  const told = draw(mixed, 3, true, { spread });
  t.strictSame(told, draw(mixed, 3, false, { spread }), "a policy that says how is asked alone");
  t.end();
});

test("a substitute comes from a network that has room, if one has", (t) => {
  const world = placed([40, 3, 5]);
  const [large, few, last] = [[0, 40], [40, 43], [43, 48]].map(([from, to]) => {
    return world.offers.slice(from, to);
  }) as [Offer[], Offer[], Offer[]];
  const sitting = [...large.slice(0, 6), ...few, ...last.slice(0, 3)];
  const manifest: Manifest = {
    owner: "00".repeat(32) as OwnerId, group: parseGroupId("ab".repeat(16)), epoch: 1,
    class: small, policyHash: hashOfPolicy(defaultPolicy), bytes: Buffer.alloc(0),
    peers: sitting.map(({ peer }) => peer),
  };
  const wish = { manifest, lostIndex: 6, policy: defaultPolicy, nowMs, isWide: true };
  const found = (offers: readonly Offer[], seed: number): PeerId | undefined => {
    const drawn = replaceMember({ ...world, ...wish, offers, seed: `${seed}` });
    return drawn.state === "drawn" ? drawn.peer : undefined;
  };
  const roomy = last.slice(3).map(({ peer }) => peer);
  for (let turn = 0; turn < 20; turn++) {
    t.ok(roomy.includes(found(world.offers, turn) as PeerId), replay);
  }
  const crowded = world.offers.filter(({ peer }) => !roomy.includes(peer));
  t.ok(found(crowded, 0) !== undefined, "rather the large one than nobody");
  t.end();
});

/** So many peers in homes of their own, each with the version that is told of it. */
function versioned(versions: readonly (string | undefined)[]): readonly Offer[] {
  return versions.map((version, at) => {
    const offer = offerOf(at, { country: "DE", freeBytes: GiB });
    return version === undefined ? offer : { ...offer, version };
  });
}

function countOf(peers: readonly PeerId[], offers: readonly Offer[], version?: string): number {
  return offers.filter((offer) => peers.includes(offer.peer) && offer.version === version).length;
}

function drawnFrom(offers: readonly Offer[], at: number): readonly PeerId[] {
  const wish = { class: small, policy: defaultPolicy, seed: `version ${at}`, nowMs, isWide: true };
  const drawn = drawGroup({ ...wish, offers });
  if (drawn.state !== "drawn") throw new Error(`${at}: ${replay}`);
  return drawn.peers;
}

test("an owner's draw spares a version that could take r - k with it, where it can", (t) => {
  const cap = small.r - small.k;
  const many = (count: number, version?: string) => Array.from({ length: count }, () => version);
  const offers = versioned([...many(20, "1.0"), ...many(9, "1.1"), ...many(9)]);
  const same = versioned(many(20, "1.0"));
  for (let at = 0; at < 20; at++) {
    const peers = drawnFrom(offers, at);
    for (const version of ["1.0", "1.1", undefined]) {
      t.ok(countOf(peers, offers, version) <= cap, `${version}: ${replay}`);
    }
    t.equal(drawnFrom(same, at).length, small.n, "where all run one nobody is refused");
  }
  t.end();
});

test("whoever makes up versions is drawn no more than as one version", (t) => {
  const cap = small.r - small.k;
  const liars = Array.from({ length: 12 }, (_, at) => `9.${at}`);
  const honest = ["1.0", "1.1", "1.2"].flatMap((one) => Array.from({ length: 12 }, () => one));
  const offers = versioned([...honest, ...liars]);
  for (let at = 0; at < 20; at++) {
    const peers = drawnFrom(offers, at);
    const made = offers.filter(({ peer, version }) => {
      return peers.includes(peer) && version?.startsWith("9.") === true;
    });
    t.ok(made.length <= cap, `${made.length} of ${small.n}: ${replay}`);
  }
  t.end();
});

test("who is drawn to level others makes no group less wide", (t) => {
  const offers = versioned([...Array.from({ length: 12 }, (_, at) => `1.${at % 3}`), "1.0", "1.1"]);
  const peers = offers.slice(0, small.n).map(({ peer }) => peer);
  const manifest = {
    owner: parseOwnerId("ab".repeat(32)), group: parseGroupId("cd".repeat(16)), epoch: 1,
    class: small, policyHash: hashOfPolicy(defaultPolicy), peers, bytes: new Uint8Array(),
  };
  const wish = { manifest, lostIndex: 0, policy: defaultPolicy, nowMs, seed: "level", isWide: true };
  const [, other] = offers.slice(small.n);
  const alone = offers.filter(({ peer }) => peers.includes(peer) || peer === other?.peer);
  // Four of each version sit there: one of 1.0 goes, and 1.1 is full.
  t.equal(replaceMember({ ...wish, offers: alone }).state, "drawn");
  t.equal(replaceMember({ ...wish, offers: alone, isAsWide: true }).state, "impossible");
  const drawn = replaceMember({ ...wish, offers, isAsWide: true });
  t.equal(drawn.state === "drawn" ? drawn.peer : "", offers[small.n]?.peer);
  t.end();
});
