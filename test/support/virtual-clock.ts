/** Time that passes only when a test says so; what was to be called meanwhile is, in its order. */
import type { Clock } from "../../src/base/clock.ts";

interface Timer {
  readonly atMs: number;
  readonly act: () => void;
}

export class VirtualClock implements Clock {
  #ms = 0;
  #timers: Timer[] = [];
  readonly #originMs: number;

  /** What the wall says at the beginning. */
  constructor(originMs = Date.UTC(2026, 10, 26)) {
    this.#originMs = originMs;
  }

  now(): number {
    return this.#originMs + this.#ms;
  }

  monotonicMs(): number {
    return this.#ms;
  }

  nowNs(): bigint {
    return BigInt(Math.round(this.now())) * 1_000_000n;
  }

  after(ms: number, act: () => void): Disposable {
    const timer = { atMs: this.#ms + ms, act };
    this.#timers.push(timer);
    return {
      [Symbol.dispose]: () => void (this.#timers = this.#timers.filter((one) => one !== timer)),
    };
  }

  delay(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const timer = this.after(ms, resolve);
      signal?.addEventListener("abort", () => {
        timer[Symbol.dispose]();
        reject(signal.reason);
      }, { once: true });
    });
  }

  /** Goes on by so much; whoever waits for a promise gets its turn between any two timers. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#ms + ms;
    await breath();
    for (;;) {
      const next = this.#timers.toSorted((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined || next.atMs > endMs) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.#ms = Math.max(this.#ms, next.atMs);
      next.act();
      await breath();
    }
    this.#ms = endMs;
  }
}

function breath(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
