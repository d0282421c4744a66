/**
 * Notices segments of which fewer holders than k are left, the others dead or found to lie, and has
 * what this machine has of them placed anew (transfer/placed/rescue.ts). Repair cannot: it reads k.
 */
import type { Clock } from "../base/clock.ts";
import type { SegmentId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import { inSlices } from "../base/slices.ts";
import type { Step } from "../base/step.ts";
import type { Health } from "../transfer/health.ts";
import type { Conduct } from "./conduct.ts";

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

  async step(): Promise<"busy" | "idle"> {
    const { health, clock, log } = this.#needs;
    if (clock.monotonicMs() < this.#lookAtMs) return "idle";
    this.#lookAtMs = clock.monotonicMs() + limits.agent.rescueEveryMs;
    const lost = await this.#lost();
    if (lost.length + this.#had === 0) return "idle";
    this.#had = lost.length;
    const blocks = await health.rescue(lost);
    if (blocks > 0) log.info("agent.rescued", { segments: lost.length, blocks });
    return "idle";
  }

  /** Of whom nobody knows yet whether they are dead is waited for. */
  async #lost(): Promise<readonly SegmentId[]> {
    const { health, conduct } = this.#needs;
    const unfit = conduct.unfit();
    const lost: SegmentId[] = [];
    await inSlices(health.segments(), limits.agent.segmentsPerSlice, ({ segment, k, holders }) => {
      const living = holders.filter((peer) => peer !== undefined && !unfit.has(peer));
      if (living.length < k) lost.push(segment);
    });
    return lost;
  }
}
