/** Draws under whole policies: no rule broken, little moved, an even load, reasons told. */
import { test } from "tap";
import { parseGroupId, parseOwnerId } from "../../src/base/ids.ts";
import { seededRandom, shuffled } from "../../src/base/random.ts";
import { type ErasureClass, type Manifest, erasureClasses } from "../../src/base/records.ts";
import { availabilityOf, classNamed, isOfPolicy, largestFor } from "../../src/placement/draws/classes.ts";
import { durabilityOf } from "../../src/placement/draws/classes.ts";
import { drawGroup, replaceMember } from "../../src/placement/draws/group.ts";
import type { Facts } from "../../src/placement/judging/facts.ts";
import { canonicalPolicy, hashOfPolicy } from "../../src/placement/language/policy-hash.ts";
import { parsePolicy } from "../../src/placement/language/policy-parse.ts";
import { type Policy, defaultPolicy } from "../../src/placement/language/policy.ts";
import { explain, explainPeer } from "../../src/placement/telling/explain.ts";
import { brokenBy, evenNetwork, randomNetwork } from "../support/placement-trials.ts";
import { tryDecisions, tryLoad, tryMovement, viewOf } from "../support/placement-trials.ts";
import { nowMs, randomPolicy } from "../support/policies.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/sim.view.test.ts`;
const standard = erasureClasses.find(({ name }) => name === "standard") as ErasureClass;
const small = erasureClasses.find(({ name }) => name === "small") as ErasureClass;

test("of 100,000 groups drawn under whole random policies, none breaks a rule", (t) => {
  const random = seededRandom(`${seed}/decisions`);
  const tried = tryDecisions(random, { decisions: 100_000, peers: 1500, perPolicy: 2500 });
  t.comment(`${tried.drawn} drawn, ${tried.refused} refused`);
  t.strictSame(tried.violations.slice(0, 3), [], replay);
  t.ok(tried.drawn > 75_000 && tried.refused > 25, replay);
  t.end();
});

test("a group from a list, and a substitute, keep to whole policies too", (t) => {
  const random = seededRandom(`${seed}/lists`);
  let drawn = 0;
  for (let world = 0; world < 300; world++) {
    const network = randomNetwork(random, 60 + random.below(100));
    const policy = randomPolicy(random, { mild: true });
    const choice = choiceOf(network, policy);
    const erasureClass = erasureClasses[random.below(4)] as ErasureClass;
    const draw = drawGroup({ ...choice, class: erasureClass, seed: `${world}` });
    if (draw.state === "impossible") continue;
    drawn++;
    const members = draw.peers.map((peer) => network.byPeer.get(peer) as Facts);
    const broken = brokenBy(members, policy, erasureClass);
    if (broken !== undefined) t.fail(`${broken}: ${canonicalPolicy(policy)} ${replay}`);
    const lostIndex = random.below(erasureClass.n);
    const manifest = manifestOf(draw.peers, policy, erasureClass);
    const found = replaceMember({ ...choice, manifest, lostIndex, seed: "s" });
    if (found.state === "impossible") continue;
    const after = members.with(lostIndex, network.byPeer.get(found.peer) as Facts);
    const worse = brokenBy(after, policy, erasureClass);
    if (worse !== undefined) t.fail(`${worse}: ${canonicalPolicy(policy)} ${replay}`);
  }
  t.ok(drawn > 50, `${drawn} drawn, ${replay}`);
  t.end();
});

test("a view draws the same peers whatever order the offers came in, and repeats itself", (t) => {
  const random = seededRandom(`${seed}/order`);
  const network = randomNetwork(random, 500);
  const { policy } = parsePolicy(
    "policy p { spread max 20% per asn; prefer rtt(me) <= 50ms weight 4; }",
  );
  const first = viewOf(network, policy);
  const second = viewOf({ ...network, facts: shuffled(network.facts, random) }, policy);
  for (let group = 0; group < 50; group++) {
    const wish = { class: standard, seed: `${group}` };
    t.strictSame(second.draw(wish), first.draw(wish), replay);
    t.strictSame(first.draw(wish), first.draw(wish), replay);
  }
  t.end();
});

test("a peer that fills up and empties again leaves a view as it was", (t) => {
  const network = evenNetwork(seededRandom(`${seed}/refresh`), 200);
  const view = viewOf(network, defaultPolicy);
  const before = view.draw({ class: standard, seed: "a" });
  if (before.state !== "drawn") throw new Error(replay);
  const lost = network.byPeer.get(before.peers[3] as string) as Facts;
  view.refresh({ ...lost.offer, freeBytes: 0 });
  const without = view.draw({ class: standard, seed: "a" });
  t.notOk(without.state === "drawn" && without.peers.includes(lost.offer.peer));
  view.refresh(lost.offer);
  t.strictSame(view.draw({ class: standard, seed: "a" }), before, replay);
  t.end();
});

test("in an even network one change moves hardly more than it must", (t) => {
  const network = evenNetwork(seededRandom(`${seed}/even`), 400);
  const { policy: capped } = parsePolicy(
    "policy p { spread max 15% per asn; spread at least 3 country; }",
  );
  for (const policy of [defaultPolicy, capped]) {
    const random = seededRandom(`${seed}/movement`);
    const setting = { network, policy, erasureClass: standard, changes: 30, seeds: 60 };
    const { leave, join, resize } = tryMovement(random, setting);
    const words = `leave ${leave.toFixed(3)}, join ${join.toFixed(3)}, resize ${resize.toFixed(3)}`;
    t.comment(words);
    t.ok(Math.max(leave, join, resize) <= 1.05, `${words}, ${replay}`);
  }
  t.end();
});

test("at 60 % the fullest peer is close to the mean, with old offers too", (t) => {
  const load = (chooser: "view" | "random", offerAgeHours: number) =>
    tryLoad(seededRandom(`${seed}/load`), {
      peers: 2000, erasureClass: standard, fill: 0.6, hours: 48, unitsOfMean: 300, chooser,
      offerAgeHours,
    }).maxOverMean;
  const [random, fresh, old] = [load("random", 0), load("view", 0), load("view", 1)];
  t.comment(`max/mean: ${[random, fresh, old].map((one) => one.toFixed(3)).join(", ")}`);
  t.ok(fresh <= 1.05, `${fresh} with fresh offers, ${replay}`);
  t.ok(old <= 1.15, `${old} with offers up to an hour old, ${replay}`);
  t.ok(random > 1.25, `${random} at random, ${replay}`);
  t.end();
});

test("whom a policy prefers is drawn so many times as often", (t) => {
  const network = evenNetwork(seededRandom(`${seed}/prefer`), 600);
  const equal = network.facts.map((facts, at): Facts => ({
    ...facts, operator: at % 4 === 0 ? "alice" : "bob",
    offer: { ...facts.offer, household: `house ${at}`, quotaBytes: 2 ** 38, freeBytes: 2 ** 37 },
  }));
  const byPeer = new Map(equal.map((facts) => [facts.offer.peer, facts]));
  const { policy } = parsePolicy("policy p { prefer operator in alice weight 3; }");
  const view = viewOf({ facts: equal, byPeer }, policy);
  let [alice, bob] = [0, 0];
  for (let group = 0; group < 1500; group++) {
    const draw = view.draw({ class: small, seed: `${group}` });
    for (const peer of draw.state === "drawn" ? draw.peers : []) {
      if (byPeer.get(peer)?.operator === "alice") alice++;
      else bob++;
    }
  }
  // A quarter of the peers, three times as likely each.
  const ratio = (alice / bob) * 3;
  t.ok(Math.abs(ratio - 3) < 0.3, `${ratio.toFixed(2)}, ${replay}`);
  t.end();
});

test("a policy's nines choose the class", (t) => {
  const nines = erasureClasses.map(durabilityOf);
  t.strictSame(nines, [...nines].sort((a, b) => a - b));
  const policyOf = (text: string) => parsePolicy(`policy p { protect ${text}; }`).policy;
  const fitting = (text: string) => {
    return erasureClasses.filter((one) => isOfPolicy(one, policyOf(text))).map(({ name }) => name);
  };
  t.strictSame(fitting("class auto durability >= 11 nines"), ["standard", "wide", "vault"]);
  t.strictSame(fitting("class tiny durability >= 11 nines"), []);
  t.equal(largestFor(policyOf("durability >= 15 nines")), "wide");
  t.equal(largestFor(policyOf("class auto")), "standard");
  const mirror = classNamed("mirror") as ErasureClass;
  // Three holders, each away one time in ten.
  t.ok(Math.abs(availabilityOf(mirror, 0.9) - 3) < 1e-9);
  t.end();
});

test("an explanation counts what each clause leaves, and says why a peer is not chosen", (t) => {
  const network = randomNetwork(seededRandom(`${seed}/explain`), 300);
  const { policy } = parsePolicy(`policy p {
    require continent in Europe; forbid asn in 7; spread max 2 per asn; spread at least 4 country;
  }`);
  const choice = choiceOf(network, policy);
  const { clauses, classes } = explain(choice);
  const european = network.facts.filter(({ location }) => {
    return ["AT", "CH", "DE", "FR", "GB", "IS"].includes(location?.country ?? "");
  });
  const left = european.filter(({ asn }) => asn !== undefined && asn !== 7);
  t.strictSame(clauses, [
    { clause: "any offer", left: 300 }, { clause: "a fresh offer", left: 300 },
    { clause: "free space", left: 300 },
    { clause: "require continent in [Europe]", left: european.length },
    { clause: "forbid asn in [7]", left: left.length },
  ]);
  const room = classes.find((one) => one.class === "small");
  t.match(room, { needed: 12, isEnough: true, bounds: [
    { clause: "spread max 1 per household" }, { clause: "spread max 2 per asn", needed: 12 },
    { clause: "spread at least 4 country", left: 6, needed: 4 },
  ] });
  const draw = drawGroup({ ...choice, class: small, seed: "e" });
  if (draw.state !== "drawn") throw new Error(replay);
  const told = network.facts.map(({ offer: { peer } }) => {
    const found = explainPeer(choice, { peer, members: draw.peers, class: small });
    const isRight = (found.state === "chosen") === draw.peers.includes(peer);
    const isEligible = left.some(({ offer }) => offer.peer === peer);
    if (!isRight || (found.state === "refused") === isEligible) t.fail(`${peer}: ${found.why}`);
    return found;
  });
  const states = new Set(told.map(({ state }) => state));
  t.strictSame([...states].sort(), ["chosen", "full", "not drawn", "refused"]);
  t.match(told.find(({ state }) => state === "full")?.why, /^spread max \d per \w+: there are/);
  t.ok(told.some(({ why }) => why === "forbid asn in [7]: what it asks is not known"));
  const stranger = explainPeer({ ...choice, offers: [] }, {
    peer: draw.peers[0] as (typeof draw.peers)[number], members: [], class: small,
  });
  t.equal(stranger.state, "unknown");
  t.end();
});

function choiceOf(network: ReturnType<typeof randomNetwork>, policy: Policy) {
  const offers = network.facts.map(({ offer }) => offer);
  return {
    offers, policy, nowMs,
    factsOf: ({ peer }: { readonly peer: string }) => network.byPeer.get(peer) as Facts,
  };
}

function manifestOf(
  peers: Manifest["peers"], policy: Policy, erasureClass: ErasureClass,
): Manifest {
  return {
    owner: parseOwnerId("ab".repeat(32)), group: parseGroupId("cd".repeat(16)), epoch: 1,
    class: erasureClass, policyHash: hashOfPolicy(policy), peers, bytes: new Uint8Array(),
  };
}
