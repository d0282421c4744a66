/**
 * One loop for all background work. Every step has its own turn: it never overlaps itself, a slow
 * one holds up no other, and between two turns it can be stopped. It knows nothing of what the
 * steps do; a step that fails is asked again later and later.
 */
import { setImmediate } from "node:timers/promises";
import type { Clock } from "../base/clock.ts";
import { limits } from "../base/limits.ts";
import { type Log, describe } from "../base/log.ts";
import type { Step } from "../base/step.ts";

export interface Loop {
  /** There may be something to do: no step waits any longer. */
  wake(): void;
  /** Ends after the steps under way; their signal tells them to hurry. */
  stop(): Promise<void>;
}

export function startLoop(
  steps: readonly Step[], needs: { readonly clock: Clock; readonly log: Log },
): Loop {
  const over = new AbortController();
  const turns = steps.map((step) => new Turn(step, needs, over.signal));
  const ended = Promise.all(turns.map((turn) => turn.run()));
  return {
    wake: () => turns.forEach((turn) => turn.wake()),
    stop: async () => {
      over.abort();
      turns.forEach((turn) => turn.wake());
      await ended;
    },
  };
}

class Turn {
  readonly #step: Step;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #over: AbortSignal;
  #pauseMs = 0;
  #failures = 0;
  #awaken: (() => void) | undefined;
  #woken = false;

  constructor(step: Step, needs: { readonly clock: Clock; readonly log: Log }, over: AbortSignal) {
    this.#step = step;
    this.#clock = needs.clock;
    this.#log = needs.log;
    this.#over = over;
  }

  wake(): void {
    this.#woken = true;
    this.#awaken?.();
  }

  async run(): Promise<void> {
    while (!this.#over.aborted) {
      this.#woken = false;
      this.#pauseMs = await this.#once();
      await this.#pause();
    }
  }

  /** How long to wait before the next turn. */
  async #once(): Promise<number> {
    const { pauseMsMin, pauseMsMax, failureMsMin, failureMsMax } = limits.agent;
    try {
      const result = await this.#step.step(this.#over);
      this.#failures = 0;
      if (result === "busy") return 0;
      return Math.min(Math.max(this.#pauseMs * 2, pauseMsMin), pauseMsMax);
    } catch (error) {
      if (this.#over.aborted) return 0;
      const failureMs = Math.min(failureMsMin * 2 ** this.#failures++, failureMsMax);
      const { name } = this.#step;
      this.#log.warn("agent.step.failed", { step: name, why: describe(error), failureMs });
      return failureMs;
    }
  }

  /** Until the pause is over or somebody wakes us; a busy step lets others breathe. */
  async #pause(): Promise<void> {
    if (this.#pauseMs === 0) return setImmediate();
    if (this.#woken || this.#over.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#awaken = resolve;
    using _timer = this.#clock.after(this.#pauseMs, resolve);
    await promise;
    this.#awaken = undefined;
    if (this.#woken) this.#pauseMs = 0;
  }
}
