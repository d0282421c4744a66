/**
 * A question whose answer takes all of a shard, at hand: leaf after leaf, each known only by the
 * one before, and of all that a hash. Pure. Who has the shard answers in milliseconds. Who has it
 * fetched when it is asked pays a round trip for each leaf, or k shards at once; the hash is small,
 * so that the line between us and the holder hardly counts. An auditor sees whether it is right
 * when it has the shard itself, afterwards.
 *
 *   state 0  SHA-256("hive race 1/" | holder's peer id | "/" | nonce)
 *   leaf     the first 6 bytes of the state as a number, modulo the shard's leaves
 *   state    SHA-256(state | leaf), as often as was asked
 *   answer   u8 version 2 | nonce | the last state
 */
import { createHash } from "node:crypto";
import { Writer } from "../base/bytes.ts";
import { HiveError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Challenge } from "../base/network.ts";
import type { Random } from "../base/random.ts";
import { type KeptShard, challengeFor, leafCountOf } from "./challenge.ts";

const version = 2;
const stateBytes = 32;
const answerBytes = 1 + limits.proofs.nonceBytes + stateBytes;

/** A challenge that is a race. */
export type Race = Challenge & { readonly hops: number };

export function isRace(challenge: Challenge): challenge is Race {
  return challenge.hops !== undefined;
}

/** Who does not know races yet sees one leaf asked for, and answers that. */
export function makeRace({ shard }: Pick<KeptShard, "shard">, random: Random): Race {
  return { ...challengeFor(shard, [0], random), hops: limits.proofs.raceHops };
}

/** The holder's answer, out of the whole shard. */
export function runRace(race: Race, holder: PeerId, shard: Uint8Array): Buffer {
  const { nonce, hops } = race;
  const isBounded = Number.isSafeInteger(hops) && hops >= 1 && hops <= limits.proofs.raceHops;
  const isRight = isBounded && nonce.length === limits.proofs.nonceBytes;
  if (!isRight) throw new HiveError("Invalid", "proofs.race", race.shard);
  const { leafBytes } = limits.segment;
  const count = leafCountOf(shard.length);
  let state = createHash("sha256").update(`hive race 1/${holder}/`).update(nonce).digest();
  for (let hop = 0; hop < hops; hop++) {
    const at = (state.readUIntBE(0, 6) % count) * leafBytes;
    state = createHash("sha256").update(state).update(shard.subarray(at, at + leafBytes)).digest();
  }
  return new Writer(answerBytes).u8(version).raw(nonce).raw(state).finish();
}

/** Whether it is an answer at all: one to the plain question is of who knows no races. */
export function isRaceAnswer({ nonce }: Race, answer: Uint8Array): boolean {
  const isOne = answer.length === answerBytes && answer[0] === version;
  return isOne && Buffer.from(answer.subarray(1, 1 + nonce.length)).equals(nonce);
}
