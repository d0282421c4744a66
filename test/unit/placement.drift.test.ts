/** What a policy in force makes of a group that is there: against a model, with many seeds. */
import { test } from "tap";
import { seededRandom } from "../../src/base/random.ts";
import { type Offer, erasureClasses } from "../../src/base/records.ts";
import { classNamed } from "../../src/placement/draws/classes.ts";
import { drawGroup } from "../../src/placement/draws/group.ts";
import { factsOf } from "../../src/placement/judging/facts.ts";
import { allows } from "../../src/placement/judging/judge.ts";
import { driftOf } from "../../src/placement/standing/drift.ts";
import { nowMs, peerOf, policyOf, randomFacts, randomPolicy } from "../support/policies.ts";

const seeds = Number(process.env["HIVE_SEEDS"] ?? 300);
const first = Number(process.env["HIVE_SEED"] ?? 1);
const tiny = classNamed("tiny") ?? erasureClasses[0]!;

function offerOf(at: number, told: Partial<Offer> = {}): Offer {
  return {
    peer: peerOf(at), atMs: nowMs, household: `house ${at}`, country: "DE", addresses: [],
    quotaBytes: 2 ** 40, freeBytes: 2 ** 39, bytes: new Uint8Array(), ...told,
  };
}

function drift(clauses: string, offers: readonly Offer[], members = offers) {
  const policy = policyOf(clauses);
  return driftOf({ policy, offers, members: members.map(({ peer }) => peer), class: tiny });
}

test("a group as it was just drawn never drifts, and one that drifts was not drawn", (t) => {
  for (let seed = first; seed < first + seeds; seed++) {
    const random = seededRandom(`drift ${seed}`);
    const known = Array.from({ length: 60 }, (_, at) => randomFacts(random, at));
    const facts = new Map(known.map((each) => [each.offer.peer, each]));
    const told = {
      policy: randomPolicy(random, { mild: true }), offers: known.map(({ offer }) => offer),
      factsOf: (offer: Offer) => facts.get(offer.peer) ?? factsOf(offer),
    };
    const drawn = drawGroup({ ...told, nowMs, class: tiny, seed: `${seed}` });
    if (drawn.state === "impossible") continue;
    const sitting = { ...told, class: tiny };
    const right = driftOf({ ...sitting, members: drawn.peers });
    const replay = `replay: HIVE_SEEDS=1 HIVE_SEED=${seed} node test/unit/placement.drift.test.ts`;
    t.strictSame([right.broken, right.doubtful, right.unheard], [[], [], []], replay);
    // Any other six: whoever the rules refuse is named, and nobody whom they let in.
    const others = Array.from({ length: 6 }, (_, at) => known[(seed + 7 * at) % 60]!);
    const found = driftOf({ ...sitting, members: others.map(({ offer }) => offer.peer) });
    const named = new Set([...found.broken, ...found.doubtful]);
    const evidence = told.policy.evidence ?? "claimed";
    for (const one of others) {
      const may = told.policy.rules.every((rule) => allows(rule, { facts: one, evidence }));
      if (!may) t.ok(named.has(one.offer.peer), `refused, and not named; ${replay}`);
    }
  }
  t.end();
});

test("a member that moved away is broken; one that tells nothing is in doubt", (t) => {
  const offers = [
    offerOf(1), offerOf(2, { country: "US" }), offerOf(3, { country: undefined }), offerOf(4),
  ];
  const members = [...offers, offerOf(5)];
  const found = drift("require region in EU;", offers, members);
  t.strictSame(found.broken, [peerOf(2)]);
  t.strictSame(found.doubtful, [peerOf(3)]);
  t.strictSame(found.unheard, [peerOf(5)]);
  t.strictSame(drift("forbid country in US;", offers).broken, [peerOf(2)]);
  t.end();
});

test("a round trip that is too long, or not known yet, is a doubt and no certainty", (t) => {
  const offers = [1, 2, 3].map((at) => offerOf(at));
  const trips = [5, 500, undefined];
  const factsFor = (offer: Offer) => {
    return { ...factsOf(offer), roundTripMs: trips[offers.indexOf(offer)] };
  };
  const policy = policyOf("require rtt(me) <= 30 ms;");
  const members = offers.map(({ peer }) => peer);
  const found = driftOf({ policy, offers, members, class: tiny, factsOf: factsFor });
  t.strictSame([found.broken, found.doubtful], [[], [peerOf(2), peerOf(3)]]);
  t.end();
});

test("whoever is one too many in a domain must go, those before it may stay", (t) => {
  const offers = [1, 2, 3, 4, 5, 6].map((at) => offerOf(at, { country: at < 5 ? "DE" : "FR" }));
  t.strictSame(drift("spread max 2 per country;", offers).broken, [peerOf(3), peerOf(4)]);
  const crowded = offers.map((offer) => ({ ...offer, household: "one house" }));
  t.equal(drift("", crowded).broken.length, 5, "one for each household, whatever is said");
  const silent = offers.map((offer) => ({ ...offer, household: "" }));
  t.equal(drift("", silent).doubtful.length, 5, "they may be of different ones");
  t.end();
});

test("for a domain that lacks, members of crowded ones make room, the last first", (t) => {
  const countries = ["DE", "DE", "DE", "FR", "FR", "NL"];
  const offers = countries.map((country, at) => offerOf(at, { country }));
  t.strictSame(drift("spread at least 3 country;", offers).broken, []);
  t.strictSame(drift("spread at least 5 country;", offers).broken, [peerOf(2), peerOf(4)]);
  t.end();
});

test("a class that is none of the policy's is told", (t) => {
  const offers = [1, 2].map((at) => offerOf(at));
  t.ok(drift("protect class tiny;", offers).isOfClass);
  t.notOk(drift("protect class small;", offers).isOfClass);
  t.notOk(drift("protect durability >= 8 nines;", offers).isOfClass);
  t.end();
});

test("what never was known of a peer is never a certainty", (t) => {
  for (let seed = first; seed < first + seeds; seed++) {
    const random = seededRandom(`unknown ${seed}`);
    const policy = randomPolicy(random);
    const offer = offerOf(1, { country: undefined, household: "" });
    const asksWhoItIs = policy.rules.some(({ condition }) => {
      return JSON.stringify(condition).includes('"peer"');
    });
    if (asksWhoItIs) continue;
    const found = driftOf({ policy, offers: [offer], members: [offer.peer], class: tiny });
    t.strictSame(found.broken, [], `seed ${seed}`);
  }
  t.end();
});
