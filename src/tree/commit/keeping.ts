/**
 * Which roots of the past are kept: those that stood at certain moments, as each full minute of the
 * last hour. What a root was is known when the next one takes its place: it stood from then until
 * now. So many small commits keep no more than few, and a state that stood long is always among
 * them. Pure.
 */

import type { KeepRule } from "../../base/snapshots.ts";

export interface Standing {
  readonly fromMs: number;
  readonly untilMs: number;
}

export function isKept({ fromMs, untilMs }: Standing, nowMs: number, rule: KeepRule): boolean {
  return rule.some(({ everyMs, forMs }) => {
    const lastMs = Math.floor((untilMs - 1) / everyMs) * everyMs;
    return lastMs >= fromMs && lastMs > nowMs - forMs;
  });
}
