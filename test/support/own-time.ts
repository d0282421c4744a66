/**
 * A time that a process has for itself: it goes so many times quicker than ours, and hardly at all
 * while the process does not get to run. So nobody is late because the machine is busy with others.
 */
import { type Clock, systemClock } from "../../src/base/clock.ts";

/** Of our time: between two looks ... */
const lookMs = 1;
/** ... and so much of it counts at most, however late the next look is. */
const countedMsMax = 4;

interface Timer {
  readonly atMs: number;
  readonly act: () => void;
  /** Somebody waits for it, and the process with him. */
  readonly isAwaited: boolean;
}

export class OwnTime implements Clock {
  readonly now = systemClock.now;
  readonly nowNs = systemClock.nowNs;
  readonly #haste: number;
  readonly #timers = new Set<Timer>();
  #ms = 0;
  #lookedAtMs = systemClock.monotonicMs();
  #look: NodeJS.Timeout | undefined;

  constructor(haste: number) {
    this.#haste = haste;
  }

  monotonicMs(): number {
    const nowMs = systemClock.monotonicMs();
    this.#ms += Math.min(nowMs - this.#lookedAtMs, countedMsMax) * this.#haste;
    this.#lookedAtMs = nowMs;
    return this.#ms;
  }

  after(ms: number, act: () => void): Disposable {
    return this.#at(ms, act, false);
  }

  delay(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason);
      const timer = this.#at(ms, () => {
        signal?.removeEventListener("abort", stop);
        resolve();
      }, true);
      const stop = (): void => {
        timer[Symbol.dispose]();
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", stop, { once: true });
    });
  }

  #at(ms: number, act: () => void, isAwaited: boolean): Disposable {
    const timer = { atMs: this.monotonicMs() + ms, act, isAwaited };
    this.#timers.add(timer);
    this.#goOn();
    return { [Symbol.dispose]: () => void this.#timers.delete(timer) };
  }

  #goOn(): void {
    if (this.#timers.size === 0) return;
    this.#look ??= setTimeout(() => this.#callDue(), lookMs);
    if ([...this.#timers].some(({ isAwaited }) => isAwaited)) this.#look.ref();
    else this.#look.unref();
  }

  #callDue(): void {
    this.#look = undefined;
    const nowMs = this.monotonicMs();
    const due = [...this.#timers].filter(({ atMs }) => atMs <= nowMs);
    for (const timer of due.sort((a, b) => a.atMs - b.atMs)) {
      // An earlier one may have called it off.
      if (this.#timers.delete(timer)) timer.act();
    }
    this.#goOn();
  }
}
