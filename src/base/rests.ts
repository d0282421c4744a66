/**
 * Whom or what is left alone for a while, as the last try was in vain: so long at first, twice as
 * long after each further try, up to a limit. Who was not tried again for twice the longest rest is
 * forgotten, be it that it is no more.
 */
import type { Clock } from "./clock.ts";

interface Rest {
  readonly sinceMs: number;
  readonly pauseMs: number;
}

export class Rests<K> {
  readonly #clock: Pick<Clock, "now">;
  readonly #limits: { readonly restMsMin: number; readonly restMsMax: number };
  /** In the order in which they began. */
  readonly #rests = new Map<K, Rest>();

  constructor(
    clock: Pick<Clock, "now">,
    limits: { readonly restMsMin: number; readonly restMsMax: number },
  ) {
    this.#clock = clock;
    this.#limits = limits;
  }

  get size(): number {
    return this.#rests.size;
  }

  has(who: K): boolean {
    const rest = this.#rests.get(who);
    if (rest === undefined) return false;
    // Ahead of us: the clock was set back.
    const restedMs = this.#clock.now() - rest.sinceMs;
    return restedMs >= 0 && restedMs < rest.pauseMs;
  }

  begin(who: K): void {
    const { restMsMin, restMsMax } = this.#limits;
    const last = this.#rests.get(who)?.pauseMs;
    const pauseMs = last === undefined ? restMsMin : Math.min(2 * last, restMsMax);
    this.#rests.delete(who);
    this.#rests.set(who, { sinceMs: this.#clock.now(), pauseMs });
    this.#forgetOld();
  }

  end(who: K): void {
    this.#rests.delete(who);
  }

  #forgetOld(): void {
    const nowMs = this.#clock.now();
    for (const [who, { sinceMs }] of this.#rests) {
      if (Math.abs(nowMs - sinceMs) <= 2 * this.#limits.restMsMax) return;
      this.#rests.delete(who);
    }
  }
}
