/**
 * When something that dwindles will be over, by how it dwindled of late: shards that are to leave,
 * or to be repaired. It promises nothing before it has seen any of it go.
 */
import { limits } from "../../base/limits.ts";

export class Countdown {
  #seen: readonly { readonly atMs: number; readonly left: number }[] = [];

  saw(left: number, atMs: number): void {
    const sinceMs = atMs - limits.agent.countdownWindowMs;
    const kept = this.#seen.filter((one) => one.atMs >= sinceMs);
    // Only what changes says anything of the pace.
    this.#seen = kept.at(-1)?.left === left ? kept : [...kept, { atMs, left }];
  }

  /** Undefined before anything went, or when more came than went. */
  leftMs(left: number, nowMs: number): number | undefined {
    const [first] = this.#seen;
    if (first === undefined || first.left <= left) return undefined;
    return (left * (nowMs - first.atMs)) / (first.left - left);
  }
}
