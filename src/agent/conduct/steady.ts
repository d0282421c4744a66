/**
 * What may be told of ages by this machine's own stamps, whoever sets its clock: of what was made
 * while this node ran, and after the clock was last set back, alone. A clock that is set ahead
 * makes things older than they are; nothing here ever takes them for younger.
 */
import type { Clock } from "../../base/clock.ts";
import { limits } from "../../base/limits.ts";

export class Steady {
  readonly #clock: Pick<Clock, "now">;
  /** The clock, when it was last looked at. */
  #lastMs: number;
  /** No stamp that was made before is later than this. */
  #sinceMs: number;

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
    this.#lastMs = clock.now();
    this.#sinceMs = this.#lastMs;
  }

  /** The clock was so late already, when somebody looked at it. */
  was(atMs: number): void {
    this.#lastMs = Math.max(this.#lastMs, atMs);
    this.look();
  }

  /** Called often. Clocks are put right by seconds all the time: that is no set-back. */
  look(): void {
    const { lookGapMsMax } = limits.agent;
    const [lastMs, nowMs] = [this.#lastMs, this.#clock.now()];
    this.#lastMs = nowMs;
    if (nowMs >= lastMs - lookGapMsMax) return;
    this.#sinceMs = Math.max(this.#sinceMs, lastMs + lookGapMsMax);
  }

  /** Whether it is surely younger than that. */
  isYounger(stampMs: number, thanMs: number): boolean {
    this.look();
    const ageMs = this.#lastMs - stampMs;
    return stampMs >= this.#sinceMs && ageMs >= 0 && ageMs < thanMs;
  }
}
