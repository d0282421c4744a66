/**
 * Looks after the segments of a group that fall to this member in a turn: asks every seat for its
 * shard, and brings home what the owner's own agent would bring (plan.ts), as it would (bring.ts).
 * It rests while seats of the dead are being given away: each new entry would cost k reads of its
 * own. It needs no key: every shard that it reads or makes is checked against the root that the
 * owner signed, and the holder checks it again. Nothing is dropped.
 */
import type { Clock } from "../base/clock.ts";
import { HiveError, isFault } from "../base/errors.ts";
import type { GroupId, PeerId, SegmentId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type Log, describe } from "../base/log.ts";
import type { Offer, SegmentRecord } from "../base/records.ts";
import { shardIdOf } from "../crypt/merkle.ts";
import type { Coder } from "../erasure/erasure.ts";
import { dutyOf, isSettled } from "../guard/lease.ts";
import { type Standing, seatsOf } from "../guard/log.ts";
import { isDue } from "../guard/propose.ts";
import type { Policy } from "../placement/policy.ts";
import type { Activity } from "../placement/policy-words.ts";
import { mayProcessHere } from "../placement/own.ts";
import { seatOfShard } from "../placement/seats.ts";
import { bringHome } from "../transfer/bring.ts";
import { gather } from "../transfer/gather.ts";
import type { GroupShelf } from "../vault/shelf.ts";
import type { Berth } from "./ask.ts";
import type { Reach } from "./guard-reach.ts";
import { type Mend, type Placed, firstSegments, planRepair } from "./plan.ts";

export interface DutyNeeds {
  readonly shelf: GroupShelf;
  readonly reach: Reach;
  readonly coder: Coder;
  readonly clock: Clock;
  readonly log: Log;
  readonly offer: () => Offer;
  /** Tells a fellow what it has missed. */
  readonly sync: (standing: Standing, peer: PeerId, signal: AbortSignal) => Promise<void>;
}

/** How far a group's segments were gone through in a turn. */
interface Round {
  readonly turn: number;
  readonly after: SegmentId | undefined;
  readonly isOver: boolean;
}

/** How long a group's log was when last looked at, and since when. */
interface Rest {
  readonly length: number;
  readonly sinceMs: number;
}

/** What was found of one segment. */
interface Looked {
  readonly record: SegmentRecord;
  /** A seat whose shard is absent is with whoever had it before, if anybody. */
  readonly state: Placed;
  /** Those that proved theirs. */
  readonly there: readonly Berth[];
}

export class Duty {
  readonly #needs: DutyNeeds;
  readonly #intervalMs: number;
  readonly #leaseMs: number;
  readonly #rounds = new Map<GroupId, Round>();
  readonly #rests = new Map<GroupId, Rest>();
  #mended = 0;

  constructor(
    needs: DutyNeeds, options: { readonly intervalMs: number; readonly leaseMs: number },
  ) {
    this.#needs = needs;
    this.#intervalMs = options.intervalMs;
    this.#leaseMs = options.leaseMs;
  }

  /** Shards that this node brought where they belong. */
  get mended(): number {
    return this.#mended;
  }

  /** Of groups that this node has left. */
  forgetBut(groups: ReadonlySet<GroupId>): void {
    for (const each of [this.#rounds, this.#rests]) {
      for (const group of each.keys()) if (!groups.has(group)) each.delete(group);
    }
  }

  /** A few segments of one group; how many shards were brought home. */
  async step(standing: Standing, policy: Policy, signal: AbortSignal): Promise<number> {
    if (!this.#mayHere("audit", policy) || !this.#isSettled(standing)) return 0;
    const looked = new Map<SegmentId, Looked>();
    for (const record of await this.#nextOf(standing)) {
      looked.set(record.segment, await this.#look(standing, record, signal));
    }
    if (!this.#mayHere("repair", policy)) return 0;
    let mended = 0;
    for (const mends of this.#planFor(standing, looked)) {
      const one = looked.get(mends[0]?.segment as SegmentId) as Looked;
      mended += await this.#mend(standing, one, mends, signal);
    }
    this.#mended += mended;
    return mended;
  }

  /** What is due of these, each with all that it lacks. */
  #planFor(
    standing: Standing, looked: ReadonlyMap<SegmentId, Looked>,
  ): readonly (readonly Mend[])[] {
    const { reach } = this.#needs;
    const { mends } = planRepair({
      segments: [...looked.values()].map(({ state }) => state),
      manifests: [{ ...standing.manifest, peers: seatsOf(standing) }],
      isUnfit: (peer) => reach.isDead(peer), isFresh: (peer) => reach.isFresh(peer),
      isOnline: (peer) => reach.isThere(peer),
      // Members judge by the policy whom they seat; whom the owner seated is the owner's business.
      isBarred: () => false, isPatient: true,
    });
    return firstSegments(mends, mends.length);
  }

  #isSettled(standing: Standing): boolean {
    const { clock, reach } = this.#needs;
    const { manifest: { group }, log: { length } } = standing;
    const last = this.#rests.get(group);
    const nowMs = clock.monotonicMs();
    const rest = last?.length === length ? last : { length, sinceMs: nowMs };
    this.#rests.set(group, rest);
    const isGiving = isDue(standing, {
      isDead: (peer) => reach.isDead(peer), isFresh: (peer) => reach.isFresh(peer),
      nowMs: clock.now(), leaseMs: this.#leaseMs,
    });
    return isSettled({ isGiving, restedMs: nowMs - rest.sinceMs, leaseMs: this.#leaseMs });
  }

  /** Whether there is more to look at in this turn. */
  isBusy({ manifest: { group } }: Standing): boolean {
    return this.#rounds.get(group)?.isOver === false;
  }

  /** The policy's word on what a member does that is no machine of the owner's. */
  #mayHere(activity: Activity, policy: Policy): boolean {
    return mayProcessHere(policy, activity, { offer: this.#needs.offer(), roles: ["holder"] });
  }

  /** The next segments that fall to this member. A new entry in the log begins a new turn. */
  async #nextOf(standing: Standing): Promise<readonly SegmentRecord[]> {
    const { shelf, reach } = this.#needs;
    const { manifest, log } = standing;
    const turn = this.#turnAt(log.length);
    const last = this.#rounds.get(manifest.group);
    if (last?.turn === turn && last.isOver) return [];
    const drawn = this.#keepersOf(standing);
    const found: SegmentRecord[] = [];
    let after = last?.turn === turn ? last.after : undefined;
    let looked = 0;
    for await (const record of shelf.records(manifest, after)) {
      after = record.segment;
      looked++;
      if (dutyOf(drawn, record.segment, turn) === reach.self) found.push(record);
      const isFull = found.length >= limits.guard.segmentsPerStep;
      if (isFull || looked >= limits.guard.recordsPerStep) {
        this.#rounds.set(manifest.group, { turn, after, isOver: false });
        return found;
      }
    }
    this.#rounds.set(manifest.group, { turn, after, isOver: true });
    return found;
  }

  /** Who was a member from the start knows all segments; newcomers those that they were given. */
  #keepersOf(standing: Standing): readonly PeerId[] {
    const { reach } = this.#needs;
    const there = seatsOf(standing).filter((peer) => reach.isThere(peer));
    const old = there.filter((peer) => standing.manifest.peers.includes(peer));
    return [old, there].find((peers) => peers.length > 0) ?? [reach.self];
  }

  #turnAt(position: number): number {
    const interval = Math.floor(this.#needs.clock.now() / this.#intervalMs);
    return interval * limits.guard.entriesMax + position;
  }

  async #look(
    standing: Standing, record: SegmentRecord, signal: AbortSignal,
  ): Promise<Looked> {
    const { reach } = this.#needs;
    const berths = berthsOf(standing, record);
    const asked = await Promise.all(berths.map(async (berth) => {
      if (reach.isDead(berth.peer)) return "offline";
      const answer = await reach.ask(berth, 1, signal);
      if (answer !== "refused") return answer;
      // It has not heard yet that one of us is a member.
      await this.#needs.sync(standing, berth.peer, signal);
      return reach.ask(berth, 1, signal);
    }));
    const holders = berths.map(({ index, peer }, at) => {
      const isAbsent = asked[at] === "absent" || asked[at] === "wrong";
      return isAbsent ? beforeOf(standing, seatOfShard(record, index)) : peer;
    });
    const there = berths.filter((_, at) => asked[at] === "right");
    return { record, state: { ...record, holders }, there };
  }

  async #mend(
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
      this.#needs.log.info("guard.mended", { segment, shards, lacking });
      return shards;
    } catch (error) {
      signal.throwIfAborted();
      if (!isFault(error)) throw error;
      this.#needs.log.debug("guard.mend.failed", { segment, why: describe(error) });
      return 0;
    }
  }

  /** From who had the seat before: a shard of traffic, where a rebuilding costs k. */
  async #copy(
    { record, index, peer }: Omit<Berth, "peer"> & { readonly peer: PeerId | undefined },
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    const { reach } = this.#needs;
    const isOnline = reach.known().some(({ offer, online }) => online && offer.peer === peer);
    if (peer === undefined || !isOnline) return undefined;
    try {
      return await reach.read({ record, index, peer }, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!isFault(error)) throw error;
      const { group } = record;
      this.#needs.log.debug("guard.copy.failed", { group, peer, why: describe(error) });
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
    throw new HiveError("Corrupt", "guard.rebuild", `${segment}: not one codeword`);
  }

  async #store(
    { manifest, log }: Standing, berth: Berth, bytes: Uint8Array, signal: AbortSignal,
  ): Promise<boolean> {
    const { shelf, reach } = this.#needs;
    const { policy } = await shelf.word({ manifest, log });
    try {
      await reach.store(berth, { manifest, policy, bytes }, signal);
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (!isFault(error)) throw error;
      const { peer } = berth;
      this.#needs.log.debug("guard.store.failed", { peer, why: describe(error) });
      return false;
    }
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
