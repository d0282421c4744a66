/**
 * Weighted rendezvous: every peer draws a straw for every seat, and the shortest wins. A straw
 * depends on nothing but the seed, the seat, the peer and its own weight, so that when one peer
 * comes, goes or changes, only the seats that it wins or had won move (straw2 of CRUSH).
 */
import { createHash } from "node:crypto";
import { limits } from "../../base/limits.ts";
import type { Offer } from "../../base/records.ts";

/** How many straws one hash gives: 8 of its bytes each. */
const strawsPerHash = 4;

/** A peer that may be drawn, and how many times as much the policy would have it. */
export interface Candidate {
  readonly offer: Offer;
  readonly favour: number;
}

/** The straw of this candidate for this seat; shorter is better. */
function strawOf(seed: string, seat: number, { offer, favour }: Candidate): number {
  const turn = Math.floor(seat / strawsPerHash);
  const hash = createHash("sha256").update(`hive straw 1/${seed}/${turn}/${offer.peer}`).digest();
  const drawn = hash.readUIntBE((seat % strawsPerHash) * 8, 6);
  // From (0, 1]: the logarithm of 0 would never win and that of 1 wins at once.
  return -Math.log((drawn + 1) / 2 ** 48) / (weightOf(offer) * favour);
}

/** By free space. A claim costs nothing, so beyond a limit more of it weighs no more. */
function weightOf(offer: Offer): number {
  return Math.min(offer.freeBytes, limits.placement.weightBytesMax);
}

/** From 0 to 1. */
export function fullnessOf({ quotaBytes, freeBytes }: Offer): number {
  return quotaBytes > 0 ? 1 - freeBytes / quotaBytes : 1;
}

/**
 * Of the two shortest straws for the seat, the less full peer: two choices keep the fullest peer
 * far closer to the mean than one does. Undefined when there is no candidate.
 */
export function drawOne<Found extends Candidate>(
  seed: string, seat: number, candidates: Iterable<Found>,
): Found | undefined {
  let first: Drawn<Found> | undefined;
  let second: Drawn<Found> | undefined;
  for (const candidate of candidates) {
    const drawn = { candidate, straw: strawOf(seed, seat, candidate) };
    if (isShorter(drawn, first)) [first, second] = [drawn, first];
    else if (isShorter(drawn, second)) second = drawn;
  }
  if (first === undefined || second === undefined) return first?.candidate;
  const isFuller = fullnessOf(second.candidate.offer) < fullnessOf(first.candidate.offer);
  return isFuller ? second.candidate : first.candidate;
}

interface Drawn<Found> {
  readonly candidate: Found;
  readonly straw: number;
}

/** Equal straws fall to the lesser name, so that the order of the offers never matters. */
function isShorter(left: Drawn<Candidate>, right: Drawn<Candidate> | undefined): boolean {
  if (right === undefined) return true;
  if (left.straw !== right.straw) return left.straw < right.straw;
  return left.candidate.offer.peer < right.candidate.offer.peer;
}
