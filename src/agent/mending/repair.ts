/**
 * Carries out what brings the drive's segments back to full redundancy (plan.ts), some of it at a
 * time; what fails is planned again.
 */
import type { Clock } from "../../base/clock.ts";
import { isFault } from "../../base/errors.ts";
import { Gate } from "../../base/gate.ts";
import type { PeerId, SegmentId } from "../../base/ids.ts";
import { onlineAmong } from "../../base/known-peers.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { PeerNetwork } from "../../base/network.ts";
import { inSlices } from "../../base/slices.ts";
import { Rests } from "../../base/rests.ts";
import type { Step } from "../../base/step.ts";
import type { Health } from "../../transfer/health.ts";
import type { Conduct } from "../conduct/conduct.ts";
import { type Mend, Planning, type RepairPlan, type Replacement, type Situation, firstGroups,
  firstSegments } from "./plan.ts";

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
  readonly #resting: Rests<PeerId | SegmentId>;
  #stranded = 0;
  #left = { shards: 0, segments: 0 };
  #online: ReadonlySet<PeerId> = new Set();

  constructor(needs: RepairNeeds) {
    this.#needs = needs;
    this.#resting = new Rests(needs.clock, limits.agent);
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
    const plan = await this.#plan();
    const replaced = await this.#replaceAll(plan.replacements, signal);
    // New manifests say where shards belong now.
    const { mends, left } = replaced > 0 ? await this.#plan() : plan;
    const chosen = firstSegments(mends, limits.agent.mendsPerStep);
    const mended = await Promise.all(chosen.map((mends) => this.#mend(mends, signal)));
    const done = mended.reduce((sum, shards) => sum + shards, 0);
    const shards = left.shards - done;
    this.#left = { shards, segments: shards === 0 ? 0 : left.segments };
    if (done > 0) this.#needs.log.info("agent.repaired", { shards: done, left: shards });
    return replaced > 0 || done > 0 ? "busy" : "idle";
  }

  /** A large drive's takes a tenth of a second: others have this thread in between. */
  async #plan(): Promise<RepairPlan> {
    const planning = new Planning(this.#sight());
    await inSlices(this.#needs.health.segments(), limits.agent.segmentsPerSlice, (state) => {
      planning.look(state);
    });
    return planning.plan();
  }

  async #replaceAll(
    replacements: readonly Replacement[], signal: AbortSignal,
  ): Promise<number> {
    const { health, conduct, log } = this.#needs;
    // Another device, which is connected, does it for all.
    const due = health.seatsOthers()
      ? replacements.filter(({ group }) => health.isHeard(group)) : [];
    if (due.length === 0) {
      this.#stranded = 0;
      return 0;
    }
    const [unfit, dead] = [conduct.unfit(), conduct.dead()];
    let replaced = 0;
    for (const [group, lost] of firstGroups(due, limits.agent.replacementsPerStep)) {
      signal.throwIfAborted();
      const { peers = lost } = await health.replaceMembers(group, lost, unfit, { dead }) ?? {};
      for (const peer of lost.filter((each) => !peers.includes(each))) {
        log.info("agent.member.replaced", { group, peer });
        replaced++;
      }
    }
    this.#stranded = due.filter(({ group }) => health.isHeard(group)).length - replaced;
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
      this.#resting.begin(segment);
      return 0;
    }
    this.#resting.end(segment);
    for (const { member, index } of ready) {
      if (taken.has(index)) this.#resting.end(member);
      else this.#resting.begin(member);
    }
    return taken.size;
  }

  /** Put off: its member or its segment rests. */
  #isPutOff({ member, segment }: Mend): boolean {
    return this.#resting.has(member) || this.#resting.has(segment);
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
    this.#online = onlineAmong(this.#needs.network.peers());
    for (const peer of this.#online) {
      if (!before.has(peer)) this.#needs.conduct.cameBack(peer);
    }
  }

  #look(): void {
    const { health, conduct } = this.#needs;
    const members = new Set(health.groups().flatMap(({ peers }) => peers));
    conduct.look(members, (peer) => this.#online.has(peer));
  }

  #sight(): Omit<Situation, "segments"> {
    const { health, conduct, network } = this.#needs;
    const online = onlineAmong(network.peers());
    const unfit = conduct.unfit();
    const barred = new Map(health.drifts().map(({ manifest: { group }, broken }) => {
      return [group, new Set(broken)];
    }));
    return {
      manifests: health.groups(),
      isUnfit: (peer) => unfit.has(peer), isFresh: (peer) => conduct.isFresh(peer),
      isOnline: (peer) => online.has(peer),
      isBarred: (group, peer) => barred.get(group)?.has(peer) === true,
      isPatient: true, isPutOff: (mend) => this.#isPutOff(mend),
    };
  }
}
