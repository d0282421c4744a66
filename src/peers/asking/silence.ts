/** Notices a silence: while something is awaited and no news came for the time-out, it says so. */
import type { Clock } from "../../base/clock.ts";

export class SilenceAlarm implements Disposable {
  readonly #clock: Clock;
  readonly #options: { timeoutMs: number; isWaiting: () => boolean; onSilence: () => void };
  #timer: Disposable | undefined;
  #newsMs = 0;
  #over = false;

  constructor(
    clock: Clock,
    options: { timeoutMs: number; isWaiting: () => boolean; onSilence: () => void },
  ) {
    this.#clock = clock;
    this.#options = options;
  }

  /** Something came or went through. */
  news(): void {
    this.#newsMs = this.#clock.monotonicMs();
  }

  /** Something is awaited from now on; one timer serves all that is awaited at once. */
  expect(): void {
    if (this.#timer !== undefined || this.#over) return;
    this.news();
    this.#arm(this.#options.timeoutMs);
  }

  [Symbol.dispose](): void {
    this.#over = true;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  #arm(delayMs: number): void {
    this.#timer = this.#clock.after(delayMs, () => {
      this.#timer = undefined;
      if (this.#options.isWaiting()) this.#look();
    });
  }

  #look(): void {
    const restMs = this.#newsMs + this.#options.timeoutMs - this.#clock.monotonicMs();
    if (restMs <= 0) this.#options.onSilence();
    else if (!this.#over) this.#arm(restMs);
  }
}
