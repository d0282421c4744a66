/**
 * What was just written rests a little before it goes up: a burst of work is not slowed by its own
 * upload, and what it throws away at once never leaves. The rest ends with a silence; work without
 * end, and a store that fills, end it too. It knows no clock and decides nothing else.
 */
import { limits } from "../../base/limits.ts";

export class UploadRest {
  #newestMs = -Infinity;
  /** The first that was written since the last round began. */
  #oldestMs: number | undefined;

  wrote(nowMs: number): void {
    this.#newestMs = nowMs;
    this.#oldestMs ??= nowMs;
  }

  /** A round takes along what there is. */
  began(): void {
    this.#oldestMs = undefined;
  }

  /** For how long a round should not begin yet. */
  leftMs(nowMs: number): number {
    if (this.#oldestMs === undefined) return 0;
    const { uploadRestMs, uploadRestMsMax } = limits.cache;
    const endMs = Math.min(this.#newestMs + uploadRestMs, this.#oldestMs + uploadRestMsMax);
    return Math.max(0, endMs - nowMs);
  }
}
