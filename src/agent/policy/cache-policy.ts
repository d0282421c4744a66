/**
 * Where the policy lets this machine not keep what peers have (`processing`, cache), the local
 * store forgets it, a little later: what no peer has yet stays, whatever a policy says.
 */
import type { Clock } from "../../base/clock.ts";
import { limits } from "../../base/limits.ts";
import type { Step } from "../../base/step.ts";

export function cachePolicyStep(needs: {
  readonly clock: Clock;
  readonly mayCache: () => Promise<boolean>;
  /** Answers how many bytes went. */
  readonly dropClean: () => Promise<number>;
}): Step {
  let lastMs = -Infinity;
  return {
    name: "cache policy",
    async step() {
      if (needs.clock.monotonicMs() - lastMs < limits.agent.cachePolicyMs) return "idle";
      lastMs = needs.clock.monotonicMs();
      if (!(await needs.mayCache())) await needs.dropClean();
      return "idle";
    },
  };
}
