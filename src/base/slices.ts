/**
 * Looks at very many things without holding up whoever shares the thread. What the things are may
 * change meanwhile: each is looked at as it was when the look began.
 */
import { setImmediate } from "node:timers/promises";

export async function inSlices<T>(
  all: readonly T[], perSlice: number, look: (one: T) => void,
): Promise<void> {
  for (let at = 0; at < all.length; at++) {
    if (at > 0 && at % perSlice === 0) await setImmediate();
    look(all[at] as T);
  }
}
