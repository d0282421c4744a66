/**
 * Looks at the drive's safety now and then: how what is to be repaired dwindles, so that somebody
 * may be told by when it is over, and what gives cause for alarm, which the log is told when it
 * comes and when it is over.
 */
import type { Clock } from "../../base/clock.ts";
import { limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { Alert } from "../../base/safety.ts";
import type { Step } from "../../base/step.ts";
import { Countdown } from "./countdown.ts";

export interface OutlookNeeds {
  /** Shards that are to be brought where they belong. */
  readonly left: () => number;
  readonly alerts: () => readonly Alert[];
  readonly clock: Clock;
  readonly log: Log;
}

/** What is being brought where it belongs, and until when; undefined while nobody can tell. */
export interface RepairOutlook {
  readonly shards: number;
  readonly segments: number;
  readonly leftMs: number | undefined;
}

export class Outlook implements Step {
  readonly name = "outlook";
  readonly #needs: OutlookNeeds;
  readonly #countdown = new Countdown();
  readonly #told = new Map<string, Alert>();
  #lookedAtMs = -Infinity;

  constructor(needs: OutlookNeeds) {
    this.#needs = needs;
  }

  /** The same, and when it will be over. */
  of(left: Pick<RepairOutlook, "shards" | "segments">): RepairOutlook {
    const leftMs = this.#countdown.leftMs(left.shards, this.#needs.clock.monotonicMs());
    return { ...left, leftMs };
  }

  async step(): Promise<"busy" | "idle"> {
    const { clock, left } = this.#needs;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#lookedAtMs < limits.agent.outlookEveryMs) return "idle";
    this.#lookedAtMs = nowMs;
    this.#countdown.saw(left(), nowMs);
    this.#tell();
    return "idle";
  }

  #tell(): void {
    const { log, alerts } = this.#needs;
    const now = new Map(alerts().map((alert) => [`${alert.kind}/${alert.policy ?? ""}`, alert]));
    for (const [key, { kind, policy, text }] of now) {
      if (!this.#told.has(key)) log.warn("alert", { kind, policy: policy ?? "default", text });
    }
    for (const [key, { kind, policy }] of this.#told) {
      if (!now.has(key)) log.info("alert.over", { kind, policy: policy ?? "default" });
    }
    this.#told.clear();
    for (const [key, alert] of now) this.#told.set(key, alert);
  }
}
