/**
 * Looks after the segments of a group that fall to this member in a turn: asks every seat for its
 * shard, copies what is absent from whoever had the seat before and still answers, and rebuilds
 * the rest out of k others, once for all that a segment lacks, the most endangered first. It rests
 * while seats of the dead are being given away: each new entry would cost k reads of its own. It
 * needs no key: every shard that it reads or makes is checked against the root that the owner
 * signed, and the holder checks it again. Nothing is dropped.
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
import type { Policy } from "../placement/policy.ts";
import type { Activity } from "../placement/policy-words.ts";
import { mayProcessHere } from "../placement/own.ts";
import { seatOfShard } from "../placement/seats.ts";
import { gather } from "../transfer/gather.ts";
import type { GroupShelf } from "../vault/shelf.ts";
import type { Berth, Reach } from "./guard-reach.ts";

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
interface Health {
  readonly record: SegmentRecord;
  readonly there: readonly Berth[];
  readonly absent: readonly Berth[];
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
    const mine = await this.#nextOf(standing);
    const health: Health[] = [];
    for (const record of mine) health.push(await this.#look(standing, record, signal));
    if (!this.#mayHere("repair", policy)) return 0;
    const ill = health.filter(({ absent }) => absent.length > 0);
    ill.sort((a, b) => spareOf(a) - spareOf(b));
    let mended = 0;
    for (const one of ill) mended += await this.#mend(standing, one, signal);
    this.#mended += mended;
    return mended;
  }

  #isSettled(standing: Standing): boolean {
    const { clock, reach } = this.#needs;
    const { manifest: { group }, log: { length } } = standing;
    const last = this.#rests.get(group);
    const nowMs = clock.monotonicMs();
    const rest = last?.length === length ? last : { length, sinceMs: nowMs };
    this.#rests.set(group, rest);
    const deadSeats = seatsOf(standing).filter((peer) => reach.isDead(peer)).length;
    return isSettled({ deadSeats, restedMs: nowMs - rest.sinceMs, leaseMs: this.#leaseMs });
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
  ): Promise<Health> {
    const { reach } = this.#needs;
    const seats = seatsOf(standing);
    const berths = Array.from({ length: record.n }, (_, index): Berth => {
      return { record, index, peer: seats[seatOfShard(record, index)] as PeerId };
    });
    const asked = await Promise.all(berths.map(async (berth) => {
      if (reach.isDead(berth.peer)) return "offline";
      const finding = await reach.ask(berth, 1, signal);
      if (finding !== "refused") return finding;
      // It has not heard yet that one of us is a member.
      await this.#needs.sync(standing, berth.peer, signal);
      return reach.ask(berth, 1, signal);
    }));
    return {
      record,
      there: berths.filter((_, index) => asked[index] === "right"),
      absent: berths.filter((_, index) => asked[index] === "absent" || asked[index] === "wrong"),
    };
  }

  async #mend(standing: Standing, health: Health, signal: AbortSignal): Promise<number> {
    const { record: { segment }, absent } = health;
    try {
      const copied = await Promise.all(absent.map((berth) => this.#copy(standing, berth, signal)));
      const rest = absent.filter((_, at) => copied[at] === undefined);
      const lacking = { ...health, absent: rest };
      const made = rest.length === 0 ? [] : await this.#rebuild(lacking, signal);
      const stored = await Promise.all(absent.map((berth, at) => {
        const bytes = copied[at] ?? made[rest.indexOf(berth)] as Uint8Array;
        return this.#store(standing, berth, bytes, signal);
      }));
      const shards = stored.filter(Boolean).length;
      this.#needs.log.info("guard.mended", { segment, shards, lacking: absent.length });
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
    { manifest, log }: Standing, { record, index }: Berth, signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    const { reach } = this.#needs;
    const seat = seatOfShard(record, index);
    const before = log.findLast(({ entry }) => entry.seat === seat)?.entry.lost;
    const isOnline = reach.known().some(({ offer, online }) => online && offer.peer === before);
    if (before === undefined || !isOnline) return undefined;
    try {
      return await reach.read({ record, index, peer: before }, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!isFault(error)) throw error;
      const { group } = manifest;
      this.#needs.log.debug("guard.copy.failed", { group, peer: before, why: describe(error) });
      return undefined;
    }
  }

  /** The absent shards, each with the hash that the owner signed. */
  async #rebuild(
    { record, there, absent }: Health, signal: AbortSignal,
  ): Promise<readonly Uint8Array[]> {
    const { coder, clock, reach } = this.#needs;
    const { k, n, roots, segment } = record;
    const own = (berth: Berth): number => (berth.peer === reach.self ? 0 : 1);
    const sources = [...there].sort((a, b) => own(a) - own(b));
    const patienceMs = limits.transfer.shardPatienceMs;
    const asked = { sources, needed: k, hedge: 0, patienceMs, signal };
    const pieces = await gather(clock, asked, (berth, until) => reach.read(berth, until));
    const have = new Map([...pieces].map(([{ index }, bytes]) => [index, bytes]));
    const wanted = absent.map(({ index }) => index);
    const made = coder.rebuild({ k, n }, have, wanted);
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

/** How many more shards it can lose. */
function spareOf({ record, there }: Health): number {
  return there.length - record.k;
}
