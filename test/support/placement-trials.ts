/**
 * What placement promises, tried on random networks: no rule broken, little moved, an even load.
 * The unit test runs a little of it, test/bench/placement.ts as much as one likes.
 */
import { type Random } from "../../src/base/random.ts";
import { type ErasureClass, type Offer, erasureClasses } from "../../src/base/records.ts";
import { type Facts, domainOf } from "../../src/placement/judging/facts.ts";
import { canonicalPolicy } from "../../src/placement/language/policy-hash.ts";
import type { Policy } from "../../src/placement/language/policy.ts";
import { defaultPolicy } from "../../src/placement/language/policy.ts";
import { PeerView } from "../sim/view.ts";
import { nowMs, peerOf, pick, randomFacts, randomPolicy } from "./policies.ts";
import { passes } from "./policy-model.ts";

const GiB = 2 ** 30;

export interface Network {
  readonly facts: readonly Facts[];
  readonly byPeer: ReadonlyMap<string, Facts>;
}

export function randomNetwork(random: Random, count: number): Network {
  return networkOf(Array.from({ length: count }, (_, at) => randomFacts(random, at)));
}

/** One that was filled evenly so far, with newcomers. */
export function evenNetwork(random: Random, count: number): Network {
  return networkOf(Array.from({ length: count }, (_, at) => {
    const facts = randomFacts(random, at);
    const { quotaBytes } = facts.offer;
    const sum = random.unit() + random.unit() + random.unit();
    const fullness = random.below(20) === 0 ? 0 : 0.6 + 0.02 * (sum - 1.5);
    const freeBytes = Math.floor(quotaBytes * (1 - fullness));
    return { ...facts, offer: { ...facts.offer, freeBytes } };
  }));
}

function networkOf(facts: readonly Facts[]): Network {
  return { facts, byPeer: new Map(facts.map((one) => [one.offer.peer, one])) };
}

export function viewOf({ facts, byPeer }: Network, policy: Policy): PeerView {
  const offers = facts.map(({ offer }) => offer);
  const known = (offer: Offer): Facts => byPeer.get(offer.peer) as Facts;
  return new PeerView({ offers, policy, nowMs, factsOf: known });
}

export interface Verdicts {
  readonly drawn: number;
  readonly refused: number;
  readonly violated: number;
  /** The first few of the rules that a group broke, in words. */
  readonly violations: readonly string[];
}

/** As many are told in words: more would say no more. */
const violationsToldMax = 100;

/** Many decisions under many policies, each checked by counting. Memory does not grow with them. */
export function tryDecisions(
  random: Random, {
    decisions, peers = 3000, perPolicy = 500, full = false, onPolicy = () => true,
  }: {
    readonly decisions: number; readonly peers?: number; readonly perPolicy?: number;
    /** Every policy has every kind of clause. */
    readonly full?: boolean;
    /** Told how many were made; false ends it early. */
    readonly onPolicy?: (done: number) => boolean;
  },
): Verdicts {
  const network = randomNetwork(random, peers);
  const violations: string[] = [];
  let [drawn, refused, violated] = [0, 0, 0];
  while (drawn + refused < decisions && onPolicy(drawn + refused)) {
    const policy = randomPolicy(random, { mild: random.below(4) > 0, full });
    const view = viewOf(network, policy);
    const allowed = new Set(network.facts.filter((facts) => passes(policy, facts)));
    for (let at = 0; at < perPolicy && drawn + refused < decisions; at++) {
      const erasureClass = erasureClasses[random.below(erasureClasses.length)] as ErasureClass;
      const draw = view.draw({ class: erasureClass, seed: `${drawn + refused}` });
      if (draw.state === "impossible") {
        refused++;
        // A policy that cannot be satisfied is not asked so often.
        at += perPolicy / 10;
        continue;
      }
      drawn++;
      const members = draw.peers.map((peer) => network.byPeer.get(peer) as Facts);
      const broken = brokenBy(members, policy, erasureClass, (facts) => allowed.has(facts));
      if (broken === undefined) continue;
      violated++;
      if (violated > violationsToldMax) continue;
      violations.push(`${broken}\n${canonicalPolicy(policy)}`);
    }
  }
  return { drawn, refused, violated, violations };
}

/** The first rule that these members break. */
export function brokenBy(
  members: readonly Facts[], policy: Policy, { k, n, r }: ErasureClass,
  isAllowed = (facts: Facts): boolean => passes(policy, facts),
): string | undefined {
  const evidence = policy.evidence ?? "claimed";
  if (members.length !== n) return `${members.length} members`;
  if (new Set(members.map(({ offer }) => offer.peer)).size !== n) return "a peer twice";
  const stranger = members.find((facts) => !isAllowed(facts));
  if (stranger !== undefined) return `${stranger.offer.peer} is not allowed`;
  const always = { domain: "household", max: r - k } as const;
  for (const spread of [...policy.spread, always]) {
    const names = members.map((facts) => domainOf(spread.domain, facts, evidence));
    const known = new Set(names.filter((name) => name !== undefined));
    if ("atLeast" in spread) {
      if (known.size < spread.atLeast) return `only ${known.size} ${spread.domain}`;
      continue;
    }
    const ofShare = (percent: number): number => Math.max(1, Math.floor((percent * n) / 100));
    const share = "max" in spread ? spread.max : ofShare(spread.maxPercent);
    const counts = new Map<string | undefined, number>();
    for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
    const most = Math.max(...counts.values());
    if (most > Math.min(share, r - k)) return `${most} in one ${spread.domain}`;
  }
  return undefined;
}

export interface Movement {
  /** Members that changed, for each that had to. */
  readonly leave: number;
  readonly join: number;
  readonly resize: number;
}

/** How many members change when one peer leaves, joins, or gives another amount of room. */
export function tryMovement(
  random: Random, { network, policy, erasureClass, changes, seeds }: {
    readonly network: Network; readonly policy: Policy; readonly erasureClass: ErasureClass;
    readonly changes: number; readonly seeds: number;
  },
): Movement {
  const drawAll = (facts: readonly Facts[]): readonly (ReadonlySet<string>)[] => {
    const view = viewOf(networkOf(facts), policy);
    return Array.from({ length: seeds }, (_, at) => {
      const draw = view.draw({ class: erasureClass, seed: `${at}` });
      return new Set(draw.state === "drawn" ? draw.peers : []);
    });
  };
  const whole = drawAll(network.facts);
  const sums = { leave: [0, 0], join: [0, 0], resize: [0, 0] };
  for (let change = 0; change < changes; change++) {
    const one = pick(random, network.facts);
    const { peer } = one.offer;
    const without = drawAll(network.facts.filter((facts) => facts !== one));
    const quotaBytes = Math.max(GiB, one.offer.quotaBytes * (0.25 + 2 * random.unit()));
    const freeBytes = quotaBytes * one.offer.freeBytes / one.offer.quotaBytes;
    const resized = drawAll(network.facts.map((facts) => {
      return facts === one ? { ...one, offer: { ...one.offer, quotaBytes, freeBytes } } : facts;
    }));
    for (const [at, before] of whole.entries()) {
      const after = without[at] as ReadonlySet<string>;
      const other = resized[at] as ReadonlySet<string>;
      add(sums.leave, moved(before, after), Number(before.has(peer)));
      add(sums.join, moved(after, before), Number(before.has(peer)));
      add(sums.resize, moved(before, other), Number(before.has(peer) !== other.has(peer)));
    }
  }
  return { leave: ratio(sums.leave), join: ratio(sums.join), resize: ratio(sums.resize) };
}

function add(sums: number[], moves: number, least: number): void {
  sums[0] = (sums[0] as number) + moves;
  sums[1] = (sums[1] as number) + least;
}

function ratio([moves = 0, least = 0]: readonly number[]): number {
  return moves / least;
}

function moved(before: ReadonlySet<string>, after: ReadonlySet<string>): number {
  return [...after].filter((peer) => !before.has(peer)).length;
}

/** How the fullest peer compares with the mean, when all space together is filled so far. */
export function tryLoad(
  random: Random, { peers, erasureClass, fill, hours, offerAgeHours, unitsOfMean, chooser }: {
    readonly peers: number; readonly erasureClass: ErasureClass;
    /** From 0 to 1. */
    readonly fill: number;
    /** How long the filling takes, and how old the offers are at most that a draw sees. */
    readonly hours: number; readonly offerAgeHours: number;
    /** What one seat brings, as a part of the mean peer's space. */
    readonly unitsOfMean: number;
    readonly chooser: "view" | "random";
  },
): { readonly maxOverMean: number; readonly decisions: number } {
  const quotas = Array.from({ length: peers }, () => heavyTailed(random));
  const total = quotas.reduce((sum, quota) => sum + quota, 0);
  const unit = Math.floor(total / peers / unitsOfMean);
  const offers = quotas.map((quotaBytes, at): Offer => ({
    peer: peerOf(at), atMs: nowMs, household: `house ${at}`, country: undefined, addresses: [],
    quotaBytes, freeBytes: quotaBytes, bytes: new Uint8Array(),
  }));
  const used = new Float64Array(peers);
  const indexOf = new Map<string, number>(offers.map(({ peer }, at) => [peer, at]));
  const view = new PeerView({ offers, policy: defaultPolicy, nowMs });
  const tell = (at: number): void => {
    const offer = offers[at] as Offer;
    view.refresh({ ...offer, freeBytes: Math.max(0, offer.quotaBytes - (used[at] as number)) });
  };
  const decisions = Math.ceil((total * fill) / unit / erasureClass.n);
  const isView = chooser === "view";
  const draw = isView ? fromView(view, erasureClass) : atRandom(random, quotas, erasureClass);
  // Whose offer is due: everybody's, once in each such time, one after another.
  const dueEach = offerAgeHours === 0 ? 0 : (peers * hours) / offerAgeHours / decisions;
  for (let decision = 0, due = 0; decision < decisions; decision++) {
    const members = draw(decision, indexOf);
    for (const at of members) used[at] = (used[at] as number) + unit;
    if (dueEach === 0) for (const at of members) tell(at);
    for (const until = (decision + 1) * dueEach; due < until; due++) tell(due % peers);
  }
  const fullness = quotas.map((quota, at) => (used[at] as number) / quota);
  const mean = fullness.reduce((sum, one) => sum + one, 0) / peers;
  return { maxOverMean: fullness.reduce((most, one) => Math.max(most, one), 0) / mean, decisions };
}

type DrawOnce = (decision: number, indexOf: ReadonlyMap<string, number>) => readonly number[];

function fromView(view: PeerView, erasureClass: ErasureClass): DrawOnce {
  return (decision, indexOf) => {
    const draw = view.draw({ class: erasureClass, seed: `${decision}` });
    if (draw.state !== "drawn") throw new Error(JSON.stringify(draw));
    return draw.peers.map((peer) => indexOf.get(peer) as number);
  };
}

/** By space, and by nothing else. */
function atRandom(random: Random, quotas: readonly number[], { n }: ErasureClass): DrawOnce {
  const sums = new Float64Array(quotas.length);
  quotas.reduce((sum, quota, at) => (sums[at] = sum + quota), 0);
  const total = sums.at(-1) as number;
  return () => {
    const members = new Set<number>();
    while (members.size < n) {
      const wanted = random.unit() * total;
      let [low, high] = [0, sums.length - 1];
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((sums[middle] as number) <= wanted) low = middle + 1;
        else high = middle;
      }
      members.add(low);
    }
    return [...members];
  };
}

/** Pareto with shape 1.2 from 64 GiB on, up to the TiB beyond which a claim weighs no more. */
function heavyTailed(random: Random): number {
  return Math.floor(Math.min(1024, 64 * (1 - random.unit()) ** (-1 / 1.2)) * GiB);
}
