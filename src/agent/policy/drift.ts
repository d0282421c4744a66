/**
 * Keeps every group to the policy that is in force, and to what is known of its members now. A
 * group that is lawful as it lies is signed anew; members that break the policy are replaced, and
 * repair brings their shards over; what no substitute can mend is placed anew in another group. Old
 * holders are told to drop what they have only once others have acknowledged it.
 *
 * What to do with a group is a pure plan; each step carries out a little of it.
 */
import type { Clock } from "../../base/clock.ts";
import { isFault } from "../../base/errors.ts";
import type { GroupId, PeerId, SegmentId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { PeerNetwork } from "../../base/network.ts";
import type { Manifest } from "../../base/records.ts";
import { Rests } from "../../base/rests.ts";
import type { Step } from "../../base/step.ts";
import type { Notices } from "../../guard/notices.ts";
import { type SegmentState, memberOf } from "../../transfer/books.ts";
import type { GroupDrift } from "../../transfer/groups/law.ts";
import type { Health } from "../../transfer/health.ts";
import type { Conduct } from "../conduct/conduct.ts";

/** What is to be done with a group. */
export type DriftPlan =
  | { readonly act: "nothing" | "forget" | "resign" | "move" }
  /** Repair has to fill seats before more of them may be given away. */
  | { readonly act: "wait" }
  | { readonly act: "substitute"; readonly lost: readonly PeerId[] }
  /** The same for who leaves: what it has is lawful, and stays where nobody can take it. */
  | { readonly act: "relieve"; readonly lost: readonly PeerId[] };

export interface DriftSituation {
  /** The group's own. */
  readonly segments: readonly SegmentState[];
  readonly isUnfit: (peer: PeerId) => boolean;
  /** In doubt for so long that it has to go. */
  readonly isOverdue: (peer: PeerId) => boolean;
  /** It gave notice of its seat, and is there to be copied from. */
  readonly isLeaving: (peer: PeerId) => boolean;
}

export function planDrift(drift: GroupDrift, situation: DriftSituation): DriftPlan {
  const { manifest, broken, doubtful, unheard, isOfClass, isSigned } = drift;
  const overdue = doubtful.filter(situation.isOverdue);
  const lost = [...broken, ...overdue];
  const leaving = manifest.peers.filter(situation.isLeaving);
  const isLawful = isOfClass && lost.length === 0;
  if (situation.segments.length === 0) return { act: isLawful && isSigned ? "nothing" : "forget" };
  if (!isOfClass) return { act: "move" };
  if (lost.length === 0 && leaving.length === 0) {
    const isCertain = doubtful.length + unheard.length === 0;
    return { act: !isSigned && isCertain ? "resign" : "nothing" };
  }
  // A machine that has the manifest alone must find enough shards with the members it names.
  const act = lost.length === 0 ? "relieve" : "substitute";
  const going = act === "relieve" ? leaving : lost;
  const spare = manifest.class.n - manifest.class.r - emptySeats(drift, situation, going);
  if (spare <= 0) return { act: "wait" };
  return { act, lost: going.slice(0, spare) };
}

/** Of the worst segment: members that stay, and lack its shard or cannot be counted on. */
function emptySeats(
  { manifest }: GroupDrift, { segments, isUnfit }: DriftSituation, lost: readonly PeerId[],
): number {
  const staying = new Set(manifest.peers.filter((peer) => !lost.includes(peer)));
  return segments.reduce((most, state) => {
    const empty = state.holders.filter((holder, index) => {
      const member = memberOf(state, index, manifest);
      return staying.has(member) && (holder !== member || isUnfit(member));
    });
    return Math.max(most, empty.length);
  }, 0);
}

export interface DriftNeeds {
  readonly network: PeerNetwork;
  readonly health: Health;
  readonly conduct: Conduct;
  /** Who gives up seats, as far as this node was told. */
  readonly notices?: Notices | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export class DriftStep implements Step {
  readonly name = "policy";
  readonly #needs: DriftNeeds;
  /** Since when each member of a group is in doubt. */
  #doubts: ReadonlyMap<string, number> = new Map();
  /** Groups that break their policy, and that nobody can mend. */
  readonly #stuck = new Set<GroupId>();
  /** Segments that could not be moved rest: each try costs k reads. */
  readonly #resting: Rests<SegmentId>;

  constructor(needs: DriftNeeds) {
    this.#needs = needs;
    this.#resting = new Rests(needs.clock, limits.agent);
  }

  /** Groups that lie against their policy because too few peers satisfy it. */
  get stuck(): number {
    return this.#stuck.size;
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const { health } = this.#needs;
    const drifts = health.drifts();
    this.#remember(drifts);
    // Where another device is connected that does it for all, groups are looked at there.
    const due = health.seatsOthers()
      ? drifts.filter(({ manifest }) => health.isHeard(manifest.group)) : [];
    let done = 0;
    for (const [drift, segments] of bySegments(due, health.segments())) {
      signal.throwIfAborted();
      if (await this.#carryOut(drift, segments, signal)) done++;
    }
    done += await health.dropSurplus(signal);
    return done > 0 ? "busy" : "idle";
  }

  /** True when something was done. */
  async #carryOut(
    drift: GroupDrift, segments: readonly SegmentState[], signal: AbortSignal,
  ): Promise<boolean> {
    const { health, conduct, log } = this.#needs;
    const { manifest: { group }, name } = drift;
    const plan = this.#planOf(drift, segments);
    const isStuckNow = plan.act === "move" || plan.act === "substitute";
    if (!isStuckNow) this.#stuck.delete(group);
    switch (plan.act) {
      case "nothing":
      case "wait":
        return false;
      case "forget":
        return health.forgetGroup(group);
      case "resign":
        log.info("agent.policy.lawful", { group, policy: name });
        return await health.resignGroup(group, conduct.dead()) !== undefined;
      case "substitute":
        if (!await this.#replace(drift, plan.lost, "agent.policy.replaced")) {
          return health.isHeard(group) && await this.#moveSome(drift, segments, signal);
        }
        this.#stuck.delete(group);
        return true;
      case "relieve":
        return this.#replace(drift, plan.lost, "agent.leaver.relieved");
      case "move":
        return this.#moveSome(drift, segments, signal);
    }
  }

  #planOf(drift: GroupDrift, segments: readonly SegmentState[]): DriftPlan {
    const { conduct, notices } = this.#needs;
    const { manifest: { group } } = drift;
    return planDrift(drift, {
      segments, isUnfit: (peer) => conduct.isUnfit(peer),
      isOverdue: (peer) => this.#isOverdue(group, peer),
      isLeaving: (peer) => notices?.has(peer, group) ?? false,
    });
  }

  /** False where nobody can take their seats; who is unfit or leaves is not asked. */
  async #replace(
    { manifest: { group }, name }: GroupDrift, lost: readonly PeerId[], event: string,
  ): Promise<boolean> {
    const { health, conduct, log, notices } = this.#needs;
    const unfit = new Set([...conduct.unfit(), ...notices?.peers() ?? []]);
    const replaced = await health.replaceMembers(group, lost, unfit, { dead: conduct.dead() });
    if (replaced === undefined) return false;
    log.info(event, { group, policy: name, epoch: replaced.epoch });
    return true;
  }

  /** A few segments to another group; stuck when there is none. */
  async #moveSome(
    { manifest: { group }, name }: GroupDrift, segments: readonly SegmentState[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const { log } = this.#needs;
    const target = await this.#destination(name);
    if (target === undefined || target.group === group) {
      if (!this.#stuck.has(group)) log.warn("agent.policy.stuck", { group, policy: name });
      this.#stuck.add(group);
      return false;
    }
    this.#stuck.delete(group);
    const ready = segments.filter(({ segment }) => !this.#resting.has(segment));
    let moved = 0;
    for (const { segment } of ready.slice(0, limits.agent.movesPerStep)) {
      signal.throwIfAborted();
      if (await this.#move(segment, target, signal)) moved++;
      else this.#resting.begin(segment);
    }
    if (moved > 0) log.info("agent.policy.moved", { group, policy: name, segments: moved });
    return moved > 0;
  }

  /** Of a name that nothing is in force under any more, nowhere. */
  async #destination(name: string): Promise<Manifest | undefined> {
    try {
      return await this.#needs.health.destination(name);
    } catch (error) {
      if (isFault(error, "NotFound")) return undefined;
      throw error;
    }
  }

  async #move(segment: SegmentId, target: Manifest, signal: AbortSignal): Promise<boolean> {
    try {
      const moved = await this.#needs.health.moveSegment(segment, target, signal);
      if (moved) this.#resting.end(segment);
      return moved;
    } catch (error) {
      signal.throwIfAborted();
      if (!isFault(error)) throw error;
      this.#needs.log.debug("agent.policy.unmoved", { segment, why: describe(error) });
      return false;
    }
  }

  /**
   * A member in doubt stays so from the first look that saw it, and until one that did not: by a
   * clock that nobody sets, as one that is put right after a start would make every doubt old.
   */
  #remember(drifts: readonly GroupDrift[]): void {
    const nowMs = this.#needs.clock.monotonicMs();
    const before = this.#doubts;
    this.#doubts = new Map(drifts.flatMap(({ manifest: { group }, doubtful }) => {
      return doubtful.map((peer) => {
        const key = `${group}/${peer}`;
        return [key, before.get(key) ?? nowMs] as const;
      });
    }));
  }

  #isOverdue(group: GroupId, peer: PeerId): boolean {
    const sinceMs = this.#doubts.get(`${group}/${peer}`);
    const nowMs = this.#needs.clock.monotonicMs();
    return sinceMs !== undefined && nowMs - sinceMs >= limits.agent.doubtMs;
  }
}

function bySegments(
  drifts: readonly GroupDrift[], segments: readonly SegmentState[],
): readonly (readonly [GroupDrift, readonly SegmentState[]])[] {
  const groups = new Map<GroupId, SegmentState[]>(drifts.map(({ manifest: { group } }) => {
    return [group, []];
  }));
  for (const state of segments) groups.get(state.group)?.push(state);
  return drifts.map((drift) => [drift, groups.get(drift.manifest.group) ?? []]);
}
