/**
 * Looks after the segments of a group that fall to this member in a turn (care.ts). It rests while
 * seats of the dead are being given away: each new entry would cost k reads of its own.
 */
import type { Clock } from "../../base/clock.ts";
import type { GroupId, PeerId, SegmentId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { Offer, SegmentRecord } from "../../base/records.ts";
import type { Coder } from "../../erasure/erasure.ts";
import { dutyOf, isSettled } from "../../guard/lease.ts";
import { type Standing, seatsOf } from "../../guard/log.ts";
import { isDue } from "../../guard/propose.ts";
import { mayProcessHere } from "../../placement/judging/own.ts";
import type { Activity } from "../../placement/language/policy-words.ts";
import type { Policy } from "../../placement/language/policy.ts";
import type { GroupShelf } from "../../vault/shelf.ts";
import type { Reach } from "../asking/guard-reach.ts";
import { Care, type CareNeeds, type Looked } from "../mending/care.ts";

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

export class Duty {
  readonly #needs: DutyNeeds;
  readonly #care: Care;
  readonly #intervalMs: number;
  readonly #leaseMs: number;
  readonly #rounds = new Map<GroupId, Round>();
  readonly #rests = new Map<GroupId, Rest>();
  #mended = 0;

  constructor(
    needs: DutyNeeds, options: { readonly intervalMs: number; readonly leaseMs: number },
  ) {
    this.#needs = needs;
    const policyOf: CareNeeds["policyOf"] = async (standing) => {
      return (await needs.shelf.word(standing)).policy;
    };
    this.#care = new Care({ ...needs, policyOf });
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
      looked.set(record.segment, await this.#care.look(standing, record, signal));
    }
    if (!this.#mayHere("repair", policy)) return 0;
    let mended = 0;
    for (const mends of this.#care.plan(standing, [...looked.values()])) {
      const one = looked.get(mends[0]?.segment as SegmentId) as Looked;
      mended += await this.#care.mend(standing, one, mends, signal);
    }
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
}
