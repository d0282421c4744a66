/**
 * Who shall hold a drive's shards: draws a group's n members from signed offers, and a substitute
 * for one that is lost. Pure and deterministic: placer, guardians and auditors who know the same
 * offers draw the same peers. It never relaxes a rule: it says which clause left too few.
 */
import { HiveError, assert } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import type { ErasureClass, Manifest } from "../../base/records.ts";
import { type Choice, type ClauseCount, eligible, seenBy } from "../judging/eligible.ts";
import { type Seen, favourOf } from "../judging/judge.ts";
import { hashOfPolicy } from "../language/policy-hash.ts";
import type { Policy } from "../language/policy.ts";
import { type Bounds, type Codes, DomainNumbers, Tally, boundsOf } from "./spread.ts";
import { needsOf, rareVersions, roomsOf, seedsOf, usualBounds } from "./spread.ts";
import { type Candidate, drawOne } from "./straw.ts";

export type Draw<Found> = Found | Impossible;

/** Too few peers: how many are needed, and how many each clause in turn left over. */
export interface Impossible {
  readonly state: "impossible";
  readonly needed: number;
  readonly clauses: readonly ClauseCount[];
}

/** How a draw goes about what no clause asks for. */
export interface Manner {
  /**
   * Networks, countries and versions are kept to r - k members as well, where others may be drawn
   * instead (spread.ts, usualBounds). Members do not draw so: they know different things of where
   * peers are, and have to agree.
   */
  readonly isWide?: boolean;
  /** Nobody who makes the group less wide than whoever goes: rather nobody at all. */
  readonly isAsWide?: boolean;
}

export interface GroupWish extends Choice, Manner {
  readonly class: ErasureClass;
  /** Another seed, another group; the group's id serves well. */
  readonly seed: string;
}

/** Its offers are those who may come, and the members', so that their households are known. */
export interface SubstituteWish extends Choice, Manner {
  readonly manifest: Manifest;
  readonly lostIndex: number;
  readonly seed: string;
}

/** The peers for a new group, `peers[i]` for seat i. */
export function drawGroup(
  wish: GroupWish,
): Draw<{ readonly state: "drawn"; readonly peers: readonly PeerId[] }> {
  const { left, clauses } = eligible(wish);
  const bounds = boundsOf(wish.policy, wish.class);
  const candidates = candidatesOf(left, wish.policy, numbersFor(wish, left));
  const needs = needsOf(bounds, wish.class.n);
  const rooms = roomsOf(bounds, candidates);
  const isHopeless = rooms.some((room, at) => room < (needs[at] as number));
  let most = isHopeless ? Math.min(...rooms) : 0;
  const usual = usualOf(wish, wish.class);
  for (const seed of isHopeless ? [] : seedsOf(wish.seed, bounds)) {
    const { peers, isWide } = drawSeats({ seed, seats: wish.class.n, candidates, bounds, usual });
    if (peers.length === wish.class.n && isWide) return { state: "drawn", peers };
    most = Math.max(most, peers.length);
  }
  const spread = { clause: bounds.clauses.join(" and "), left: most };
  return { state: "impossible", needed: wish.class.n, clauses: [...clauses, spread] };
}

/** The peer that takes over one seat; all others stay where they are. */
export function replaceMember(
  wish: SubstituteWish,
): Draw<{ readonly state: "drawn"; readonly peer: PeerId }> {
  const { manifest, lostIndex, policy } = wish;
  assert(lostIndex >= 0 && lostIndex < manifest.peers.length, `seat ${lostIndex}`);
  if (hashOfPolicy(policy) !== manifest.policyHash) {
    throw new HiveError("Invalid", "placement.replace", "this is not the manifest's policy");
  }
  const { left, clauses } = eligible(wish);
  const bounds = boundsOf(policy, manifest.class);
  const numbers = numbersFor(wish, wish.offers.map((offer) => seenBy(wish, offer)));
  const tally = tallyWithout(wish, bounds, numbers);
  const usual = tallyWithout(wish, usualOf(wish, manifest.class), numbers);
  const newcomers = left.filter(({ facts: { offer } }) => !manifest.peers.includes(offer.peer));
  const candidates = candidatesOf(newcomers, policy, numbers);
  const fitting = candidates.filter((candidate) => tally.mayTake(candidate, 1));
  const most = wish.isAsWide === true ? fullWith(wish, usual, numbers) : Infinity;
  const wide = fitting.filter((candidate) => usual.fullFor(candidate).length <= most);
  const drawn = drawOne(wish.seed, lostIndex, ratherOf(wide, usual));
  if (drawn !== undefined) return { state: "drawn", peer: drawn.offer.peer };
  return {
    state: "impossible",
    needed: 1,
    clauses: [
      ...clauses,
      { clause: "not a member yet", left: newcomers.length },
      { clause: bounds.clauses.join(" and "), left: fitting.length },
    ],
  };
}

/** Several seats at once, of whoever sits there. */
export interface SubstitutesWish extends Omit<SubstituteWish, "lostIndex"> {
  readonly lost: readonly PeerId[];
}

/** The members once each lost one's seat went to another, as far as anybody may take it. */
export function replaceMembers({ lost, manifest, ...wish }: SubstitutesWish): readonly PeerId[] {
  return lost.reduce<readonly PeerId[]>((peers, peer) => {
    const lostIndex = peers.indexOf(peer);
    if (lostIndex < 0) return peers;
    // Who just lost a seat must not be drawn for the next one.
    const offers = wish.offers.filter((one) => {
      return peers.includes(one.peer) || !lost.includes(one.peer);
    });
    const drawn = replaceMember({ ...wish, offers, lostIndex, manifest: { ...manifest, peers } });
    return drawn.state === "drawn" ? peers.with(lostIndex, drawn.peer) : peers;
  }, manifest.peers);
}

type Sitting = Candidate & Codes;

function usualOf({ policy, isWide = false }: Choice & Manner, wanted: ErasureClass): Bounds {
  return isWide ? usualBounds(policy, wanted) : { clauses: [], caps: [], floors: [], counted: [] };
}

/** Made-up versions count as one, where it is by versions that nobody asked to count. */
function numbersFor({ isWide = false }: Manner, seen: readonly Seen[]): DomainNumbers {
  return new DomainNumbers(isWide ? rareVersions(seen.map(({ facts }) => facts)) : undefined);
}

/** How many domains of whoever goes are full without it. */
function fullWith(
  { manifest: { peers }, lostIndex, ...wish }: SubstituteWish, usual: Tally, numbers: DomainNumbers,
): number {
  const offer = wish.offers.find(({ peer }) => peer === peers[lostIndex]);
  if (offer === undefined) return 0;
  const { facts, evidence } = seenBy(wish, offer);
  return usual.fullFor({ codes: numbers.codesOf(facts, evidence), offset: 0 }).length;
}

/** Those of whose domains the fewest are full: where all are of one country, networks count. */
function ratherOf(fitting: readonly Sitting[], usual: Tally): readonly Sitting[] {
  const full = fitting.map((candidate) => usual.fullFor(candidate).length);
  const least = full.reduce((fewest, count) => Math.min(fewest, count), Infinity);
  return fitting.filter((_, at) => full[at] === least);
}

function candidatesOf(
  seen: readonly Seen[], policy: Policy, numbers: DomainNumbers,
): readonly Sitting[] {
  return seen.map((one) => ({
    offer: one.facts.offer,
    favour: favourOf(policy, one),
    codes: numbers.codesOf(one.facts, one.evidence),
    offset: 0,
  }));
}

function drawSeats({ seed, seats, candidates, bounds, usual }: {
  readonly seed: string; readonly seats: number;
  readonly candidates: readonly Sitting[]; readonly bounds: Bounds; readonly usual: Bounds;
}): { readonly peers: readonly PeerId[]; readonly isWide: boolean } {
  const [tally, wide] = [new Tally(bounds), new Tally(usual)];
  const peers: PeerId[] = [];
  let waiting = candidates;
  for (let seat = 0; seat < seats; seat++) {
    waiting = waiting.filter((candidate) => tally.hasRoom(candidate));
    const fitting = waiting.filter((candidate) => tally.mayTake(candidate, seats - seat));
    const drawn = drawOne(seed, seat, ratherOf(fitting, wide));
    if (drawn === undefined) break;
    for (const each of [tally, wide]) each.count(drawn);
    peers.push(drawn.offer.peer);
    waiting = waiting.filter((candidate) => candidate !== drawn);
  }
  assert(new Set(peers).size === peers.length, "a peer sits twice");
  return { peers, isWide: tally.isWide };
}

/** The members but the lost one. */
function tallyWithout(wish: SubstituteWish, bounds: Bounds, numbers: DomainNumbers): Tally {
  const tally = new Tally(bounds);
  const known = new Map(wish.offers.map((offer) => [offer.peer, offer]));
  for (const peer of wish.manifest.peers.toSpliced(wish.lostIndex, 1)) {
    const offer = known.get(peer);
    if (offer === undefined) {
      tally.countUnheard();
      continue;
    }
    const { facts, evidence } = seenBy(wish, offer);
    tally.count({ codes: numbers.codesOf(facts, evidence), offset: 0 });
  }
  return tally;
}
