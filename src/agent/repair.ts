/**
 * Brings every segment back to full redundancy: seats of holders that are dead or lied go to other
 * peers, and every shard that is not where it should be is brought there. What to do is a pure
 * plan; carrying it out is bounded, and what fails is planned again.
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
   * A lost member's seat is given away once only r members are left, all that are lost together: k
   * shards are then read for many, not for each. Otherwise at once, which is what the agent does.
   */
  readonly isPatient?: boolean;
}

/** Whose seat is to be given away, and which shards are to be brought where they belong. */
export function planRepair(situation: Situation): RepairPlan {
  const { segments, manifests, isUnfit, isOnline } = situation;
  const used = new Set(segments.map(({ group }) => group));
  // With fewer than k there is nothing to rebuild from, and our own line is the likely reason.
  const isWithin = ({ peers, class: { k } }: Manifest): boolean => {
    return peers.filter((peer) => isOnline(peer) && !isUnfit(peer)).length >= k;
  };
  const isDue = ({ peers, class: { r } }: Manifest): boolean => {
    return situation.isPatient !== true || peers.filter((peer) => !isUnfit(peer)).length <= r;
  };
  const inReach = manifests.filter((manifest) => used.has(manifest.group) && isWithin(manifest));
  const replacements = inReach.filter(isDue).flatMap((manifest) => {
    return manifest.peers.filter(isUnfit).map((lost) => ({ group: manifest.group, lost }));
  });
  const groups = new Map(manifests.map((manifest) => [manifest.group, manifest]));
  const mends = segments.flatMap((state) => mendsOf(state, groups.get(state.group), situation));
  mends.sort((a, b) => a.spare - b.spare);
  return { replacements, mends };
}

/** Shards that are with nobody or with somebody else than the newest manifest says. */
function mendsOf(
  state: SegmentState, manifest: Manifest | undefined,
  { isUnfit, isOnline, isBarred }: Situation,
): Mend[] {
  if (manifest === undefined) return [];
  const living = state.holders.filter((peer) => peer !== undefined && !isUnfit(peer));
  const isThere = (peer: PeerId | undefined): boolean => peer !== undefined && isOnline(peer);
  const canRebuild = living.filter(isThere).length >= state.k;
  return state.holders.flatMap((holder, index) => {
    const member = memberOf(state, index, manifest);
    if (holder === member || isUnfit(member) || !isOnline(member)) return [];
    if (isBarred(state.group, member)) return [];
    // What cannot be had now must not stand before what can.
    if (!canRebuild && !isThere(holder)) return [];
    return [{ segment: state.segment, index, member, spare: living.length - state.k }];
  });
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
    seats: limits.agent.mendsAtOnce, queueMax: limits.agent.mendsPerStep,
  });
  /**
   * Members that could not be given a shard, and segments that could not be read: neither must cost
   * k reads at every step, nor stand in the way of the others.
   */
  readonly #resting = new Map<
    PeerId | SegmentId, { readonly untilMs: number; readonly pauseMs: number }
  >();
  #stranded = 0;
  #online: ReadonlySet<PeerId> = new Set();

  constructor(needs: RepairNeeds) {
    this.#needs = needs;
  }

  /** Seats of lost members that nobody could take at the last try. */
  get stranded(): number {
    return this.#stranded;
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    this.#welcome();
    this.#look();
    await this.#needs.conduct.save();
    const { replacements } = planRepair(this.#situation());
    const replaced = await this.#replaceAll(replacements, signal);
    // The new manifests say where shards belong now.
    const { mends } = planRepair(this.#situation());
    const ready = mends.filter((mend) => !this.#isPutOff(mend));
    const chosen = ready.slice(0, limits.agent.mendsPerStep);
    const mended = await Promise.all(chosen.map((mend) => this.#mend(mend, signal)));
    const done = mended.filter(Boolean).length;
    const left = mends.length - done;
    if (done > 0) this.#needs.log.info("agent.repaired", { shards: done, left });
    return replaced > 0 || done > 0 ? "busy" : "idle";
  }

  async #replaceAll(
    replacements: readonly Replacement[], signal: AbortSignal,
  ): Promise<number> {
    const { health, conduct, log } = this.#needs;
    const unfit = conduct.unfit();
    let replaced = 0;
    for (const { group, lost } of replacements.slice(0, limits.agent.replacementsPerStep)) {
      signal.throwIfAborted();
      if (await health.replaceMember(group, lost, unfit) === undefined) continue;
      log.info("agent.member.replaced", { group, peer: lost });
      replaced++;
    }
    this.#stranded = replacements.length - replaced;
    return replaced;
  }

  async #mend(mend: Mend, signal: AbortSignal): Promise<boolean> {
    using _seat = await this.#gate.enter(signal);
    if (this.#isPutOff(mend)) return false;
    const mended = await this.#tryMend(mend, signal);
    const { member, segment } = mend;
    if (mended === "refused") this.#rest(member);
    else if (mended === "unreadable") this.#rest(segment);
    else for (const each of [member, segment]) this.#resting.delete(each);
    return mended === "done";
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

  async #tryMend(mend: Mend, signal: AbortSignal): Promise<"done" | "refused" | "unreadable"> {
    try {
      return await this.#needs.health.mendShard(mend, signal) ? "done" : "refused";
    } catch (error) {
      signal.throwIfAborted();
      if (!isFault(error)) throw error;
      const why = describe(error);
      this.#needs.log.debug("agent.mend.failed", { segment: mend.segment, index: mend.index, why });
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
    };
  }
}
