/**
 * Notices segments of which fewer holders than k are left, the others dead or found to lie, and has
 * what this machine has of them placed anew (transfer/placed/rescue.ts). Repair cannot: it reads k.
 * Where other devices act for the drive its members are asked first: what those have brought the
 * books here do not know, and nothing goes up a second time for that.
 */
import type { Clock } from "../../base/clock.ts";
import { isFault } from "../../base/errors.ts";
import type { PeerId, SegmentId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import { inSlices } from "../../base/slices.ts";
import type { Step } from "../../base/step.ts";
import type { SegmentState } from "../../transfer/books.ts";
import type { Health } from "../../transfer/health.ts";
import type { Conduct } from "../conduct/conduct.ts";

export interface RescueNeeds {
  readonly health: Health;
  readonly conduct: Conduct;
  readonly clock: Clock;
  readonly log: Log;
}

export class RescueStep implements Step {
  readonly name = "rescue";
  readonly #needs: RescueNeeds;
  #lookAtMs = -Infinity;
  #had = 0;

  constructor(needs: RescueNeeds) {
    this.#needs = needs;
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const { health, clock, log } = this.#needs;
    if (clock.monotonicMs() < this.#lookAtMs) return "idle";
    this.#lookAtMs = clock.monotonicMs() + limits.agent.rescueEveryMs;
    const lost: SegmentId[] = [];
    const unfit = this.#needs.conduct.unfit();
    for (const segment of await this.#short(unfit)) {
      await this.#askMembers(segment, unfit, signal);
      const state = health.segment(segment);
      if (state !== undefined && isShort(state, unfit)) lost.push(segment);
    }
    if (lost.length + this.#had === 0) return "idle";
    this.#had = lost.length;
    const blocks = await health.rescue(lost);
    if (blocks > 0) log.info("agent.rescued", { segments: lost.length, blocks });
    return "idle";
  }

  async #short(unfit: ReadonlySet<PeerId>): Promise<readonly SegmentId[]> {
    const short: SegmentId[] = [];
    await inSlices(this.#needs.health.segments(), limits.agent.segmentsPerSlice, (state) => {
      if (isShort(state, unfit)) short.push(state.segment);
    });
    return short;
  }

  /** Whether they have what the books do not know of. */
  async #askMembers(
    segment: SegmentId, unfit: ReadonlySet<PeerId>, signal: AbortSignal,
  ): Promise<void> {
    const { health, log } = this.#needs;
    const state = health.segment(segment);
    if (state === undefined || !health.areOthers()) return;
    try {
      await health.findShards({ segment, indexes: lackingIn(state, unfit) }, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!isFault(error)) throw error;
      log.debug("agent.rescue.unseen", { segment, why: describe(error) });
    }
  }
}

function isShort(state: SegmentState, unfit: ReadonlySet<PeerId>): boolean {
  return state.n - lackingIn(state, unfit).length < state.k;
}

/** Shards that nobody has who counts. Of whom it is not known yet whether he is dead, he does. */
function lackingIn({ holders }: SegmentState, unfit: ReadonlySet<PeerId>): readonly number[] {
  return [...holders.keys()].filter((index) => {
    const holder = holders[index];
    return holder === undefined || unfit.has(holder);
  });
}
