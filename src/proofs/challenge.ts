/**
 * What an auditor asks: random leaves under a fresh nonce. Pure; randomness comes in. How many
 * leaves show what loss: limits.proofs.samples.
 */
import { HiveError, assert } from "../base/errors.ts";
import type { ShardId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Challenge } from "../base/network.ts";
import type { Random } from "../base/random.ts";

/** A shard that a holder has to have. */
export interface KeptShard {
  readonly shard: ShardId;
  readonly shardBytes: number;
}

export function leafCountOf(shardBytes: number): number {
  const count = shardBytes / limits.segment.leafBytes;
  assert(Number.isSafeInteger(count) && count >= 1, `a shard of ${shardBytes} bytes`);
  return count;
}

/** Asks for `count` leaves of one shard, or for all when it has fewer. */
export function makeChallenge({ shard, shardBytes, count, random }: KeptShard & {
  readonly count: number; readonly random: Random;
}): Challenge {
  const leafCount = leafCountOf(shardBytes);
  const wanted = Math.min(count, leafCount, limits.proofs.leavesMax);
  return challengeFor(shard, sample(leafCount, wanted, random), random);
}

/** One shard, and the leaves of it that an audit came upon, rising. */
export interface Hit<Kept> {
  readonly kept: Kept;
  readonly leaves: readonly number[];
}

/**
 * Draws `count` leaves, each equally likely, out of all that a holder keeps. Where one shard has
 * too many hits, the surplus is not asked. What the shards are called it need not know.
 */
export function makeAudit<Kept extends Pick<KeptShard, "shardBytes">>({ shards, count, random }: {
  readonly shards: readonly Kept[]; readonly count: number; readonly random: Random;
}): readonly Hit<Kept>[] {
  const total = shards.reduce((sum, { shardBytes }) => sum + leafCountOf(shardBytes), 0);
  const hits = sample(total, Math.min(count, total), random);
  const found: Hit<Kept>[] = [];
  let first = 0;
  let next = 0;
  for (const kept of shards) {
    const end = first + leafCountOf(kept.shardBytes);
    const leaves: number[] = [];
    while (next < hits.length && (hits[next] as number) < end) {
      leaves.push((hits[next++] as number) - first);
    }
    const asked = leaves.slice(0, limits.proofs.leavesMax);
    if (asked.length > 0) found.push({ kept, leaves: asked });
    first = end;
  }
  return found;
}

/** The holder's door: a challenge that asks for what cannot be, or for too much, is Invalid. */
export function checkChallenge(challenge: Challenge, shardBytes: number): void {
  const { nonce, leaves } = challenge;
  const count = leafCountOf(shardBytes);
  const rising = leaves.every((leaf, at) => at === 0 || leaf > (leaves[at - 1] as number));
  const inside = leaves.every((leaf) => Number.isSafeInteger(leaf) && leaf >= 0 && leaf < count);
  const bounded = leaves.length >= 1 && leaves.length <= limits.proofs.leavesMax;
  const right = nonce.length === limits.proofs.nonceBytes && bounded && inside && rising;
  if (!right) throw new HiveError("Invalid", "proofs.challenge", challenge.shard);
}

/** These leaves, rising, under a fresh nonce. */
export function challengeFor(
  shard: ShardId, leaves: readonly number[], random: Random,
): Challenge {
  return { shard, nonce: random.bytes(limits.proofs.nonceBytes), leaves };
}

/** `wanted` different numbers below `bound`, rising, all sets equally likely (Floyd's way). */
function sample(bound: number, wanted: number, random: Random): readonly number[] {
  const taken = new Set<number>();
  for (let last = bound - wanted; last < bound; last++) {
    const drawn = random.below(last + 1);
    taken.add(taken.has(drawn) ? last : drawn);
  }
  return [...taken].sort((left, right) => left - right);
}
