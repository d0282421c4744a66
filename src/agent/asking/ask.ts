/**
 * One holder, asked for leaves of one shard, and what its answer shows. Whoever audits, adopts,
 * guards or lets go asks in this way; what follows from an answer is theirs: here nothing is
 * written down.
 */
import type { Clock } from "../../base/clock.ts";
import { isFault } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { knownPeer } from "../../base/known-peers.ts";
import { limits } from "../../base/limits.ts";
import type { Challenge, PeerNetwork } from "../../base/network.ts";
import type { Random } from "../../base/random.ts";
import type { SegmentRecord } from "../../base/records.ts";
import { verifyAnswer } from "../../proofs/answer.ts";
import { challengeFor, makeChallenge } from "../../proofs/challenge.ts";

/** One shard of one segment, and the peer that should have it. */
export interface Berth {
  readonly record: SegmentRecord;
  readonly index: number;
  readonly peer: PeerId;
}

/**
 * Absent: it says that it has not got the shard. Gone: that it had it and let go of it, as one does
 * that is owed for it or gave up its seat. Busy: it is there, and has no room for us now. Refused:
 * it answers, and not to us.
 */
export type Answer =
  "right" | "wrong" | "absent" | "gone" | "late" | "busy" | "refused" | "offline";

export interface AskNeeds {
  readonly network: PeerNetwork;
  readonly clock: Clock;
  readonly random: Random;
}

/** How the question reaches the holder; over the network, unless it is this node itself. */
export type Prove = (challenge: Challenge) => Promise<Uint8Array>;

interface Asking {
  readonly signal: AbortSignal;
  readonly prove?: Prove;
}

/** Asks for so many leaves, drawn now. */
export async function askHolder(
  needs: AskNeeds, berth: Berth, { leaves: count, ...asking }: Asking & { readonly leaves: number },
): Promise<Answer> {
  const { roots, shardBytes } = berth.record;
  const shard = roots[berth.index];
  if (shard === undefined) return "wrong";
  const challenge = makeChallenge({ shard, shardBytes, count, random: needs.random });
  return await ask(needs, berth, challenge, asking);
}

/** Asks for these leaves. */
export async function askForLeaves(
  needs: AskNeeds, berth: Berth,
  { leaves, ...asking }: Asking & { readonly leaves: readonly number[] },
): Promise<Answer> {
  const shard = berth.record.roots[berth.index];
  if (shard === undefined) return "wrong";
  return await ask(needs, berth, challengeFor(shard, leaves, needs.random), asking);
}

async function ask(
  { network, clock }: AskNeeds, { record: { shardBytes }, peer }: Berth, challenge: Challenge,
  { signal, prove = () => network.prove(peer, challenge, { signal }) }: Asking,
): Promise<Answer> {
  const askedMs = clock.monotonicMs();
  try {
    const answer = await prove(challenge);
    if (clock.monotonicMs() - askedMs > deadlineMs(network, peer)) return "late";
    return verifyAnswer(challenge, { holder: peer, shardBytes }, answer);
  } catch (error) {
    if (!isFault(error)) throw error;
    if (isFault(error, "NotFound")) return "absent";
    if (isFault(error, "Stale")) return "gone";
    if (isFault(error, "Corrupt")) return "wrong";
    if (isFault(error, "Busy")) return "busy";
    // Silence until the network gave up is no late answer: none came.
    return isFault(error, "Denied", "Invalid", "Quota") ? "refused" : "offline";
  }
}

/** Some of its usual round trips, and time for its disk. */
function deadlineMs(network: PeerNetwork, peer: PeerId): number {
  return limits.agent.answerMsMin + 4 * (knownPeer(network, peer)?.roundTripMs ?? 0);
}
