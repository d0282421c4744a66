/**
 * Has the tree take nothing more under policies that say so and that too few peers satisfy. Not at
 * once: peers are heard of one after another, and where they are is known a little later than that
 * they are. What was written meanwhile waits on this machine, as under any policy.
 */
import type { Clock } from "../../base/clock.ts";
import { limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { Step } from "../../base/step.ts";

/** Reasons, by the policy's name; "" is the whole drive's. */
export type Refusals = ReadonlyMap<string, string>;

export interface RefusalNeeds {
  readonly clock: Clock;
  readonly log: Log;
  /** What even all known peers are too few for. */
  readonly judge: () => Promise<Refusals>;
  readonly refuse: (names: Refusals) => void;
}

export class Refusal implements Step {
  readonly name = "refusal";
  readonly #needs: RefusalNeeds;
  #lookedAtMs = -Infinity;
  #sinceMs: ReadonlyMap<string, number> = new Map();
  #refused: Refusals = new Map();

  constructor(needs: RefusalNeeds) {
    this.#needs = needs;
  }

  /** Under which names nothing is taken now. */
  get refused(): Refusals {
    return this.#refused;
  }

  async step(): Promise<"idle"> {
    const { clock, judge, refuse } = this.#needs;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#lookedAtMs < limits.agent.refusalLookMs) return "idle";
    this.#lookedAtMs = nowMs;
    const hopeless = await judge();
    const before = this.#sinceMs;
    this.#sinceMs = new Map([...hopeless.keys()].map((name) => [name, before.get(name) ?? nowMs]));
    const isDue = (name: string): boolean => {
      return nowMs - (this.#sinceMs.get(name) ?? nowMs) >= limits.agent.refusalPatienceMs;
    };
    const refused = new Map([...hopeless].filter(([name]) => isDue(name)));
    this.#tell(refused);
    this.#refused = refused;
    refuse(refused);
    return "idle";
  }

  #tell(refused: Refusals): void {
    const { log } = this.#needs;
    for (const [policy, why] of refused) {
      if (!this.#refused.has(policy)) log.warn("drive.refuses", { policy, why });
    }
    for (const policy of this.#refused.keys()) {
      if (!refused.has(policy)) log.info("drive.takes-again", { policy });
    }
  }
}
