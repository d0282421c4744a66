/**
 * Brings segments back to full redundancy: seats of holders that are dead or lied go to other
 * peers, and every shard that is not where it should be is brought there. Where a lone shard costs
 * many reads it waits until several are lost, and no longer. What to do is a pure plan; carrying it
 * out is bounded, and what fails is planned again.
 */
import type { Clock } from "../base/clock.ts";
import { isFault } from "../base/errors.ts";
import { Gate } from "../base/gate.ts";
import type { GroupId, PeerId, SegmentId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type Log, describe } from "../base/log.ts";
import type { PeerNetwork } from "../base/network.ts";
import type { Manifest } from "../base/records.ts";
import type { Step } from "../base/step.ts";
import { mendedFrom } from "../placement/classes.ts";
import { type SegmentState, memberOf } from "../transfer/books.ts";
import type { Health } from "../transfer/health.ts";
import type { Conduct } from "./conduct.ts";

export interface Replacement {
  readonly group: GroupId;
  readonly lost: PeerId;
}

export interface Mend {
  readonly segment: SegmentId;
  readonly index: number;
  /** Who should have it. */
  readonly member: PeerId;
  /** Shards the segment can still lose: the fewest come first. */
  readonly spare: number;
}

export interface RepairPlan {
  readonly replacements: readonly Replacement[];
  readonly mends: readonly Mend[];
}

/** What there is, and who may be counted on. */
export interface Situation {
  readonly segments: readonly SegmentState[];
  readonly manifests: readonly Manifest[];
  readonly isUnfit: (peer: PeerId) => boolean;
  readonly isOnline: (peer: PeerId) => boolean;
  /** The policy does not let it have what it has not got yet: it is to be replaced. */
  readonly isBarred: (group: GroupId, peer: PeerId) => boolean;
  /**
   * What is missing waits, as its class allows, until so little is left that it is made all at once
   * (placement/classes.ts, mendedFrom); an agent is patient. Otherwise nothing waits.
   */
  readonly isPatient: boolean;
}

/** One segment, as it is now. */
interface Look {
  readonly state: SegmentState;
  readonly manifest: Manifest;
  /** Holders that may be counted on, whether they are there or not. */
  readonly living: readonly PeerId[];
}

/** Whose seat is to be given away, and which shards are to be brought where they belong. */
export function planRepair(situation: Situation): RepairPlan {
  const { segments, manifests, isUnfit } = situation;
  const groups = new Map(manifests.map((manifest) => [manifest.group, manifest]));
  const looks = segments.flatMap((state): Look[] => {
    const manifest = groups.get(state.group);
    const living = state.holders.filter((peer): peer is PeerId => {
      return peer !== undefined && !isUnfit(peer);
    });
    return manifest === undefined ? [] : [{ state, manifest, living }];
  });
  const mends = looks.flatMap((look) => mendsOf(look, situation));
  mends.sort((a, b) => a.spare - b.spare);
  return { replacements: replacementsIn(looks, situation), mends };
}

/** Of the most endangered group first. */
function replacementsIn(looks: readonly Look[], situation: Situation): Replacement[] {
  const { isUnfit, isOnline, isPatient } = situation;
  const left = new Map<Manifest, number>();
  for (const { manifest, living } of looks) {
    left.set(manifest, Math.min(left.get(manifest) ?? Infinity, living.length));
  }
  const due = [...left].flatMap(([manifest, least]) => {
    const fit = manifest.peers.filter((peer) => !isUnfit(peer));
    // With fewer than k there is nothing to rebuild from, and our own line is the likely reason.
    const isWithin = fit.filter(isOnline).length >= manifest.class.k;
    const living = Math.min(least, fit.length);
    const isDue = !isPatient || living <= mendedFrom(manifest.class);
    return isWithin && isDue ? [{ manifest, spare: living - manifest.class.k }] : [];
  });
  due.sort((a, b) => a.spare - b.spare);
  return due.flatMap(({ manifest: { group, peers } }) => {
    return peers.filter(isUnfit).map((lost) => ({ group, lost }));
  });
}

/** Shards that are with nobody or with somebody else than the newest manifest says. */
function mendsOf(
  { state, manifest, living }: Look, { isUnfit, isOnline, isBarred, isPatient }: Situation,
): Mend[] {
  const isThere = (peer: PeerId | undefined): boolean => peer !== undefined && isOnline(peer);
  const canRebuild = living.filter(isThere).length >= state.k;
  const lacking = state.holders.flatMap((holder, index) => {
    const member = memberOf(state, index, manifest);
    if (holder === member || isUnfit(member) || !isOnline(member)) return [];
    if (isBarred(state.group, member)) return [];
    // What cannot be had now must not stand before what can.
    if (!canRebuild && !isThere(holder)) return [];
    return [{ segment: state.segment, index, member, spare: living.length - state.k }];
  });
  const isDue = !isPatient || living.length <= mendedFrom(manifest.class);
  // A seat that was given away is filled at once: the manifest says that it is.
  const isGiven = lacking.some(({ index }) => state.holders[index] !== undefined);
  return isDue || isGiven ? lacking : [];
}

/**
 * What the first segments lack, each with all of it, as one reading of k does for all: segments
 * until that is so many shards. Pure.
 */
export function firstSegments(
  mends: readonly Mend[], shardsMax: number,
): readonly (readonly Mend[])[] {
  const chosen = new Set(mends.slice(0, shardsMax).map(({ segment }) => segment));
  const bySegment = new Map([...chosen].map((segment): [SegmentId, Mend[]] => [segment, []]));
  for (const mend of mends) bySegment.get(mend.segment)?.push(mend);
  return [...bySegment.values()];
}

function countSegments(mends: readonly Mend[]): number {
  return new Set(mends.map(({ segment }) => segment)).size;
}

/** The seats of the first groups, each with all of its own: groups until that is so many seats. */
function firstGroups(
  replacements: readonly Replacement[], seatsMax: number,
): ReadonlyMap<GroupId, readonly PeerId[]> {
  const first = replacements.slice(0, seatsMax);
  const chosen = new Map(first.map(({ group }): [GroupId, PeerId[]] => [group, []]));
  for (const { group, lost } of replacements) chosen.get(group)?.push(lost);
  return chosen;
}

export interface RepairNeeds {
  readonly network: PeerNetwork;
  readonly health: Health;
  readonly conduct: Conduct;
  readonly clock: Clock;
  readonly log: Log;
}

export class Repair implements Step {
  readonly name = "repair";
  readonly #needs: RepairNeeds;
  readonly #gate = new Gate({
    seats: limits.agent.segmentsMendedAtOnce, queueMax: limits.agent.mendsPerStep,
  });
  /**
   * Members that could not be given a shard, and segments that could not be read: neither must cost
   * k reads at every step, nor stand in the way of the others.
   */
  readonly #resting = new Map<
    PeerId | SegmentId, { readonly untilMs: number; readonly pauseMs: number }
  >();
  #stranded = 0;
  #left = { shards: 0, segments: 0 };
  #online: ReadonlySet<PeerId> = new Set();

  constructor(needs: RepairNeeds) {
    this.#needs = needs;
  }

  /** What is to be brought where it belongs, as of the last step; what may wait is not in it. */
  get left(): { readonly shards: number; readonly segments: number } {
    return this.#left;
  }

  /** Seats of lost members that nobody could take at the last try. */
  get stranded(): number {
    return this.#stranded;
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    this.#welcome();
    this.#look();
    await this.#needs.conduct.save();
    const plan = planRepair(this.#situation());
    const replaced = await this.#replaceAll(plan.replacements, signal);
    // New manifests say where shards belong now.
    const { mends } = replaced > 0 ? planRepair(this.#situation()) : plan;
    const ready = mends.filter((mend) => !this.#isPutOff(mend));
    const chosen = firstSegments(ready, limits.agent.mendsPerStep);
    const mended = await Promise.all(chosen.map((mends) => this.#mend(mends, signal)));
    const done = mended.reduce((sum, shards) => sum + shards, 0);
    const left = mends.length - done;
    this.#left = { shards: left, segments: left === 0 ? 0 : countSegments(mends) };
    if (done > 0) this.#needs.log.info("agent.repaired", { shards: done, left });
    return replaced > 0 || done > 0 ? "busy" : "idle";
  }

  async #replaceAll(
    replacements: readonly Replacement[], signal: AbortSignal,
  ): Promise<number> {
    const { health, conduct, log } = this.#needs;
    const unfit = conduct.unfit();
    let replaced = 0;
    for (const [group, lost] of firstGroups(replacements, limits.agent.replacementsPerStep)) {
      signal.throwIfAborted();
      const { peers = lost } = await health.replaceMembers(group, lost, unfit) ?? {};
      for (const peer of lost.filter((each) => !peers.includes(each))) {
        log.info("agent.member.replaced", { group, peer });
        replaced++;
      }
    }
    this.#stranded = replacements.length - replaced;
    return replaced;
  }

  /** All that one segment lacks; how many shards were taken. */
  async #mend(mends: readonly Mend[], signal: AbortSignal): Promise<number> {
    using _seat = await this.#gate.enter(signal);
    // Another segment may have shown meanwhile who takes nothing.
    const ready = mends.filter((mend) => !this.#isPutOff(mend));
    const [first] = ready;
    if (first === undefined) return 0;
    const { segment } = first;
    const taken = await this.#tryMend(segment, ready, signal);
    if (taken === "unreadable") {
      this.#rest(segment);
      return 0;
    }
    this.#resting.delete(segment);
    for (const { member, index } of ready) {
      if (taken.has(index)) this.#resting.delete(member);
      else this.#rest(member);
    }
    return taken.size;
  }

  /** Put off: its member or its segment rests. */
  #isPutOff({ member, segment }: Mend): boolean {
    return this.#isResting(member) || this.#isResting(segment);
  }

  #isResting(who: PeerId | SegmentId): boolean {
    const restMs = (this.#resting.get(who)?.untilMs ?? 0) - this.#needs.clock.now();
    // Longer than any rest: the clock was set back.
    return restMs > 0 && restMs <= limits.agent.restMsMax;
  }

  #rest(who: PeerId | SegmentId): void {
    const { restMsMin, restMsMax } = limits.agent;
    const pauseMs = Math.min((this.#resting.get(who)?.pauseMs ?? restMsMin / 2) * 2, restMsMax);
    this.#resting.set(who, { pauseMs, untilMs: this.#needs.clock.now() + pauseMs });
  }

  async #tryMend(
    segment: SegmentId, mends: readonly Mend[], signal: AbortSignal,
  ): Promise<ReadonlySet<number> | "unreadable"> {
    const indexes = mends.map(({ index }) => index);
    try {
      return await this.#needs.health.mendSegment({ segment, indexes }, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!isFault(error)) throw error;
      const shards = indexes.length;
      this.#needs.log.debug("agent.mend.failed", { segment, shards, why: describe(error) });
      return "unreadable";
    }
  }

  /** Each return counts once, so that a peer whose disk is broken is not tried for ever. */
  #welcome(): void {
    const before = this.#online;
    this.#online = this.#onlineNow();
    for (const peer of this.#online) {
      if (!before.has(peer)) this.#needs.conduct.cameBack(peer);
    }
  }

  #look(): void {
    const { health, conduct } = this.#needs;
    const members = new Set(health.groups().flatMap(({ peers }) => peers));
    conduct.look(members, (peer) => this.#online.has(peer));
  }

  #onlineNow(): ReadonlySet<PeerId> {
    const online = this.#needs.network.peers().filter((peer) => peer.online);
    return new Set(online.map(({ offer }) => offer.peer));
  }

  #situation(): Situation {
    const { health, conduct } = this.#needs;
    const online = this.#onlineNow();
    const unfit = conduct.unfit();
    const barred = new Map(health.drifts().map(({ manifest: { group }, broken }) => {
      return [group, new Set(broken)];
    }));
    return {
      segments: health.segments(), manifests: health.groups(),
      isUnfit: (peer) => unfit.has(peer), isOnline: (peer) => online.has(peer),
      isBarred: (group, peer) => barred.get(group)?.has(peer) === true,
      isPatient: true,
    };
  }
}
