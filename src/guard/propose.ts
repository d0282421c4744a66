/**
 * What a leader proposes. Pure: from what the group looks like to it, whose seat to give away; from
 * the pledges that came, which entry; from the votes, whether it was accepted.
 */
import type { Accepted, Pledge, Replacement, Vote } from "../base/guard.ts";
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { ErasureClass, Offer } from "../base/records.ts";
import { domainCapOf, mendedFrom } from "../placement/classes.ts";
import { type Standing, baseOf, quorumOf, seatsOf, tipOf } from "./log.ts";
import { bindingOf } from "./voter.ts";

/** Who may be counted on, as this member sees it. */
export interface Sight {
  isDead(peer: PeerId): boolean;
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
  const lost = isDue(standing, sight) ? seats.findIndex(isDead) : -1;
  return [lost, seats.findIndex(isLeaving)].find((seat) => seat >= 0);
}

/**
 * Whether seats of the dead go to others now. Members wait as an owner does, so that one reading of
 * k makes all that was lost. Once they have begun they go on until nobody dead has a seat: the log
 * tells everybody that they have.
 */
export function isDue(
  { manifest, log }: Standing, { isDead, nowMs, leaseMs }: Omit<Sight, "isOnline" | "isLeaving">,
): boolean {
  const seats = seatsOf({ manifest, log });
  const living = seats.filter((peer) => !isDead(peer)).length;
  if (living === seats.length) return false;
  const last = log.findLast(({ entry: { why } }) => why === "dead")?.entry.atMs;
  const windowMs = limits.guard.givingLeases * leaseMs;
  const isUnderWay = last !== undefined && Math.abs(nowMs - last) < windowMs;
  return isUnderWay || living <= givenFrom(manifest.class);
}

/**
 * With so many living members, or fewer, seats of the dead go to others. What a segment has to
 * outlive from then on (placement/classes.ts, mendedFrom) the majority has to outlive as well: with
 * less of them nobody could give anything away.
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
