/**
 * Shares the line with others. A step that nobody waits for rests as long as it has worked, while
 * programs or uploads want the line: they have all of it for half of the time at least. It goes by
 * time, so nothing need be known of how fast the line is. No rest is without end, and none is kept
 * when nobody wants the line any more.
 */
import type { Clock } from "./clock.ts";
import { limits } from "./limits.ts";
import type { Step } from "./step.ts";

/** What bulk went over this machine's line a moment ago, its local network's not counted. */
export interface LineUse {
  /** That a program waited for, or will ask for next. */
  readonly isRead: boolean;
  /** Shards on their way out, whoever sent them. */
  readonly isSent: boolean;
}

export const unusedLine: LineUse = { isRead: false, isSent: false };

export function courteous(
  step: Step, needs: { readonly clock: Clock; readonly isWanted: () => boolean },
): Step {
  const { clock, isWanted } = needs;
  let restUntilMs = -Infinity;
  return {
    name: step.name,
    async step(signal) {
      if (clock.monotonicMs() < restUntilMs && isWanted()) return "idle";
      const startMs = clock.monotonicMs();
      const result = await step.step(signal);
      const nowMs = clock.monotonicMs();
      restUntilMs = nowMs + Math.min(nowMs - startMs, limits.traffic.courtesyMsMax);
      return result;
    },
  };
}

/** A step of which others can see whether it is at work. */
export interface NoticedStep extends Step {
  readonly isAtWork: boolean;
}

/** At work from its beginning to the turn that finds nothing more to do. */
export function noticed(step: Step): NoticedStep {
  let [isRunning, wasBusy] = [false, false];
  return {
    name: step.name,
    get isAtWork() {
      return isRunning || wasBusy;
    },
    async step(signal) {
      isRunning = true;
      wasBusy = false;
      try {
        const result = await step.step(signal);
        wasBusy = result === "busy";
        return result;
      } finally {
        isRunning = false;
      }
    },
  };
}
