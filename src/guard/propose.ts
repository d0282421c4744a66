/**
 * What a leader proposes. Pure: from what the group looks like to it, whose seat to give away; from
 * the pledges that came, which entry; from the votes, whether it was accepted.
 */
import type { Accepted, Pledge, Replacement, Vote } from "../base/guard.ts";
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { ErasureClass, Offer } from "../base/records.ts";
import { domainCapOf, mendedFrom, thinFrom } from "../placement/draws/classes.ts";
import { type Standing, baseOf, quorumOf, seatsOf, tipOf } from "./log.ts";
import { bindingOf } from "./voter.ts";

/** Who may be counted on, as this member sees it. */
export interface Sight {
  isDead(peer: PeerId): boolean;
  /** Of the dead: silent for a short time only. */
  isFresh(peer: PeerId): boolean;
  isOnline(peer: PeerId): boolean;
  /** It gave notice itself. */
  isLeaving(peer: PeerId): boolean;
  readonly nowMs: number;
  readonly leaseMs: number;
}

/**
 * The first seat of a dead member that need not wait, or else of one that leaves; undefined where
 * nobody is or does, or where too few are there: for a majority, or to rebuild anything from.
 */
export function seatToGive(standing: Standing, sight: Sight): number | undefined {
  const { isDead, isOnline, isLeaving } = sight;
  const seats = seatsOf(standing);
  const there = seats.filter((peer) => isOnline(peer) && !isDead(peer)).length;
  const needed = Math.max(quorumOf(seats.length), standing.manifest.class.k);
  if (there < needed) return undefined;
  const [given] = isDue(standing, sight) ? lostIn(standing, sight) : [];
  const lost = given === undefined ? -1 : seats.indexOf(given);
  return [lost, seats.findIndex(isLeaving)].find((seat) => seat >= 0);
}

type DeathSight = Omit<Sight, "isOnline" | "isLeaving">;

/**
 * Whether seats of the dead go to others now. Members wait as an owner does, so that one reading of
 * k makes all that was lost. Once they have begun they go on until nobody dead has a seat: the log
 * tells everybody that they have.
 */
export function isDue(standing: Standing, sight: DeathSight): boolean {
  const lost = lostIn(standing, sight).length;
  if (lost === 0) return false;
  const living = seatsOf(standing).length - lost;
  return isUnderWay(standing, sight) || living <= givenFrom(standing.manifest.class);
}

/** The dead; those whose death is fresh only where few others are left, or some went already. */
function lostIn(standing: Standing, sight: DeathSight): readonly PeerId[] {
  const seats = seatsOf(standing);
  const dead = seats.filter((peer) => sight.isDead(peer));
  const isThin = seats.length - dead.length <= hastyFrom(standing.manifest.class);
  if (isThin || isUnderWay(standing, sight)) return dead;
  return dead.filter((peer) => !sight.isFresh(peer));
}

function isUnderWay({ log }: Standing, { nowMs, leaseMs }: DeathSight): boolean {
  const last = log.findLast(({ entry: { why } }) => why === "dead")?.entry.atMs;
  return last !== undefined && Math.abs(nowMs - last) < limits.guard.givingLeases * leaseMs;
}

/** Of living members, as `thinFrom` is of shards: a majority has to last as well. */
export function hastyFrom(erasureClass: ErasureClass): number {
  const voters = quorumOf(erasureClass.n) + limits.placement.spareShardsMin;
  return Math.min(givenFrom(erasureClass), Math.max(thinFrom(erasureClass), voters));
}

/**
 * With so many living members, or fewer, seats of the dead go to others. What a segment has to
 * outlive from then on (placement/draws/classes.ts, mendedFrom) the majority has to outlive as
 * well: with less of them nobody could give anything away.
 */
export function givenFrom(erasureClass: ErasureClass): number {
  const { n } = erasureClass;
  const voters = quorumOf(n) + domainCapOf(erasureClass);
  return Math.min(n - 1, Math.max(mendedFrom(erasureClass), voters));
}

/** A voter's pledge, what it voted for if it did, and whom it would have drawn. */
export interface Pledged {
  readonly pledge: Pledge;
  readonly entry: Replacement | undefined;
  readonly offers: readonly Offer[];
}

export type Choice =
  | { readonly state: "bound"; readonly entry: Replacement }
  | { readonly state: "free" }
  /** Too few pledges, or nobody can tell what was accepted. */
  | { readonly state: "none" };

export function choose(standing: Standing, answers: readonly Pledged[]): Choice {
  const seats = seatsOf(standing).length;
  if (answers.length < quorumOf(seats)) return { state: "none" };
  const binding = bindingOf(answers.map(({ pledge }) => pledge), seats);
  if (binding.state === "free") return { state: "free" };
  if (binding.state === "torn") return { state: "none" };
  const bound = answers.find(({ entry }) => entry?.id === binding.entry)?.entry;
  return bound === undefined ? { state: "none" } : { state: "bound", entry: bound };
}

/** What a leader signs when it is free. */
export function draft(
  standing: Standing,
  told: Pick<Replacement, "seat" | "peer" | "why" | "atMs">,
): Omit<Replacement, "id" | "by" | "bytes"> {
  const { manifest: { owner, group, epoch }, log } = standing;
  const { seat, peer, why, atMs } = told;
  const lost = seatsOf(standing)[seat] as PeerId;
  return {
    owner, group, epoch, base: baseOf(standing.manifest), position: log.length,
    previous: tipOf(standing), seat, lost, peer, why, atMs,
  };
}

/** With the votes of a majority and no more; undefined when there are too few. */
export function acceptedBy(
  standing: Standing, entry: Replacement, votes: readonly Vote[],
): Accepted | undefined {
  const quorum = quorumOf(seatsOf(standing).length);
  return votes.length < quorum ? undefined : { entry, votes: votes.slice(0, quorum) };
}
