/**
 * What holds back work that nobody waits for: a pause that the user asked for, a metered link,
 * hours without any bulk. Whoever has a brake asks it and never sets it.
 */
import type { Step } from "./step.ts";

export interface Brake {
  readonly isOn: boolean;
  /** While it is on: what is waited for, in words. */
  readonly why: string;
  /** Aborts when it is put on; of the time after that there is another one. */
  readonly signal: AbortSignal;
}

/** Where nothing is ever held back. */
export const noBrake: Brake = { isOn: false, why: "", signal: new AbortController().signal };

/** A step that rests while the brake is on. */
export function braked(step: Step, brake: Brake): Step {
  const { name } = step;
  return {
    name,
    async step(signal) {
      const result = await unlessBraked(brake, signal, (until) => step.step(until));
      return result === "braked" ? "idle" : result;
    },
  };
}

/** Does it, or what of it comes before the brake: work under way is called off. */
export async function unlessBraked<T>(
  brake: Brake, signal: AbortSignal, act: (until: AbortSignal) => Promise<T>,
): Promise<T | "braked"> {
  if (brake.isOn) return "braked";
  const held = brake.signal;
  try {
    return await act(AbortSignal.any([signal, held]));
  } catch (error) {
    // Of two reasons to stop at once the caller's own counts.
    if (error === held.reason) signal.throwIfAborted();
    if (signal.aborted || !held.aborted) throw error;
    return "braked";
  }
}
