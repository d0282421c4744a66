/** Time, which comes in through constructors so that a simulator can run the very same rooms. */

export interface Clock {
  /** Milliseconds since 1970, as the wall says; may jump. */
  now(): number;
  /** Milliseconds since some moment, never going back: for durations and deadlines. */
  monotonicMs(): number;
  /** Nanoseconds since 1970, for file times. */
  nowNs(): bigint;
  /** Resolves after the delay; rejects with the signal's reason if that comes first. */
  delay(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls once after the delay unless cancelled; never keeps the process alive by itself. */
  after(ms: number, act: () => void): Disposable;
}

// Wall time with sub-millisecond digits: one reading of both clocks, then the monotonic one.
const originMs = Date.now() - performance.now();

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  nowNs,
  delay,
  after(ms, act) {
    const timer = setTimeout(act, ms);
    timer.unref();
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};

function nowNs(): bigint {
  const wallMs = Date.now();
  const fineMs = originMs + performance.now();
  // The monotonic clock drifts from the wall when somebody sets it: trust it within 2 ms only.
  const ms = Math.abs(fineMs - wallMs) < 2 ? fineMs : wallMs;
  const whole = Math.floor(ms);
  return BigInt(whole) * 1_000_000n + BigInt(Math.floor((ms - whole) * 1e6));
}

function delay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
