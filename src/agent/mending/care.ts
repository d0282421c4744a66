/**
 * One segment, looked at and mended by somebody without a key: every seat is asked for its shard,
 * and what the plan says (plan.ts) is brought home as an owner's own agent would bring it
 * (transfer/placed/bring.ts). Every shard that is read or made is checked against the root that the
 * owner signed, and the holder checks it again. Members of a group do so, and people whom an owner
 * lets verify a folder; nothing is dropped, and nothing decided. Who has no room is left alone for
 * a while: each segment that is his due would cost k reads for nothing.
 */
import type { Clock } from "../../base/clock.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { SegmentRecord } from "../../base/records.ts";
import { shardIdOf } from "../../crypt/blocks/merkle.ts";
import type { Coder } from "../../erasure/erasure.ts";
import { type Standing, seatsOf } from "../../guard/log.ts";
import { seatOfShard } from "../../placement/draws/seats.ts";
import { bringHome } from "../../transfer/placed/bring.ts";
import { gather } from "../../transfer/reads/gather.ts";
import type { Answer, Berth } from "../asking/ask.ts";
import type { CareReach } from "../asking/guard-reach.ts";
import { type Mend, type Placed, firstSegments, planRepair } from "./plan.ts";

export interface CareNeeds {
  readonly reach: CareReach;
  readonly coder: Coder;
  readonly clock: Clock;
  readonly log: Log;
  /** The policy's text, for a holder that has not got it. */
  readonly policyOf: (standing: Standing) => Promise<Uint8Array | undefined>;
  /** Tells a peer that refused what it may have missed; then it is asked once more. */
  readonly sync?: (standing: Standing, peer: PeerId, signal: AbortSignal) => Promise<void>;
}

/** What was found of one segment. */
export interface Looked {
  readonly record: SegmentRecord;
  /** A seat whose shard is absent is with whoever had it before, if anybody. */
  readonly state: Placed;
  /** What each answered, in the order of the shards. */
  readonly answers: readonly Answer[];
  /** Those that proved theirs. */
  readonly there: readonly Berth[];
}

/** By any of these it has not got its shard. */
const lacking: ReadonlySet<Answer> = new Set(["absent", "gone", "wrong"]);

export class Care {
  readonly #needs: CareNeeds;
  /** Members that had no room, and until when nothing is made for them. */
  readonly #fullUntilMs = new Map<PeerId, number>();

  constructor(needs: CareNeeds) {
    this.#needs = needs;
  }

  /** What is due of these, each with all that it lacks. */
  plan(standing: Standing, looked: readonly Looked[]): readonly (readonly Mend[])[] {
    const { reach } = this.#needs;
    const { mends } = planRepair({
      segments: looked.map(({ state }) => state),
      manifests: [{ ...standing.manifest, peers: seatsOf(standing) }],
      isUnfit: (peer) => reach.isDead(peer), isFresh: (peer) => reach.isFresh(peer),
      isOnline: (peer) => reach.isThere(peer),
      // Members judge by the policy whom they seat; whom the owner seated is the owner's business.
      isBarred: () => false, isPatient: true, isPutOff: ({ member }) => this.#isFull(member),
    });
    return firstSegments(mends, mends.length);
  }

  async look(
    standing: Standing, record: SegmentRecord, signal: AbortSignal,
  ): Promise<Looked> {
    const { reach, sync } = this.#needs;
    const berths = berthsOf(standing, record);
    const asked = await Promise.all(berths.map(async (berth): Promise<Answer> => {
      if (reach.isDead(berth.peer)) return "offline";
      const answer = await reach.ask(berth, 1, signal);
      if (answer !== "refused" || sync === undefined) return answer;
      // It has not heard yet that one of us is a member.
      await sync(standing, berth.peer, signal);
      return reach.ask(berth, 1, signal);
    }));
    const holders = berths.map(({ index, peer }, at) => {
      const isAbsent = lacking.has(asked[at] as Answer);
      return isAbsent ? beforeOf(standing, seatOfShard(record, index)) : peer;
    });
    const there = berths.filter((_, at) => asked[at] === "right");
    return { record, state: { ...record, holders }, answers: asked, there };
  }

  /** How many of its shards were brought home. */
  async mend(
    standing: Standing, looked: Looked, mends: readonly Mend[], signal: AbortSignal,
  ): Promise<number> {
    const { record, state: { holders } } = looked;
    const { k, segment } = record;
    const indexes = mends.map(({ index }) => index);
    const berths = berthsOf(standing, record);
    try {
      const taken = await bringHome({ k, indexes }, {
        give: (index) => this.#copy({ record, index, peer: holders[index] }, signal),
        make: (left, have) => this.#rebuild(looked, left, have, signal),
        place: async (shards) => {
          const stored = await Promise.all(shards.map(({ index, bytes }) => {
            return this.#store(standing, berths[index] as Berth, bytes, signal);
          }));
          return new Set(shards.flatMap(({ index }, at) => (stored[at] === true ? [index] : [])));
        },
      });
      const [shards, lacking] = [taken.size, indexes.length];
      this.#needs.log.info("care.mended", { segment, shards, lacking });
      return shards;
    } catch (error) {
      signal.throwIfAborted();
      if (!isFault(error)) throw error;
      this.#needs.log.debug("care.mend.failed", { segment, why: describe(error) });
      return 0;
    }
  }

  /** From who had the seat before: a shard of traffic, where a rebuilding costs k. */
  async #copy(
    { record, index, peer }: Omit<Berth, "peer"> & { readonly peer: PeerId | undefined },
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    const { reach } = this.#needs;
    if (peer === undefined || !reach.isOnline(peer)) return undefined;
    try {
      return await reach.read({ record, index, peer }, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!isFault(error)) throw error;
      const { group } = record;
      this.#needs.log.debug("care.copy.failed", { group, peer, why: describe(error) });
      return undefined;
    }
  }

  /** These shards, each with the hash that the owner signed. */
  async #rebuild(
    { record, there }: Looked, wanted: readonly number[],
    have: ReadonlyMap<number, Uint8Array>, signal: AbortSignal,
  ): Promise<readonly Uint8Array[]> {
    const { coder, clock, reach } = this.#needs;
    const { k, n, roots, segment } = record;
    const own = (berth: Berth): number => (berth.peer === reach.self ? 0 : 1);
    const sources = there.filter(({ index }) => !have.has(index));
    sources.sort((a, b) => own(a) - own(b));
    const patienceMs = limits.transfer.shardPatienceMs;
    const asked = { sources, needed: k - have.size, hedge: 0, patienceMs, signal };
    const pieces = asked.needed === 0
      ? new Map<Berth, Uint8Array>()
      : await gather(clock, asked, (berth, until) => reach.read(berth, until));
    const read = [...pieces].map(([{ index }, bytes]) => [index, bytes] as const);
    const made = coder.rebuild({ k, n }, new Map([...have, ...read]), wanted);
    const isRight = made.every((shard, at) => shardIdOf(shard) === roots[wanted[at] as number]);
    if (isRight) return made;
    throw new HiveError("Corrupt", "care.rebuild", `${segment}: not one codeword`);
  }

  async #store(
    { manifest, log }: Standing, berth: Berth, bytes: Uint8Array, signal: AbortSignal,
  ): Promise<boolean> {
    const { policyOf, reach } = this.#needs;
    const policy = await policyOf({ manifest, log });
    try {
      await reach.store(berth, { manifest, policy, bytes }, signal);
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (!isFault(error)) throw error;
      const { peer } = berth;
      if (isFault(error, "Quota", "NoSpace")) this.#isFullNow(peer);
      this.#needs.log.debug("care.store.failed", { peer, why: describe(error) });
      return false;
    }
  }

  #isFull(peer: PeerId): boolean {
    return (this.#fullUntilMs.get(peer) ?? 0) > this.#needs.clock.monotonicMs();
  }

  #isFullNow(peer: PeerId): void {
    for (const known of this.#fullUntilMs.keys()) {
      if (!this.#isFull(known)) this.#fullUntilMs.delete(known);
    }
    const untilMs = this.#needs.clock.monotonicMs() + limits.agent.restMsMax;
    this.#fullUntilMs.set(peer, untilMs);
  }
}

function berthsOf(standing: Standing, record: SegmentRecord): readonly Berth[] {
  const seats = seatsOf(standing);
  return Array.from({ length: record.n }, (_, index) => {
    return { record, index, peer: seats[seatOfShard(record, index)] as PeerId };
  });
}

/** Who had the seat before its peer, if the members gave it away. */
function beforeOf({ log }: Standing, seat: number): PeerId | undefined {
  return log.findLast(({ entry }) => entry.seat === seat)?.entry.lost;
}
